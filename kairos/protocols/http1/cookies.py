"""Read one cookie of a request (RFC 6265 section 4.2)."""

from kairos.protocols.http1.fields import COOKIES
from kairos.protocols.http1.head import RequestHead

_BEFORE = b"; ,\t"  # what may stand before a name; the comma is where two fields were joined


def cookie(head: RequestHead, name: bytes) -> bytes | None:
    """Return the value of the first cookie of this name, or None. `name` ends with `=`."""
    (line,) = COOKIES.values(head.raw)
    if line is None:
        return None
    start = line.find(name)
    while start > 0 and line[start - 1] not in _BEFORE:
        start = line.find(name, start + 1)
    if start < 0:
        return None
    value = line[start + len(name) :].partition(b";")[0].partition(b",")[0]
    return value.strip(b" \t")
