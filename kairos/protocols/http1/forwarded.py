"""What backends are told about the client: X-Forwarded-For and its like, Forwarded (RFC 7239), and Via."""

import re

# RFC 9110 section 5.6.2, and a bound: whoever sends an id gets it back, and finds it in the logs.
_REQUEST_ID = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z:/=@-]{1,128}")


def told_lines(chain: bytes, scheme: bytes, host: bytes) -> bytes:
    """Return the X-Forwarded fields; `chain` is the list of addresses, the last being our peer's, if it has one."""
    host_line = b"X-Forwarded-Host: %b\r\n" % host if host else b""
    chain_line = b"X-Forwarded-For: %b\r\n" % chain if chain else b""
    return b"%bX-Forwarded-Proto: %b\r\n%b" % (chain_line, scheme, host_line)


def told_host(lines: bytes) -> bytes:
    """Return the host that such lines tell a backend; empty if they tell none."""
    _, _, rest = lines.partition(b"\r\nX-Forwarded-Host: ")  # it is never the first line
    return rest.partition(b"\r\n")[0]


def tells_https(lines: bytes) -> bool:
    """Say whether such lines tell that the client speaks TLS, to us or to a proxy that is trusted."""
    return b"\r\nX-Forwarded-Proto: https\r\n" in lines or lines.startswith(b"X-Forwarded-Proto: https\r\n")


def forwarded_line(earlier: bytes | None, peer: str, scheme: bytes, host: bytes) -> bytes:
    """Return the Forwarded field: what is there already, and our element (RFC 7239 section 4)."""
    node = f'"[{peer}]"' if ":" in peer else peer or "unknown"  # section 6: IPv6 is quoted and in brackets
    element = b"for=%b;proto=%b" % (node.encode(), scheme)
    if host:
        element += b';host="%b"' % host
    return b"Forwarded: %b%b\r\n" % (earlier + b", " if earlier else b"", element)


def via_line(pseudonym: str | None) -> bytes:
    """Return the Via field that we add (RFC 9110 section 7.6.3), or nothing."""
    return b"" if pseudonym is None else b"Via: 1.1 %b\r\n" % pseudonym.encode()


def acceptable_request_id(value: bytes | None) -> bytes | None:
    """Return the id that a trusted peer has given a request, if it can be passed on."""
    return value if value is not None and _REQUEST_ID.fullmatch(value) else None
