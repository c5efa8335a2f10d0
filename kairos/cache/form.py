"""The form of a file of the cache: a prefix, a head that describes itself with key and label, the body.

How it works
------------
A file is written under another name, and what is in it is found by nobody before it is whole. After that only this
changes:

    confirmed   a byte that is set when it is certain that nobody has removed the key while the file was put in its
                place. Until then the file counts only if its ticket is younger than every removal
    the head    of large files: they have two slots, and a byte says which of them is in use. A new head is written into
                the other one, and then the byte is changed. So a label can be renewed without a copy of the body
"""

import struct
from dataclasses import dataclass
from zlib import crc32

from kairos.traffic.caching.store import Label

MAGIC = b"kairos1\n"
CONFIRMED = b"\1"
CONFIRMED_AT = len(MAGIC)  # where that byte is
SLOT_AT = CONFIRMED_AT + 1  # where the byte is that says which slot is in use
MOST_HEAD = 1 << 17  # bytes of all that comes before the body
MOST_TAG = 1024

_PREFIX = struct.Struct("<8sBBHI")  # magic, confirmed, slot, pages of a slot (0 if there is but one), nothing
_FIXED = struct.Struct("<IIIIIQqd8s")  # check sum of what follows; key, place, tags, text, body; the rest of a Head
_CHECK = struct.Struct("<I")
_LENGTHS = struct.Struct("<IIII")
_PAGE = 4096


class Damaged(Exception):
    """A file is none of ours, or not whole."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a file tells before its body.

    `ticket` is that of the request that brought the label, `identity` tells this body from others of the key.
    """

    key: bytes
    label: Label
    ticket: int
    identity: bytes


@dataclass(frozen=True, slots=True)
class Prefix:
    """What a file begins with. `slot_size` is 0 if there is but one slot, which ends where the body starts."""

    is_confirmed: bool
    slot: int
    slot_size: int

    @property
    def slot_at(self) -> int:
        """Where the head is that is in use."""
        return slot_at(self.slot, self.slot_size)


@dataclass(frozen=True, slots=True)
class Found:
    """A head as it was read, where the body starts, and how long it is."""

    prefix: Prefix
    head: Head
    start: int
    size: int


def is_storable(label: Label, start: int) -> bool:
    """Say whether a file has room for this label, if the body starts there."""
    return start <= MOST_HEAD and all(0 < len(tag) <= MOST_TAG and 0 not in tag for tag in label.tags)


def start_of(key: bytes, label: Label) -> int:
    """Return where the body starts in a file with one slot."""
    tags = sum(map(len, label.tags)) + len(label.tags) - 1 if label.tags else 0
    return _PREFIX.size + _FIXED.size + len(key) + len(label.place) + tags + len(label.text)


def slot_size(start: int) -> int:
    """Return how large the slots of a file are best, so that a label may grow a little."""
    return -(-(start + start // 4) // _PAGE) * _PAGE


def slot_at(slot: int, size: int) -> int:
    """Return where a slot of this size begins."""
    return size if slot else _PREFIX.size


def slot_room(slot: int, size: int) -> int:
    """Return how much a slot has room for."""
    return 0 if not size else size if slot else size - _PREFIX.size


def pack(head: Head, size: int, slots: int = 0) -> bytes:
    """Return the beginning of a file with a body of so many bytes, and two slots of the size `slots`, or one."""
    return _PREFIX.pack(MAGIC, 0, 0, slots // _PAGE, 0) + pack_head(head, size)


def pack_head(head: Head, size: int) -> bytes:
    """Return what stands in a slot."""
    label, tags = head.label, b"\0".join(head.label.tags)
    lengths = len(head.key), len(label.place), len(tags), len(label.text), size
    fixed = _FIXED.pack(0, *lengths, head.ticket, label.useless_at, head.identity)
    rest = b"".join((fixed[_CHECK.size :], head.key, label.place, tags, label.text))
    return _CHECK.pack(crc32(rest)) + rest


def unpack_prefix(data: bytes) -> Prefix:
    """Read the first bytes of a file. Raises Damaged."""
    if len(data) < _PREFIX.size:
        raise Damaged("it is too short")
    magic, confirmed, slot, pages, _ = _PREFIX.unpack_from(data)
    if magic != MAGIC or slot > (pages > 0):
        raise Damaged("it is not what was written")
    return Prefix(confirmed == CONFIRMED[0], slot, pages * _PAGE)


def is_whole(data: bytes, at: int) -> bool:
    """Say whether a head that begins there is in these bytes, as far as one can tell."""
    end = at + _FIXED.size
    return end <= len(data) and end + sum(_LENGTHS.unpack_from(data, at + _CHECK.size)) <= len(data)


def unpack(prefix: Prefix, data: bytes, at: int) -> Found:
    """Read a head that begins there. Raises Damaged."""
    if not is_whole(data, at):
        raise Damaged("it is too short")
    check, key_size, place_size, tags_size, text_size, size, ticket, useless_at, identity = _FIXED.unpack_from(data, at)
    key_at = at + _FIXED.size
    place_at = key_at + key_size
    tags_at = place_at + place_size
    text_at = tags_at + tags_size
    end = text_at + text_size
    if crc32(memoryview(data)[at + _CHECK.size : end]) != check:
        raise Damaged("its head is not what was written")
    tags = data[tags_at:text_at]
    label = Label(data[place_at:tags_at], tuple(tags.split(b"\0")) if tags else (), useless_at, data[text_at:end])
    head = Head(data[key_at:place_at], label, ticket, identity)
    return Found(prefix, head, 2 * prefix.slot_size or end, size)
