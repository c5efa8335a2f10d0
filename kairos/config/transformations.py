"""What workers read of the rules that change requests and responses. Their texts have been vetted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One change to a header field or a query parameter: `add`, `set`, `remove` or `replace`."""

    action: str
    name: str
    value: str | None = None
    pattern: str | None = None
    replacement: str | None = None


@dataclass(frozen=True, slots=True)
class PathRule:
    """What is found first in the path, and what stands there then."""

    pattern: str
    replacement: str


@dataclass(frozen=True, slots=True)
class StatusRule:
    """Another status for one, where the condition holds."""

    status: int
    to: int
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class JsonRule:
    """One change to a JSON value: `add`, `set`, `remove` or `rename`. `to` is the new pointer of what is renamed."""

    action: str
    pointer: str
    value: Any = None
    to: str | None = None


@dataclass(frozen=True, slots=True)
class JsonBody:
    """Changes to a body of so many bytes at most; any other passes as it is, or fails."""

    rules: tuple[JsonRule, ...]
    max_bytes: int = 1 << 20
    passes: bool = True

    @classmethod
    def decode(cls, fields: Mapping[str, Any]) -> Self:
        """Make it from JSON values."""
        rules = tuple(JsonRule(**rule) for rule in fields["rules"])
        return cls(rules, fields["max_bytes"], fields["passes"])


@dataclass(frozen=True, slots=True)
class Transformation:
    """Changes to a request or to a response; what does not belong to its kind is empty."""

    headers: tuple[FieldRule, ...] = ()
    path: PathRule | None = None
    query: tuple[FieldRule, ...] = ()
    statuses: tuple[StatusRule, ...] = ()
    json: JsonBody | None = None

    @classmethod
    def decode(cls, fields: Mapping[str, Any] | None) -> Self | None:
        """Make it from JSON values."""
        if fields is None:
            return None
        return cls(
            headers=tuple(FieldRule(**rule) for rule in fields["headers"]),
            path=PathRule(**fields["path"]) if fields["path"] is not None else None,
            query=tuple(FieldRule(**rule) for rule in fields["query"]),
            statuses=tuple(StatusRule(**rule) for rule in fields["statuses"]),
            json=JsonBody.decode(fields["json"]) if fields["json"] is not None else None,
        )
