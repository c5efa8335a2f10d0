"""The Python twin of `marks`."""

from functools import lru_cache
from typing import NamedTuple

_ALL = (1 << 64) - 1
_SIGN = 1 << 63
_SHORT = 256


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & _ALL


def _mix(a: int, b: int, c: int, d: int, rounds: int) -> tuple[int, int, int, int]:
    """Do SipRounds."""
    for _ in range(rounds):
        a, c = (a + b) & _ALL, (c + d) & _ALL
        b, d = _rotated(b, 13) ^ a, _rotated(d, 16) ^ c
        a = _rotated(a, 32)
        c, a = (c + b) & _ALL, (a + d) & _ALL
        b, d = _rotated(b, 17) ^ c, _rotated(d, 21) ^ a
        c = _rotated(c, 32)
    return a, b, c, d


class Mark(NamedTuple):
    """The two halves of a hash, as cells hold them."""

    low: int
    high: int


def mark(key: bytes, data: bytes) -> Mark:
    """Return the hash of `data` under a key of 16 bytes."""
    if not isinstance(data, bytes):
        raise TypeError("a hash is made of bytes")
    if len(key) != 16:
        raise ValueError("the key has 16 bytes")
    return _remembered(key, data) if len(data) <= _SHORT else _hash(key, data)


def _hash(key: bytes, data: bytes) -> Mark:
    low, high = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    a, b = 0x736F6D6570736575 ^ low, 0x646F72616E646F6D ^ high ^ 0xEE
    c, d = 0x6C7967656E657261 ^ low, 0x7465646279746573 ^ high
    whole = len(data) // 8 * 8
    last = data[whole:].ljust(7, b"\0") + bytes((len(data) & 0xFF,))
    for start in range(0, whole + 8, 8):
        word = int.from_bytes(data[start : start + 8] if start < whole else last, "little")
        a, b, c, d = _mix(a, b, c, d ^ word, 2)
        a ^= word
    a, b, c, d = _mix(a, b, c ^ 0xEE, d, 4)
    first = a ^ b ^ c ^ d
    a, b, c, d = _mix(a, b ^ 0xDD, c, d, 4)
    return Mark(_signed(first), _signed(a ^ b ^ c ^ d))


_remembered = lru_cache(maxsize=4096)(_hash)  # it takes a while, and clients come again


def _signed(word: int) -> int:
    return (word ^ _SIGN) - _SIGN
