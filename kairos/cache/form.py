"""The form of a file of the cache: a head that describes itself, the key, the label, the body.

A file is written under another name and never changes after, but for one byte: `confirmed` is set when it is certain
that nobody has removed the key while the file was put in its place. Until then the file counts only if its ticket is
younger than every removal.
"""

import struct
from dataclasses import dataclass
from zlib import crc32

from kairos.traffic.caching.store import Label

MAGIC = b"kairos1\n"
CONFIRMED = b"\1"
CONFIRMED_AT = len(MAGIC)  # where the byte is
MOST_HEAD = 1 << 17  # bytes of all that comes before the body
MOST_TAG = 1024

_START = struct.Struct("<8sB3xI")  # magic, confirmed, check sum of what follows before the body
_FIXED = struct.Struct("<IIIIQqd8s")  # lengths of key, place, tags, text and body; ticket, useless_at, id
_LENGTHS = struct.Struct("<IIII")
_BEGINNING = _START.size + _FIXED.size


class Damaged(Exception):
    """A file is none of ours, or not whole."""


@dataclass(frozen=True, slots=True)
class Head:
    """All that a file tells before its body. `ticket` is that of the request it answers, `identity` its own."""

    key: bytes
    label: Label
    ticket: int
    identity: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """The head as it is read, where the body starts, and how long it is."""

    head: Head
    start: int
    size: int
    is_confirmed: bool


def is_storable(label: Label, start: int) -> bool:
    """Say whether a file has room for this label, if the body starts there."""
    return start <= MOST_HEAD and all(0 < len(tag) <= MOST_TAG and 0 not in tag for tag in label.tags)


def length(key: bytes, label: Label) -> int:
    """Return where the body starts."""
    tags = sum(map(len, label.tags)) + len(label.tags) - 1 if label.tags else 0
    return _BEGINNING + len(key) + len(label.place) + tags + len(label.text)


def pack(head: Head, size: int) -> bytes:
    """Return what comes before a body of so many bytes."""
    label, tags = head.label, b"\0".join(head.label.tags)
    lengths = len(head.key), len(label.place), len(tags), len(label.text), size
    fixed = _FIXED.pack(*lengths, head.ticket, label.useless_at, head.identity)
    rest = b"".join((fixed, head.key, label.place, tags, label.text))
    return _START.pack(MAGIC, 0, crc32(rest)) + rest


def is_whole(data: bytes) -> bool:
    """Say whether this beginning of a file has all that comes before the body."""
    return len(data) >= _BEGINNING and _BEGINNING + sum(_LENGTHS.unpack_from(data, _START.size)) <= len(data)


def unpack(data: bytes) -> Found:
    """Read the beginning of a file, of MOST_HEAD bytes if it is so long. Raises Damaged."""
    if len(data) < _BEGINNING:
        raise Damaged("it is too short")
    magic, confirmed, check = _START.unpack_from(data)
    key_size, place_size, tags_size, text_size, size, ticket, useless_at, identity = _FIXED.unpack_from(
        data, _START.size
    )
    place_at = _BEGINNING + key_size
    tags_at = place_at + place_size
    text_at = tags_at + tags_size
    start = text_at + text_size
    if magic != MAGIC or start > len(data) or crc32(memoryview(data)[_START.size : start]) != check:
        raise Damaged("its head is not what was written")
    tags = data[tags_at:text_at]
    label = Label(data[place_at:tags_at], tuple(tags.split(b"\0")) if tags else (), useless_at, data[text_at:start])
    head = Head(data[_BEGINNING:place_at], label, ticket, identity)
    return Found(head, start, size, confirmed == CONFIRMED[0])
