"""Write random bytes as a UUID: the twin of `ids.pyx`."""

from uuid import UUID


def uuid4(source: bytes, at: int) -> bytes:
    """Return the 16 bytes of `source` from `at` on as the text of a random UUID (RFC 9562 section 5.4).

    IndexError if there are not that many.
    """
    if not 0 <= at <= len(source) - 16:
        raise IndexError("not enough random bytes")
    return str(UUID(bytes=source[at : at + 16], version=4)).encode()
