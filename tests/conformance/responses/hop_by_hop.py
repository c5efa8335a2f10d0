"""Fields of responses: of one connection (RFC 9110 section 7.6.1), and those that are passed on as they are."""

from tests.conformance.case import ResponseCase, response, told

LENGTH = b"Content-Length: 2"
DATE = b"Date: Tue, 01 Jan 1991 00:00:00 GMT"


def case(
    name: str, lines: tuple[bytes, ...], left: tuple[bytes, ...], why: str, *, drops: bool = False
) -> ResponseCase:
    """Expect that only some of the lines reach the client."""
    sees = told(b"200 OK", *left, LENGTH, body=b"ok", date=DATE not in left)
    return ResponseCase(name, response(b"200 OK", *lines, LENGTH, body=b"ok"), why, sees, keeps_upstream=not drops)


REMOVED = {
    "keep-alive": (b"Keep-Alive: timeout=5",),
    "proxy-connection": (b"Proxy-Connection: keep-alive",),
    "te": (b"TE: trailers",),
    "upgrade": (b"Upgrade: h2c",),
    "upgrade-named": (b"Connection: Upgrade", b"Upgrade: h2c"),
    "proxy-authenticate": (b"Proxy-Authenticate: Basic",),
    "connection-keep-alive": (b"Connection: keep-alive",),
    "named": (b"Connection: X-Foo", b"X-Foo: a"),
    "named-list": (b"Connection: x-foo, X-BAR", b"X-Foo: a", b"X-Bar: b"),
    "named-lines": (b"X-Foo: a", b"Connection: X-Foo", b"Connection: X-Bar", b"X-Bar: b"),
    "named-cookie": (b"Connection: Set-Cookie", b"Set-Cookie: a=b"),
    "request-id": (b"X-Request-ID: theirs",),
    "nosniff": (b"X-Content-Type-Options: theirs",),
}
KEPT = {
    "exact": (b"x-CuStOm:a", b"X-Custom:  b\t ", b"Empty:", b"Latin: \xe4\xff", b"X-Custom: c"),
    "cookies": (b"Set-Cookie: a=b; Path=/", b"Set-Cookie: c=d"),
    "underscore": (b"under_score: x", b"X_Request_ID: y"),
    "date": (DATE,),
    "server": (b"Server: Apache/2.4 (Unix)", b"Via: 1.1 x", b"Age: 3"),
    "www-authenticate": (b"WWW-Authenticate: Basic realm=x",),
    "content": (b"Content-Type: text/plain", b"Content-Encoding: gzip", b'ETag: "x"', b"Vary: *"),
    "trailer": (b"Trailer: X",),
}

CASES = [
    *(case(name, lines, (), "RFC 9110 section 7.6.1") for name, lines in REMOVED.items()),
    *(case("kept-" + name, lines, lines, "RFC 9110 section 7.6: passed on") for name, lines in KEPT.items()),
    case("named-close-too", (b"Connection: X-Foo, close", b"X-Foo: a"), (), "RFC 9112 section 9.6", drops=True),
    case("close-in-capitals", (b"CONNECTION: CLOSE",), (), "RFC 9110 section 7.6.1: case-insensitive", drops=True),
    case("length-not-named-away", (b"Connection: Content-Length",), (), "RFC 9110 section 7.6.1: framing stays"),
    case("date-not-named-away", (b"Connection: Date", DATE), (DATE,), "RFC 9110 section 7.6.1: for the recipient"),
    case(
        "type-not-named-away",
        (b"Connection: Content-Type", b"Content-Type: a/b"),
        (b"Content-Type: a/b",),
        "RFC 9110 section 7.6.1: for the recipient",
    ),
    ResponseCase(
        "coding-not-named-away",
        response(
            b"200 OK", b"Connection: Transfer-Encoding", b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n"
        ),
        "RFC 9110 section 7.6.1: framing stays",
        told(b"200 OK", body=b"ok", trailers=b""),
        keeps_upstream=True,
    ),
    ResponseCase(
        "no-space-no-reason",
        response(b"200", LENGTH, body=b"ok"),
        "RFC 9112 section 4: the space is missing; many send this, and everybody reads it",
        told(b"200", LENGTH, body=b"ok"),
        keeps_upstream=True,
    ),
    ResponseCase(
        "no-reason",
        response(b"200 ", LENGTH, body=b"ok"),
        "RFC 9112 section 4: the phrase may be empty",
        told(b"200 ", LENGTH, body=b"ok"),
        keeps_upstream=True,
    ),
    ResponseCase(
        "odd-reason",
        response(b"200 \xe4ll g\xfct", LENGTH, body=b"ok"),
        "RFC 9112 section 4: obs-text",
        told(b"200 \xe4ll g\xfct", LENGTH, body=b"ok"),
        keeps_upstream=True,
    ),
    *(
        ResponseCase(
            f"status-{status}",
            response(b"%d Odd" % status, LENGTH, body=b"ok"),
            "RFC 9110 section 15: codes are not a closed list",
            told(b"%d Odd" % status, LENGTH, body=b"ok"),
            keeps_upstream=True,
        )
        for status in (201, 206, 299, 302, 399, 404, 418, 429, 500, 502, 503, 599)
    ),
]
