"""Where a request can carry a credential besides a header of its own."""

from urllib.parse import unquote_to_bytes


def cookie(field: bytes | None, name: bytes) -> bytes | None:
    """Return the value of the first cookie of this name in a Cookie field (RFC 6265 section 4.2)."""
    for pair in (field or b"").replace(b",", b";").split(b";"):  # repeated fields were joined with commas
        found, equals, value = pair.strip(b" \t").partition(b"=")
        if equals and found == name:
            return value.strip(b'" \t')
    return None


def parameter(target: bytes, name: bytes) -> bytes | None:
    """Return the value of the first parameter of this name in the query of a request target."""
    for pair in target.partition(b"?")[2].split(b"&"):
        found, equals, value = pair.partition(b"=")
        if equals and (found == name or unquote_to_bytes(found) == name):
            return unquote_to_bytes(value)
    return None
