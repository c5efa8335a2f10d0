"""Rules that change JSON bodies.

A body is held until it is whole, for its length stands in the head. So it has to be short: one that is too long passes
as it is or fails, and so does one that is no JSON.
"""

import json
import re
from collections.abc import Sequence
from copy import deepcopy
from math import isinf
from typing import Any

import orjson

from kairos._speedups import FieldSet
from kairos.config.pointers import parse_pointer
from kairos.config.transformations import JsonBody, JsonRule
from kairos.errors import BadRequest, UpstreamError

# What says how long a body is, or what exactly it is: no longer true when it has changed.
OF_THE_BODY = FieldSet(
    (
        b"content-length",
        b"transfer-encoding",
        b"trailer",
        b"etag",
        b"last-modified",
        b"accept-ranges",
        b"content-md5",
        b"digest",
        b"content-digest",
        b"repr-digest",
    )
)
ANSWERS_OTHERWISE = (b"accept-encoding", b"range", b"if-range")
"""Fields of requests whose answers are compressed or parts, and so would escape the rules."""
_FACTS = FieldSet((b"content-type", b"content-encoding", b"content-range"))
_LENGTH = FieldSet((b"content-length",))
_JSON_TYPE = re.compile(rb"(?i)application/(?:[a-z0-9!#$&^_.+-]+\+)?json[ \t]*(?:;|$)")
# More digits than a C double has, perhaps: orjson would round such an integer. This is faster than an expression.
_DIGITS = bytes(ord("0") if chr(byte) in "0123456789." else ord(" ") for byte in range(256))
_LONG_NUMBER = b"0" * 17

_Step = tuple[str, ...]


class UnfitBody(Exception):
    """A body that cannot be changed, on a route where it must be."""

    def __init__(self, message: str, reason: str, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.status = status

    def as_request(self) -> BadRequest:
        """Blame the client."""
        return BadRequest(f"The request body {self.message}", reason=self.reason, status=self.status)

    def as_response(self) -> UpstreamError:
        """Blame the backend."""
        return UpstreamError(f"the body of the answer {self.message}", reason=self.reason)


def is_json(head: bytes) -> bool:
    """Say whether a head announces a whole JSON body that is not compressed."""
    content_type, coding, content_range = _FACTS.values(head)
    if content_type is None or content_range is not None or (coding is not None and coding.lower() != b"identity"):
        return False
    return _JSON_TYPE.match(content_type) is not None


def with_length(head: bytes, length: int) -> bytes:
    """Return a head for a changed body of so many bytes, without what was true of the body before."""
    first = head[: head.find(b"\n") + 1]
    return OF_THE_BODY.copy_without(head, (first,), (b"Content-Length: %d\r\n\r\n" % length,))


def without_length(head: bytes, settings: JsonBody) -> bytes:
    """Return the head that answers HEAD where the answer to GET would be changed, as far as one can tell."""
    (length,) = _LENGTH.values(head)
    if settings.passes and length is not None and length.isdigit() and int(length) > settings.max_bytes:
        return head
    return OF_THE_BODY.copy_without(head, (head[: head.find(b"\n") + 1],), (b"\r\n",))


class JsonChange:
    """Change one body: `feed` it piece by piece, then `finish`. What they return goes on.

    Until one of them has returned something the head must wait. Then `is_changed` tells whether the body is another
    one, and all of it is there: such a head needs `with_length`. Otherwise the body passes as it came, after all.
    """

    __slots__ = ("_held", "_is_over", "_rules", "_settings", "_size", "is_changed")

    def __init__(self, rules: "JsonRules") -> None:
        self._rules = rules
        self._settings = rules.settings
        self._held: list[bytes] = []
        self._size = 0
        self._is_over = False  # and passes
        self.is_changed = False

    def feed(self, data: bytes) -> bytes:
        """Take a piece; return what can go on, which is nothing as long as all is held. Raises UnfitBody."""
        if self._is_over:
            return data
        self._held.append(data)
        self._size += len(data)
        if self._size <= self._settings.max_bytes:
            return b""
        if not self._settings.passes:
            self._held.clear()
            raise UnfitBody("is too long to be transformed", "json_too_large", 413)
        self._is_over = True
        return self._all()

    def finish(self) -> bytes:
        """Return the rest after the last piece: the changed body if nothing has gone on so far. Raises UnfitBody."""
        if self._is_over:
            return b""
        body = self._all()
        try:
            changed = dumps(self._rules.apply(loads(body)))
        except (ValueError, RecursionError):  # or JSON that is nested too deep
            if self._settings.passes:
                return body
            raise UnfitBody("is not JSON", "json_invalid", 400) from None
        self.is_changed = True
        return changed

    def _all(self) -> bytes:
        body = b"".join(self._held)
        self._held.clear()
        return body


def loads(body: bytes) -> Any:
    """Read JSON; integers of any length stay what they are. Raises ValueError, or RecursionError."""
    if _LONG_NUMBER not in body.translate(_DIGITS):
        return orjson.loads(body)
    return json.loads(body.decode(), parse_constant=_refuse, parse_float=_finite)


def dumps(value: Any) -> bytes:
    """Write JSON without spaces."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _finite(text: str) -> float:
    if isinf(number := float(text)):
        raise ValueError(f"{text} is too large")
    return number


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


class JsonRules:
    """The rules of a route, compiled."""

    __slots__ = ("_steps", "settings")

    def __init__(self, settings: JsonBody) -> None:
        self.settings = settings
        self._steps = tuple(
            (rule, parse_pointer(rule.pointer), parse_pointer(rule.to) if rule.to is not None else ())
            for rule in settings.rules
        )

    def change(self) -> JsonChange:
        """Begin with a body."""
        return JsonChange(self)

    def apply(self, value: Any) -> Any:
        """Change a value, in place; a rule that does not fit its shape does nothing."""
        for rule, pointer, to in self._steps:
            _apply(rule, pointer, to, value)
        return value


def _apply(rule: JsonRule, pointer: _Step, to: _Step, value: Any) -> None:
    if rule.action == "remove":
        _take(value, pointer)
    elif rule.action == "rename":
        _rename(value, pointer, to)
    elif rule.action == "set" or _find(value, pointer) is MISSING:
        _put(value, pointer, deepcopy(rule.value))


def _rename(value: Any, pointer: _Step, to: _Step) -> None:
    """Move a value, unless there is none or the shape does not allow it."""
    found = _find(value, pointer)
    if found is MISSING:
        return
    if pointer[: len(to)] == to:  # it takes the place of what it is a part of
        _take(value, pointer)
        _put(value, to, found)
    elif _put(value, to, found):
        _take(value, pointer)


MISSING = object()


def _find(value: Any, pointer: Sequence[str]) -> Any:
    """Return the value at a pointer (RFC 6901), or MISSING."""
    for token in pointer:
        if isinstance(value, dict):
            value = value.get(token, MISSING)
        elif isinstance(value, list) and (index := _index(token)) is not None and index < len(value):
            value = value[index]
        else:
            return MISSING
    return value


def _take(value: Any, pointer: _Step) -> Any:
    """Remove the value at a pointer and return it, or MISSING."""
    holder, token = _find(value, pointer[:-1]), pointer[-1]
    if isinstance(holder, dict):
        return holder.pop(token, MISSING)
    if isinstance(holder, list) and (index := _index(token)) is not None and index < len(holder):
        return holder.pop(index)
    return MISSING


def _put(value: Any, pointer: _Step, new: Any) -> bool:
    """Set the value at a pointer, making the objects on the way; say whether the shape allowed it."""
    for token in pointer[:-1]:
        value = value.setdefault(token, {}) if isinstance(value, dict) else _find(value, (token,))
    token = pointer[-1]
    if isinstance(value, dict):
        value[token] = new
        return True
    if not isinstance(value, list):
        return False
    index = len(value) if token == "-" else _index(token)  # noqa: S105 - RFC 6901 section 4
    if index is None or index > len(value):
        return False
    value[index : index + 1] = [new]
    return True


def _index(token: str) -> int | None:
    """Read an index into an array: digits without zeros in front (RFC 6901 section 4)."""
    is_index = token.isascii() and token.isdigit() and (token == "0" or token[0] != "0") and len(token) < 10  # noqa: S105
    return int(token) if is_index else None
