"""Cache-Control: what messages say about how they may be cached (RFC 9111 section 5.2)."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

Directives: TypeAlias = Mapping[bytes, bytes | None]
"""Names in lower case, with their arguments."""

MOST_SECONDS = 1 << 31  # RFC 9111 section 1.2.2: whoever counts higher has no more to say

_TOKEN = rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
# A member that is not well formed ends at the next comma, and counts as its name without an argument.
_MEMBER = re.compile(
    rb"[ \t]*(?:(?P<name>%b)(?:=(?:(?P<value>%b)|\"(?P<quoted>(?:[^\"\\]|\\.)*)\"))?[ \t]*(?=,|\Z)"
    rb"|(?P<broken>%b)(?P<rest>[^,]*)|[^,]*)(?:,|\Z)" % (_TOKEN, _TOKEN, _TOKEN)
)
_ESCAPE = re.compile(rb"\\(.)")


NOTHING: Directives = {}
SHORT = 256  # bytes: what is longer is not remembered


def directives(value: bytes | None) -> Directives:
    """Read a Cache-Control field.

    Of what is doubtful the stricter meaning is taken: a broken or repeated argument of seconds makes them 0, and
    `private` is stricter without a list of fields than with one.
    """
    if not value:
        return NOTHING
    return _remembered(value) if len(value) <= SHORT else _directives(value)


def _directives(value: bytes) -> Directives:
    found: dict[bytes, bytes | None] = {}
    for member in _MEMBER.finditer(value):
        name, argument = _read(member)
        if name is None:
            continue
        if name not in found:
            found[name] = argument
        elif found[name] != argument:
            found[name] = None
    return found


_remembered = lru_cache(maxsize=1024)(_directives)  # backends say the same again and again


def _read(member: re.Match[bytes]) -> tuple[bytes | None, bytes | None]:
    name, value, quoted, broken, _ = member.groups()
    if broken is not None:
        return broken.lower(), None
    if quoted is not None:
        value = _ESCAPE.sub(rb"\1", quoted)
    return (None if name is None else name.lower()), value


def seconds(found: Directives, name: bytes) -> int | None:
    """Return the seconds that a directive states; None if it is not there, 0 if they cannot be read."""
    if name not in found:
        return None
    return delta(found[name]) or 0


def delta(value: bytes | None) -> int | None:
    """Read a number of seconds (RFC 9111 section 1.2.2); None if it is none."""
    if value is None or not value.isdigit():
        return None
    return min(int(value), MOST_SECONDS) if len(value) < 12 else MOST_SECONDS


def fields_named(found: Directives, name: bytes) -> tuple[bytes, ...] | None:
    """Return the fields to which `private` or `no-cache` is restricted, in lower case; None if it holds for all."""
    value = found.get(name)
    if value is None:
        return None
    return tuple(field for part in value.lower().split(b",") if (field := part.strip()))
