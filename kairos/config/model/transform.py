"""In which form: rules that change requests and responses."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

from typing import Annotated, Literal

from pydantic import Field

from kairos.config.model.base import Block

Action = Literal["add", "set", "remove", "replace"]
StatusCode = Annotated[int, Field(ge=100, le=999)]


class HeaderRule(Block):
    """One change to the header fields."""

    action: Action
    """`add` if absent, `set` in any case, `remove`, or `replace` by a regular expression."""
    name: str
    """The field name."""
    value: str | None = None
    """The new value, for `add` and `set`."""
    pattern: str | None = None
    """The regular expression that `replace` looks for."""
    replacement: str | None = None
    """What `replace` puts there; `$1` is the first group."""


class PathRule(Block):
    """A change to the path that is sent to the backend."""

    pattern: str
    """The regular expression to look for."""
    replacement: str
    """What replaces its first match; `$1` is the first group."""


class QueryRule(Block):
    """One change to the query parameters."""

    action: Action
    """`add` if absent, `set` in any case, or `remove`."""
    name: str
    """The parameter's name."""
    value: str | None = None
    """The new value."""


class StatusMapping(Block):
    """Another status for a response."""

    # "from" is a word of Python, so only the file uses it.
    from_status: StatusCode = Field(alias="from")
    """The status of the backend."""
    to: StatusCode
    """The status that the client gets."""
    condition: str | None = None
    """When the mapping applies."""


class RequestTransformation(Block):
    """Changes to a request on its way to the backend. Rules run in the listed order."""

    headers: list[HeaderRule] = []
    """Changes to the header fields."""
    path: PathRule | None = None
    """A change to the path."""
    query_params: list[QueryRule] = []
    """Changes to the query."""


class ResponseTransformation(Block):
    """Changes to a response on its way to the client."""

    headers: list[HeaderRule] = []
    """Changes to the header fields."""
    status_code_mappings: list[StatusMapping] = []
    """Changes to the status; the first that fits is taken."""
