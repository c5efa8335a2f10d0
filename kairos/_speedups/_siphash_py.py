"""The Python twin of `siphash`."""

_ALL = (1 << 64) - 1


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & _ALL


def _mix(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    """Do one SipRound."""
    a, c = (a + b) & _ALL, (c + d) & _ALL
    b, d = _rotated(b, 13) ^ a, _rotated(d, 16) ^ c
    a = _rotated(a, 32)
    c, a = (c + b) & _ALL, (a + d) & _ALL
    b, d = _rotated(b, 17) ^ c, _rotated(d, 21) ^ a
    return a, b, _rotated(c, 32), d


def siphash13(data: bytes) -> int:
    """Return the 64-bit hash of `data`."""
    a, b, c, d = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573
    whole = len(data) // 8 * 8
    last = data[whole:].ljust(7, b"\0") + bytes((len(data) & 0xFF,))
    for start in range(0, whole + 8, 8):
        word = int.from_bytes(data[start : start + 8] if start < whole else last, "little")
        a, b, c, d = _mix(a, b, c, d ^ word)
        a ^= word
    c ^= 0xFF
    for _ in range(3):
        a, b, c, d = _mix(a, b, c, d)
    return a ^ b ^ c ^ d
