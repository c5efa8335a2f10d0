"""Read one cookie of a request (RFC 6265 section 4.2)."""

from kairos.protocols.http1.fields import COOKIES
from kairos.protocols.http1.head import RequestHead

_SPACE, _TAB, _SEMICOLON, _COMMA = b" \t;,"


def cookie(head: RequestHead, name: bytes) -> bytes | None:
    """Return the value of the first cookie of this name, or None. `name` ends with `=`."""
    (line,) = COOKIES.values(head.raw)
    if line is None:
        return None
    text = line  # a pointer when compiled: a slice of it is a plain copy
    start = line.find(name)
    while start > 0 and not _separates(text[start - 1]):
        start = line.find(name, start + 1)
    if start < 0:
        return None
    start += len(name)
    size = len(line)
    while start < size and (text[start] == _SPACE or text[start] == _TAB):
        start += 1
    end = start
    while end < size and not _separates(text[end]):
        end += 1
    return text[start:end]


def _separates(byte: int) -> bool:
    """Say whether a byte cannot be in a value; commas are where two fields were joined."""
    return byte in (_SEMICOLON, _SPACE, _COMMA, _TAB)
