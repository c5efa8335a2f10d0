"""Parts of a stored answer (RFC 9110 section 14)."""

import re
from typing import NamedTuple

_RANGES = re.compile(rb"bytes=[ \t,]*((?:[0-9]*-[0-9]*[ \t]*(?:,[ \t]*|\Z))+)", re.IGNORECASE)
_RANGE = re.compile(rb"([0-9]*)-([0-9]*)")
MOST_RANGES = 32  # who asks for more gets all
MOST_DIGITS = 18


class Span(NamedTuple):
    """The part of a body to send. A `size` of 0 tells that there is no such part."""

    offset: int
    size: int


def span(field: bytes, size: int) -> Span | None:
    """Return the part of a body of `size` bytes that a Range asks for; None for all of it.

    All of it answers what is not understood, and several ranges that are not one (RFC 9110 sections 14.2 and 15.3.7.2).
    """
    match = _RANGES.fullmatch(field.strip(b" \t"))
    if match is None:
        return None
    asked = _RANGE.findall(match[1])
    if len(asked) > MOST_RANGES or any(not _is_valid(first, last) for first, last in asked):
        return None
    found = sorted(filter(None, (_located(first, last, size) for first, last in asked)))
    if not found:
        return Span(0, 0)
    start, end = found[0]
    for first, after in found[1:]:
        if first > end:
            return None
        end = max(end, after)
    return Span(start, end - start)


def _is_valid(first: bytes, last: bytes) -> bool:
    if len(first) > MOST_DIGITS or len(last) > MOST_DIGITS:
        return False
    return bool(first or last) and not (first and last and int(first) > int(last))


def _located(first: bytes, last: bytes, size: int) -> tuple[int, int] | None:
    """Return where a range begins, and what is behind it; None if nothing of it is there."""
    if not first:
        start = max(size - int(last), 0)
        return (start, size) if start < size else None
    start, end = int(first), min(int(last) + 1, size) if last else size
    return (start, end) if start < end else None
