"""Fields of one connection (RFC 9110 section 7.6.1), and what clients may not tell about themselves."""

from tests.conformance.case import RequestCase, request, seen, served

A = seen(b"GET /a")


def removed(name: str, *lines: bytes, why: str, te: bool = False) -> RequestCase:
    """Expect that none of the lines reaches the origin."""
    return served(name, request(b"GET /a", *lines), seen(b"GET /a", te=te), why=why)


def kept(name: str, *lines: bytes, left: tuple[bytes, ...], why: str) -> RequestCase:
    """Expect that only some of the lines reach the origin."""
    return served(name, request(b"GET /a", *lines), seen(b"GET /a", *left), why=why)


ONE_CONNECTION = {
    "keep-alive": b"Keep-Alive: timeout=5",
    "proxy-connection": b"Proxy-Connection: keep-alive",
    "te": b"TE: gzip;q=0.5",
    "te-empty": b"TE:",
    "upgrade": b"Upgrade: foo/2",
    "proxy-authorization": b"Proxy-Authorization: Basic eDp5",
    "keep-alive-in-capitals": b"KEEP-ALIVE: timeout=5",
}
OF_PROXIES = {
    "x-forwarded-for": b"X-Forwarded-For: 127.0.0.1",
    "x-forwarded-for-in-capitals": b"X-FORWARDED-FOR: 127.0.0.1",
    "x-forwarded-proto": b"X-Forwarded-Proto: https",
    "x-forwarded-host": b"X-Forwarded-Host: internal",
    "x-forwarded-port": b"X-Forwarded-Port: 443",
    "forwarded": b"Forwarded: for=127.0.0.1",
    "x-real-ip": b"X-Real-IP: 127.0.0.1",
    "x-kairos-peer": b"X-Kairos-Peer: internal",
    "x-request-id": b"X-Request-ID: mine",
    "two-x-forwarded-for": b"X-Forwarded-For: a\r\nX-Forwarded-For: b",
    "underscore-x-forwarded-for": b"X_Forwarded_For: 127.0.0.1",
    "underscore-mixed": b"X-Forwarded_For: 127.0.0.1",
    "underscore-request-id": b"X_Request_ID: mine",
    "underscore-host": b"HO_ST: internal",
    "underscore-other": b"under_score: x",
    "underscore-alone": b"_: x",
}
NAMED = {
    "one": (b"Connection: X-Foo", b"X-Foo: a"),
    "case": (b"Connection: x-fOO", b"X-Foo: a"),
    "list": (b"Connection: X-Foo, X-Bar", b"X-Foo: a", b"X-Bar: b"),
    "lines": (b"Connection: X-Foo", b"X-Foo: a", b"Connection: X-Bar", b"X-Bar: b"),
    "after": (b"X-Foo: a", b"X-Foo: b", b"Connection: X-Foo"),
    "odd-list": (b"Connection: ,, X-Foo\t,", b"X-Foo: a"),
    "with-keep-alive": (b"Connection: keep-alive, X-Foo", b"X-Foo: a"),
    "cookie": (b"Connection: Cookie", b"Cookie: a=b"),
    "authorization": (b"Connection: Authorization", b"Authorization: Basic eDp5"),
    "via": (b"Connection: Via", b"Via: 1.1 x"),
    "proxy-facts": (
        b"Connection: X-Forwarded-For, X-Request-ID, Forwarded",
        b"X-Forwarded-For: a",
        b"Forwarded: for=a",
    ),
    "nothing-there": (b"Connection: X-Foo",),
    "te": (b"Connection: TE",),
    "empty": (b"Connection:",),
}
NEEDED = {
    "host": (b"Connection: Host",),
    "content-type": (b"Connection: Content-Type", b"Content-Type: text/plain"),
    "date": (b"Connection: Date", b"Date: Tue, 01 Jan 1991 00:00:00 GMT"),
    "all": (b"Connection: host, content-length, content-type, date", b"Content-Type: text/plain"),
}

CASES = [
    *(removed(name, line, why="RFC 9110 section 7.6.1: of one connection") for name, line in ONE_CONNECTION.items()),
    *(
        removed("untrusted-" + name, line, why="RFC 7239 section 8.1: only a trusted peer says this")
        for name, line in OF_PROXIES.items()
    ),
    *(
        removed("named-" + name, *lines, why="RFC 9110 section 7.6.1: Connection names it")
        for name, lines in NAMED.items()
    ),
    *(
        kept("not-named-away-" + name, *lines, left=lines[1:], why="RFC 9110 section 7.6.1: for the recipient")
        for name, lines in NEEDED.items()
    ),
    kept(
        "named-prefix",
        b"Connection: X-Foo",
        b"X-Foo-Bar: a",
        b"X-Fo: b",
        b"X-Foo: c",
        left=(b"X-Foo-Bar: a", b"X-Fo: b"),
        why="RFC 9110 section 7.6.1: whole names only",
    ),
    kept(
        "named-many",
        b"Connection: " + b", ".join(b"x-%d" % number for number in range(50)),
        *(b"X-%d: a" % number for number in range(48, 52)),
        left=(b"X-50: a", b"X-51: a"),
        why="RFC 9110 section 7.6.1",
    ),
    kept(
        "end-to-end",
        b"Accept: */*",
        b"Accept-Encoding: gzip",
        b"Authorization: Basic eDp5",
        b"Cookie: a=b",
        b"Max-Forwards: 3",
        b"Via: 1.1 x",
        b"Range: bytes=0-1",
        left=(
            b"Accept: */*",
            b"Accept-Encoding: gzip",
            b"Authorization: Basic eDp5",
            b"Cookie: a=b",
            b"Max-Forwards: 3",
            b"Via: 1.1 x",
            b"Range: bytes=0-1",
        ),
        why="RFC 9110 section 7.6: everything else is forwarded",
    ),
    removed("te-trailers", b"TE: trailers", b"Connection: TE", te=True, why="RFC 9110 section 10.1.4"),
    removed("te-trailers-alone", b"TE: trailers", te=True, why="RFC 9110 section 10.1.4: written as it should be"),
    removed("te-trailers-and-more", b"TE: gzip;q=0.5, Trailers", te=True, why="RFC 9110 section 10.1.4: only that"),
    removed("te-trailers-lines", b"TE: gzip", b"TE: trailers", te=True, why="RFC 9110 section 5.3: lines of a list"),
    removed("te-no-trailers", b"TE: xtrailers", why="RFC 9110 section 10.1.4: another coding"),
    served(
        "te-trailers-http10",
        b"GET /a HTTP/1.0\r\nTE: trailers\r\n\r\n",
        seen(b"GET /a", host=None),
        closes=True,
        why="RFC 9110 section 10.1.4: HTTP/1.0 has no chunks, so no trailers",
    ),
    served(
        "transfer-encoding",
        request(b"POST /a", b"Transfer-Encoding: chunked", b"X: y") + b"0\r\n\r\n",
        seen(b"POST /a", b"X: y", trailers=b""),
        why="RFC 9112 section 6.1: written anew",
    ),
]
