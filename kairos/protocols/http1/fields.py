"""Which header fields the gateway reads, and which it never passes on."""

from kairos._speedups import FieldSet as Fields  # the name of the compiled one is taken by the .pxd

# RFC 9110 section 7.6.1: fields that speak of one connection only.
HOP_BY_HOP = (b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade")

# What decides how a request is framed and where it goes.
REQUEST_FACTS = Fields((b"host", b"content-length", b"transfer-encoding", b"connection", b"te", b"expect"))

# What a proxy before us says about the client. Believed only if the proxy is trusted.
FORWARDED_FACTS = Fields((b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded"))
REQUEST_ID = Fields((b"x-request-id",))
COOKIES = Fields((b"cookie",))

# What decides how a response is framed, whether its connection can be used again, and whether it may be silent.
RESPONSE_FACTS = Fields((b"content-length", b"transfer-encoding", b"connection", b"date", b"content-type"))

CONTENT_CODING = Fields((b"content-encoding",))

# What a backend says of its connection: of interest once for each.
KEEP_ALIVE = Fields((b"keep-alive",))

# Fields of a request that the gateway writes itself, so that a client cannot.
WRITTEN_FOR_BACKENDS = (
    b"host",
    b"forwarded",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-kairos-peer",
    b"x-request-id",
)

# Fields about the client that are taken from trusted peers only. Those about its certificate the gateway writes itself
# where it has asked for one, and then takes them from nobody.
TOLD_BY_PROXIES = (
    b"x-client-cert-fingerprint",
    b"x-client-cert-issuer",
    b"x-client-cert-serial",
    b"x-client-cert-subject",
    b"x-client-cert-verified",
    b"x-forwarded-port",
    b"x-real-ip",
)

# Fields of a response that the gateway writes itself.
WRITTEN_FOR_CLIENTS = (b"x-content-type-options", b"x-request-id")

# What a backend tells the next proxy, which is the gateway, in nginx's words: not to hold an answer back.
TOLD_TO_PROXIES = (b"x-accel-buffering",)

DROPPED_FROM_REQUESTS = (*HOP_BY_HOP, *WRITTEN_FOR_BACKENDS, b"proxy-authorization")
DROPPED_FROM_RESPONSES = (*HOP_BY_HOP, *WRITTEN_FOR_CLIENTS, *TOLD_TO_PROXIES, b"proxy-authenticate")

# RFC 9110 section 6.5.1: what must be known before the body, or decides about it, is no trailer. Backends merge
# trailers into the header, so what a client may not say in one it may not say in the other.
NO_TRAILERS = frozenset(
    (
        *HOP_BY_HOP,
        *WRITTEN_FOR_BACKENDS,
        *WRITTEN_FOR_CLIENTS,
        *TOLD_BY_PROXIES,
        b"age", b"authorization", b"cache-control", b"content-encoding", b"content-length", b"content-range",
        b"content-type", b"cookie", b"date", b"expect", b"expires", b"if-match", b"if-modified-since", b"if-none-match",
        b"if-range", b"if-unmodified-since", b"location", b"max-forwards", b"pragma", b"proxy-authenticate",
        b"proxy-authorization", b"range", b"retry-after", b"set-cookie", b"trailer", b"vary", b"via", b"warning",
        b"www-authenticate",
    )
)  # fmt: skip

# Framing is decided before the copy: a client that names these in Connection cannot take them away.
_KEPT = frozenset((b"close", b"keep-alive", b"content-length", b"content-type", b"date", b"host", b""))


class Copies:
    """The fields that a route leaves out when it copies heads: of requests, of those of trusted peers, of responses.

    `bodiless` is for responses without Content-Length: 1xx and 204 have none (RFC 9110 section 8.6), and who believed
    one would wait for a body.
    """

    __slots__ = ("bodiless", "request", "response", "trusted_request")

    def __init__(self, for_backends: tuple[bytes, ...] = (), for_clients: tuple[bytes, ...] = ()) -> None:
        """Leave out these names too, which the gateway writes itself: in lower case."""
        requests = (*DROPPED_FROM_REQUESTS, *for_backends)
        responses = (*DROPPED_FROM_RESPONSES, *for_clients)
        # Backends that fold "-" and "_" together (CGI, WSGI) would take X_Forwarded_For for X-Forwarded-For.
        self.request = Fields((*requests, *TOLD_BY_PROXIES), drops_underscores=True)
        self.trusted_request = Fields(requests, drops_underscores=True)
        self.response = Fields(responses)
        self.bodiless = Fields((*responses, b"content-length"))


USUAL_COPIES = Copies()


def field(name: str) -> Fields:
    """Return the set to look one field up with."""
    return Fields((name.lower().encode(),))


def tokens(value: bytes) -> list[bytes]:
    """Split a list-valued field into its lower-case members (RFC 9110 section 5.6.1)."""
    return [token.strip(b" \t") for token in value.lower().split(b",")]


def copy_for(raw: bytes, connection: bytes | None, usual: Fields) -> Fields:
    """Return the set to copy the head `raw` with: `usual`, and what Connection names (RFC 9110 section 7.6.1)."""
    if connection is None or connection == b"keep-alive" or connection.lower() in _KEPT:
        return usual
    named = {name for name in tokens(connection) if name not in _KEPT and name not in usual.names}
    if named:  # only what is there counts, so that thousands of names cost no more than a head has fields
        named &= {line.partition(b":")[0].lower() for line in raw.split(b"\r\n")}
    return Fields((*usual.names, *named), usual.drops_underscores) if named else usual


def trailer_section(
    fields: list[tuple[bytes, bytes]], connection: bytes | None, *, drops_underscores: bool
) -> bytes:
    """Return the lines of those trailer fields that may be passed on; `connection` names more that may not."""
    dropped = NO_TRAILERS.union(tokens(connection or b""))
    kept = []
    for name, value in fields:
        if name.lower() not in dropped and not (drops_underscores and b"_" in name):
            kept.append(b"%b: %b\r\n" % (name, value))
    return b"".join(kept)
