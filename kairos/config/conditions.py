"""The conditions of a status mapping.

    method == GET and response.Content-Type matches '^text/html'
    request.X-Debug exists

A condition is one or more clauses, joined by `and`. What is looked at: `method`, `path` as the client wrote it, or a
header field of the `request` or the `response`. How: `==` and `!=` with a text, `matches` with a regular expression
that is looked for anywhere, `exists`, `absent`. A text with spaces stands in single or double quotes. A field that is
not there equals nothing.
"""

import re
from dataclasses import dataclass

from kairos.config.regex import Regex

_CLAUSE = re.compile(
    r"\s*(?P<what>method|path|(?:request|response)\.(?P<field>[A-Za-z0-9_-]+))\s+"
    r"(?:(?P<unary>exists|absent)|(?P<operator>==|!=|matches)\s+(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<bare>[^\s'\"]+)))"
    r"\s*(?P<and>\band\b)?"
)
MOST_CLAUSES = 16


@dataclass(frozen=True, slots=True)
class Clause:
    """One look at a request or a response. `field` is a lower-case name, empty for the method and the path."""

    what: str
    field: bytes
    operator: str
    text: bytes = b""
    regex: Regex | None = None

    def holds(self, value: bytes | None) -> bool:
        """Say whether it holds for a value; None is a field that is not there."""
        if self.regex is not None:
            return value is not None and self.regex.is_in(value)
        if self.operator in ("exists", "absent"):
            return (value is not None) == (self.operator == "exists")
        return (value == self.text) == (self.operator == "==")


def parse_condition(text: str) -> tuple[Clause, ...]:
    """Read a condition. Raises ValueError with the reason for one that makes no sense."""
    clauses: list[Clause] = []
    at = 0
    goes_on = True
    while goes_on:
        found = _CLAUSE.match(text, at)
        if found is None:
            raise ValueError(f"it makes no sense from here on: {text[at:].strip() or 'the end'}")
        clauses.append(_clause(found))
        at, goes_on = found.end(), found["and"] is not None
    if at < len(text):
        raise ValueError(f"it makes no sense from here on: {text[at:]}")
    if len(clauses) > MOST_CLAUSES:
        raise ValueError(f"it has more than {MOST_CLAUSES} clauses")
    return tuple(clauses)


def _clause(found: re.Match[str]) -> Clause:
    what, field = found["what"].partition(".")[0], (found["field"] or "").lower().encode()
    if found["unary"]:
        if not field:
            raise ValueError(f"there is always a {what}")
        return Clause(what, field, found["unary"])
    value = next(value for value in (found["single"], found["double"], found["bare"]) if value is not None)
    regex = Regex(value) if found["operator"] == "matches" else None
    return Clause(what, field, found["operator"], value.encode(), regex)
