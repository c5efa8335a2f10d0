"""Which header fields the gateway reads, and which it never passes on."""

from kairos._speedups import FieldSet

# RFC 9110 section 7.6.1: fields that speak of one connection only.
HOP_BY_HOP = (b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade")

# What decides how a request is framed and where it goes.
REQUEST_FACTS = FieldSet((b"host", b"content-length", b"transfer-encoding", b"connection"))

# What decides how a response is framed and whether its connection can be used again.
RESPONSE_FACTS = FieldSet((b"content-length", b"transfer-encoding", b"connection", b"date"))

# Fields of a request that the gateway writes itself, so that a client cannot.
WRITTEN_FOR_BACKENDS = (
    b"host",
    b"forwarded",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-proto",
    b"x-kairos-peer",
    b"x-real-ip",
    b"x-request-id",
)

# Fields of a response that the gateway writes itself.
WRITTEN_FOR_CLIENTS = (b"x-content-type-options", b"x-request-id")

DROPPED_FROM_REQUESTS = (*HOP_BY_HOP, *WRITTEN_FOR_BACKENDS, b"proxy-authorization")
DROPPED_FROM_RESPONSES = (*HOP_BY_HOP, *WRITTEN_FOR_CLIENTS, b"proxy-authenticate")

# Backends that fold "-" and "_" together (CGI, WSGI) would take X_Forwarded_For for X-Forwarded-For: drop underscores.
REQUEST_COPY = FieldSet(DROPPED_FROM_REQUESTS, drops_underscores=True)
RESPONSE_COPY = FieldSet(DROPPED_FROM_RESPONSES)

# RFC 9110 section 8.6: 1xx and 204 have no Content-Length, and who believed one would wait for a body.
BODILESS_COPY = FieldSet((*DROPPED_FROM_RESPONSES, b"content-length"))

# Framing is decided before the copy: a client that names these in Connection cannot take them away.
_KEPT = frozenset((b"close", b"keep-alive", b"content-length", b"content-type", b"date", b""))


def tokens(value: bytes) -> list[bytes]:
    """Split a list-valued field into its lower-case members (RFC 9110 section 5.6.1)."""
    return [token.strip(b" \t") for token in value.lower().split(b",")]


def copy_for(raw: bytes, connection: bytes | None, usual: FieldSet) -> FieldSet:
    """Return the set to copy the head `raw` with: `usual`, and what Connection names (RFC 9110 section 7.6.1)."""
    if connection is None or connection.lower() in _KEPT:
        return usual
    named = {name for name in tokens(connection) if name not in _KEPT and name not in usual.names}
    if named:  # only what is there counts, so that thousands of names cost no more than a head has fields
        named &= {line.partition(b":")[0].lower() for line in raw.split(b"\r\n")}
    return FieldSet((*usual.names, *named), usual is REQUEST_COPY) if named else usual
