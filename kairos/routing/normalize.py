"""Bring a request target into the one form that is matched and forwarded (RFC 3986 section 6.2.2).

This is the slow path: the matcher comes here only with a target that is not in this form already.
"""

import re
import string

from kairos.errors import BadRequest

UNRESERVED = frozenset((string.ascii_letters + string.digits + "-._~").encode())  # RFC 3986 section 2.3

_ODD_IN_PATH = re.compile(rb"%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~!$&'()*+,;=:@/-]")
_ODD_IN_QUERY = re.compile(rb"[^!\"$-~]")


def normalize(target: bytes) -> tuple[bytes, bytes]:
    """Return the normal form of a request target: its path, then the whole of it.

    In the path, escaped unreserved characters are decoded and what may not stand there raw is escaped; dot segments are
    resolved and empty segments dropped. `%2F` and `%5C` stay, and separate nothing. The query stays as it is. Raises
    `BadRequest` for a target that is no path, that climbs above the root, or that has a control character, an escaped
    NUL, `#` or a broken escape.
    """
    path, mark, query = target.partition(b"?")
    if not path.startswith(b"/"):
        raise refused("The request target is not a path that starts with '/'")
    path = resolve_segments(escape_path(path))
    return path, path + mark + escape_query(query)


def escape_path(text: bytes) -> bytes:
    """Escape what has to be escaped in a path, and nothing else, in upper case."""
    return _ODD_IN_PATH.sub(_escape, text)


def escape_query(text: bytes) -> bytes:
    """Escape what may not stand raw in a query. What a client has escaped there, well or not, is its own business."""
    return _ODD_IN_QUERY.sub(_escape_byte, text)


def resolve_segments(path: bytes) -> bytes:
    """Resolve dot segments (RFC 3986 section 5.2.4, but never above the root) and drop empty ones."""
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            if not kept:
                raise refused("The path climbs above the root")
            kept.pop()
        elif segment.startswith((b".;", b"..;")):  # some backends drop what follows ";", and climb then
            raise refused("The path has a dot segment with a parameter")
        elif segment not in (b"", b"."):
            kept.append(segment)
    if kept and segments[-1] in (b"", b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept)


def refused(message: str) -> BadRequest:
    """Make the error for a target that no route may see."""
    return BadRequest(message, reason="bad_target")


def _escape(found: re.Match[bytes]) -> bytes:
    text = found[0]
    if len(text) == 1:
        return _escape_byte(found)
    byte = int(text[1:], 16)
    if byte == 0:
        raise refused("The path has an escaped NUL")
    return bytes((byte,)) if byte in UNRESERVED else text.upper()


def _escape_byte(found: re.Match[bytes]) -> bytes:
    byte = found[0][0]
    if byte <= 0x20 or byte == 0x7F:
        raise refused("The request target has a control character or a space")
    if found[0] == b"#":
        raise refused("The request target has a fragment")  # RFC 9112 section 3.2 knows none
    if found[0] == b"%":
        raise refused("The path has a '%' that two hexadecimal digits do not follow")
    return b"%%%02X" % byte
