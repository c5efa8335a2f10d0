"""Transformation: rules that change what backends and clients get.

A request has been matched when it is changed, so that rules decide neither about its route nor about who may pass. No
rule reaches what frames a message or says where it goes; the config sees to that.
"""

from collections.abc import Sequence
from http import HTTPStatus

from kairos._speedups import FieldSet
from kairos.config.conditions import Clause, parse_condition
from kairos.config.transformations import StatusRule, Transformation
from kairos.protocols.http1.head import RequestHead
from kairos.traffic.transform_fields import HeaderChange
from kairos.traffic.transform_json import JsonRules
from kairos.traffic.transform_target import TargetChange

_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}
_STATUS = slice(9, 12)  # of a response: "HTTP/1.1 200 OK"


class RequestChange:
    """Change requests on their way to the backend. `json` are the rules for bodies, if there are any."""

    __slots__ = ("_headers", "_target", "json")

    def __init__(self, rules: Transformation) -> None:
        self._target = TargetChange(rules.path, rules.query) if rules.path is not None or rules.query else None
        self._headers = HeaderChange(rules.headers) if rules.headers else None
        self.json = JsonRules(rules.json) if rules.json is not None else None

    def apply(self, raw_head: bytes, target: bytes) -> tuple[bytes, bytes]:
        """Return head and target as the backend gets them. Raises BadRequest for a path that leads nowhere."""
        return self.head(raw_head), self.target(target)

    def target(self, target: bytes) -> bytes:
        """Return the target for the backend; it has to come in normal form, as the matcher gives it."""
        return target if self._target is None else self._target.apply(target)

    def head(self, raw_head: bytes) -> bytes:
        """Return the head for the backend, with its first line as it is.

        This is for the head as the gateway has written it: then a client cannot take away, by naming it in Connection,
        what a rule adds.
        """
        return raw_head if self._headers is None else self._headers.apply(raw_head)


class ResponseChange:
    """Change responses on their way to the client. `json` are the rules for bodies, if there are any."""

    __slots__ = ("_headers", "_statuses", "json")

    def __init__(self, rules: Transformation) -> None:
        self._statuses = StatusChange(rules.statuses) if rules.statuses else None
        self._headers = HeaderChange(rules.headers) if rules.headers else None
        self.json = JsonRules(rules.json) if rules.json is not None else None

    def apply(self, raw_head: bytes, request: RequestHead) -> bytes:
        """Return the head of a response with its status line and its fields changed."""
        changed = raw_head if self._headers is None else self._headers.apply(raw_head)
        if self._statuses is None:
            return changed
        status = self._statuses.of(raw_head, request)  # conditions look at what the backend said
        return changed if status is None else with_status(changed, status)


def request_fields(rules: Transformation) -> frozenset[bytes]:
    """Return the fields of requests on which it depends how responses are changed."""
    conditions = [parse_condition(rule.condition) for rule in rules.statuses if rule.condition is not None]
    return frozenset(look.field for looks in conditions for look in looks if look.what == "request" and look.field)


class StatusChange:
    """Find another status for a response: the first rule that fits is taken."""

    __slots__ = ("_by_status",)

    def __init__(self, rules: Sequence[StatusRule]) -> None:
        self._by_status: dict[bytes, list[tuple[int, tuple[_Look, ...]]]] = {}
        for rule in rules:
            looks = tuple(map(_Look, parse_condition(rule.condition))) if rule.condition is not None else ()
            self._by_status.setdefault(b"%d" % rule.status, []).append((rule.to, looks))

    def of(self, raw_head: bytes, request: RequestHead) -> int | None:
        """Return the new status, None for the one that it has."""
        for status, looks in self._by_status.get(raw_head[_STATUS], ()):
            if all(look.holds(raw_head, request) for look in looks):
                return status
        return None


class _Look:
    """A clause of a condition, with what it needs to find its value."""

    __slots__ = ("_clause", "_field")

    def __init__(self, clause: Clause) -> None:
        self._clause = clause
        self._field = FieldSet((clause.field,)) if clause.field else None

    def holds(self, raw_head: bytes, request: RequestHead) -> bool:
        """Say whether it holds for a response to a request."""
        if self._field is None:
            return self._clause.holds(request.method if self._clause.what == "method" else request.path)
        (value,) = self._field.values(raw_head if self._clause.what == "response" else request.raw)
        return self._clause.holds(value)


def with_status(raw_head: bytes, status: int) -> bytes:
    """Return the head of a response with another status, and the phrase that goes with it."""
    end = raw_head.find(b"\r\n")
    return b"%b%d %b%b" % (raw_head[: _STATUS.start], status, _PHRASES.get(status, b""), raw_head[end:])
