"""In which form: rules that change requests and responses."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

import re
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import AfterValidator, Field, model_validator

from kairos.config.conditions import parse_condition
from kairos.config.findings import quote
from kairos.config.model.answers import TOKEN
from kairos.config.model.base import Block, refusal
from kairos.config.pointers import parse_pointer
from kairos.config.regex import Substitution

Action = Literal["add", "set", "remove", "replace"]
StatusCode = Annotated[int, Field(ge=100, le=999)]

FRAMING = frozenset(
    (
        "connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade", "x-kairos-peer",
    )
)  # fmt: skip
"""Fields that say where a message goes or where it ends, and one that the gateway's own processes trust."""
OF_THE_GATEWAY = frozenset(("date", "x-content-type-options", "x-request-id"))
"""Fields of a response that the gateway writes after the rules."""
VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
"""A field value (RFC 9110 section 5.5)."""
ESCAPES = r"%(?:2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-D]|[89A-F][0-9A-F])"
PATH_TEXT = re.compile(rf"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|{ESCAPES})*")
"""A part of a path as it is forwarded: what is unreserved is not escaped, and the rest is, in upper case."""
CLIMBS = re.compile(r"(?i)(?:^|/|%2f|%5c)\.\.?(?:/|%2f|%5c|;|$)")
BODILESS = (204, 205, 304)
"""RFC 9110 section 6.4.1: a response with one of these has no body; none can become one or stop being one."""


def substitution(pattern: str, replacement: str) -> Substitution:
    """Compile a rule's expression and what replaces it, or refuse them."""
    try:
        return Substitution(pattern, replacement)
    except ValueError as exc:
        message = f"Not a regular expression with a replacement that can be used: {exc}"
        raise refusal(message, "write it in the syntax of RE2, with groups as $1") from None


def check_field_name(name: str) -> str:
    """Take the name of a header field that rules may change."""
    if not TOKEN.fullmatch(name):
        raise refusal(f"Not the name of a header field: {name}", 'write for example "X-Api-Version"')
    if name.lower() in FRAMING:
        raise refusal(f"{name} frames the message or says where it goes: rules cannot change it", "remove the rule")
    return name


class HeaderRule(Block):
    """One change to the header fields."""

    action: Action
    """`add` if absent, `set` in any case, `remove`, or `replace` all matches of a regular expression in the value."""
    name: Annotated[str, AfterValidator(check_field_name)]
    """The field name. Those that frame a message or say where it goes cannot be changed."""
    value: str | None = None
    """The new value, for `add` and `set`."""
    pattern: str | None = None
    """The regular expression (RE2) that `replace` looks for."""
    replacement: str | None = None
    """What `replace` puts there; `$1` is the first group, `$$` a dollar."""

    @model_validator(mode="after")
    def check(self) -> Self:
        """Demand what the action needs."""
        if self.action in ("add", "set"):
            if self.value is None or not VALUE.fullmatch(self.value):
                raise refusal(f"{quote(self.action)} needs a value without line breaks", 'add "value"')
        elif self.action == "replace":
            if self.pattern is None or self.replacement is None:
                raise refusal('"replace" needs a pattern and a replacement', 'add "pattern" and "replacement"')
            substitution(self.pattern, self.replacement)
            if not VALUE.fullmatch(self.replacement):
                raise refusal("The replacement has a line break or another control character", "remove it")
        return self


class PathRule(Block):
    """A change to the path that is sent to the backend."""

    pattern: str
    """The regular expression (RE2) to look for in the path that `internal_path` gives, in normal form."""
    replacement: str
    """What replaces its first match; `$1` is the first group. A request whose path leads nowhere then gets 400."""

    @model_validator(mode="after")
    def check(self) -> Self:
        """Refuse a replacement from which no path can come."""
        literals = substitution(self.pattern, self.replacement).literals.decode()
        if not PATH_TEXT.fullmatch(literals):
            fix = "escape other characters, and change the query with query_params"
            raise refusal(f"The replacement is no part of a path: {self.replacement}", fix)
        if CLIMBS.search(self.replacement):
            raise refusal(f"The replacement climbs: {self.replacement}", "write the path that it leads to")
        return self


class QueryRule(Block):
    """One change to the query parameters."""

    action: Action
    """`add` if absent, `set` in any case, `remove`, or `replace` the value if there is one."""
    name: Annotated[str, Field(min_length=1)]
    """The parameter's name, as it is when decoded."""
    value: str | None = None
    """The new value, which is escaped; for all but `remove`."""

    @model_validator(mode="after")
    def check(self) -> Self:
        """Demand what the action needs."""
        if self.action != "remove" and self.value is None:
            raise refusal(f"{quote(self.action)} needs a value", 'add "value"')
        return self


def check_condition(text: str | None) -> str | None:
    """Take a condition that makes sense."""
    try:
        if text is not None:
            parse_condition(text)
    except ValueError as exc:
        fix = "write for example: method == GET and response.Content-Type matches '^text/html'"
        raise refusal(f"Not a condition: {exc}", fix) from None
    return text


class StatusMapping(Block):
    """Another status for a response. Those without a body (1xx, 204, 205, 304) can neither be mapped nor mapped to."""

    # "from" is a word of Python, so only the file uses it.
    from_status: StatusCode = Field(alias="from")
    """The status of the backend."""
    to: StatusCode
    """The status that the client gets."""
    condition: Annotated[str | None, AfterValidator(check_condition)] = None
    """When the mapping applies; null is always. Clauses joined by `and`, such as `method == GET`,
    `path matches '^/api/'`, `request.X-Debug exists`, `response.Content-Type != text/html`. `path` is what the client
    asked for; `matches` looks for a regular expression (RE2), `absent` is the contrary of `exists`."""

    @model_validator(mode="after")
    def check(self) -> Self:
        """Refuse what would make a body where there is none, or none where there is one."""
        for status in (self.from_status, self.to):
            if self.from_status != self.to and (status < 200 or status in BODILESS):
                raise refusal(f"A response with status {status} has no body, so it cannot be mapped", "remove the rule")
        if self.to >= 600:  # RFC 9110 section 15
            raise refusal(f"{self.to} is no status for a client", "use a number from 200 to 599")
        return self


def check_pointer(text: str) -> str:
    """Take a JSON pointer to something within the document."""
    try:
        parse_pointer(text)
    except ValueError as exc:
        raise refusal(f"Not a JSON pointer: {exc}", 'write for example "/user/name" (RFC 6901)') from None
    return text


Pointer = Annotated[str, AfterValidator(check_pointer)]


class JsonRule(Block):
    """One change to a JSON body. What does not fit its shape changes nothing."""

    action: Literal["add", "set", "remove", "rename"]
    """`add` if absent, `set` in any case, `remove`, or `rename`, which moves a value."""
    pointer: Pointer
    """The JSON pointer (RFC 6901) to the value, such as `/user/name` or `/items/0`. Objects on the way are made; in an
    array `-` is behind the last."""
    value: Any = None
    """The new value, for `add` and `set`; any JSON."""
    to: Pointer | None = None
    """The pointer to where `rename` moves the value."""

    @model_validator(mode="after")
    def check(self) -> Self:
        """Demand what the action needs."""
        if self.action in ("add", "set"):
            if "value" not in self.model_fields_set:
                raise refusal(f"{quote(self.action)} needs a value", 'add "value"; null is one')
            try:
                orjson.dumps(self.value)
            except TypeError as exc:
                raise refusal(f"Not a value that can be written as JSON: {exc}", "use a smaller number") from None
        elif self.action == "rename":
            if self.to is None:
                raise refusal('"rename" needs to know where to', 'add "to"')
            if f"{self.to}/".startswith(f"{self.pointer}/"):
                raise refusal("A value cannot be moved into itself", "use another pointer")
        return self


class JsonBody(Block):
    """Changes to JSON bodies.

    These are the bodies whose `Content-Type` is `application/json` or ends in `+json`, and that are not compressed.
    They are held until they are whole, so they have to be short. Integers keep all their digits, other numbers those of
    a double. A changed body has a new `Content-Length`, and the response no `ETag` or `Last-Modified` any more.
    """

    rules: Annotated[list[JsonRule], Field(min_length=1)]
    """The changes, in the order in which they are made."""
    max_bytes: Annotated[int, Field(ge=1, le=64 * 1024 * 1024)] = 1024 * 1024
    """The longest body that is changed."""
    otherwise: Literal["pass", "fail"] = "pass"
    """What becomes of a body that is longer, or no JSON although it says so: it passes as it is, or fails. Then the
    request gets 413 or 400, and a response becomes 502."""


class RequestTransformation(Block):
    """Changes to a request on its way to the backend.

    Rules run in the listed order, after all that the gateway itself does to the request. Routes, access and limits look
    at what the client sent.
    """

    headers: list[HeaderRule] = []
    """Changes to the header fields."""
    path: PathRule | None = None
    """A change to the path."""
    query_params: list[QueryRule] = []
    """Changes to the query."""
    json_body: JsonBody | None = None
    """Changes to a JSON body."""


def check_response_rules(rules: list[HeaderRule]) -> list[HeaderRule]:
    """Refuse rules that would have no effect."""
    for rule in rules:
        if rule.name.lower() in OF_THE_GATEWAY:
            raise refusal(f"The gateway writes {rule.name} itself: rules cannot change it", "remove the rule")
    return rules


class ResponseTransformation(Block):
    """Changes to a response on its way to the client; what the gateway answers itself stays as it is."""

    headers: Annotated[list[HeaderRule], AfterValidator(check_response_rules)] = []
    """Changes to the header fields."""
    status_code_mappings: list[StatusMapping] = []
    """Changes to the status; the first that fits is taken."""
    json_body: JsonBody | None = None
    """Changes to a JSON body."""
