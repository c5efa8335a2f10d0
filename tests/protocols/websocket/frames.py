"""Frames as tests write them, and a parser that takes one byte after the other (RFC 6455 section 5.2)."""

from collections.abc import Iterator
from dataclasses import dataclass

MASK = b"\x01\x02\x03\x04"


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes = b"", bits: int = 0) -> bytes:
    """Write one frame; `bits` are the reserved ones, from 0 to 7."""
    first = (0x80 if fin else 0) | bits << 4 | opcode
    size, masked = len(payload), 0x80 if mask else 0
    if size < 126:
        head = bytes((first, masked | size))
    elif size < 1 << 16:
        head = bytes((first, masked | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, masked | 127)) + size.to_bytes(8, "big")
    return head + mask + xored(payload, mask)


def xored(payload: bytes, mask: bytes) -> bytes:
    """Mask a payload, or take the mask off."""
    if not mask:
        return payload
    pattern = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(len(payload), "big")


@dataclass(frozen=True)
class Seen:
    """One frame as an endpoint reads it."""

    opcode: int
    payload: bytes
    fin: bool = True
    bits: int = 0


def parse(data: bytes) -> Iterator[Seen]:
    """Read whole frames; what is left over is an error."""
    while data:
        first, second = data[0], data[1]
        size, at = second & 0x7F, 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(data[2 : 2 + width], "big"), 2 + width
        mask = b""
        if second & 0x80:
            mask, at = data[at : at + 4], at + 4
        payload = data[at : at + size]
        assert len(payload) == size, "a frame is cut short"
        yield Seen(first & 15, xored(payload, mask), bool(first & 0x80), first >> 4 & 7)
        data = data[at + size :]
