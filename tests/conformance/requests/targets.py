"""Request targets (RFC 9112 section 3.2): the four forms, and the one spelling that is forwarded."""

from tests.conformance.case import HOST, RequestCase, refused, request, seen, served

ALLOWED = b"Allow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE"

# What a client may write, and what is matched and forwarded: the same for all policies (RFC 3986 section 6.2.2).
SPELLINGS = {
    "root": (b"/", b"/"),
    "query": (b"/a?b=c&d", b"/a?b=c&d"),
    "empty-query": (b"/a?", b"/a?"),
    "query-is-kept": (b"/a?x=%61&y=/../&z=%zz", b"/a?x=%61&y=/../&z=%zz"),
    "trailing-slash": (b"/a/", b"/a/"),
    "unreserved-is-decoded": (b"/%61%2D%7e", b"/a-~"),
    "slash-stays-encoded": (b"/a%2fb", b"/a%2Fb"),
    "twice-encoded-stays": (b"/a%252fb", b"/a%252fb"),
    "crlf-stays-encoded": (b"/a%0d%0aX:%20y", b"/a%0D%0AX:%20y"),
    "dot-segment": (b"/a/./b", b"/a/b"),
    "dot-dot-segment": (b"/a/../b", b"/b"),
    "encoded-dots": (b"/a/%2e%2E/b", b"/b"),
    "empty-segments": (b"//a///b", b"/a/b"),
    "no-authority": (b"//evil.example/a", b"/evil.example/a"),
    "parameters": (b"/a;b=c,d", b"/a;b=c,d"),
    "sub-delims": (b"/a!$&'()*+,;=:@", b"/a!$&'()*+,;=:@"),
    "backslash-is-encoded": (b"/a\\b", b"/a%5Cb"),
}
ABSOLUTE = {
    "path": (b"http://other.example/a?b", b"/a?b", b"other.example"),
    "no-path": (b"http://other.example", b"/", b"other.example"),
    "only-query": (b"http://other.example?b", b"/?b", b"other.example"),
    "port": (b"http://other.example:81/a", b"/a", b"other.example:81"),
    "https": (b"https://other.example/a", b"/a", b"other.example"),
    "capitals": (b"HTTP://other.example/a", b"/a", b"other.example"),
    "ipv6": (b"http://[2001:db8::1]/a", b"/a", b"[2001:db8::1]"),
    "url-in-query": (b"http://other.example/a?u=http://evil.example/", b"/a?u=http://evil.example/", b"other.example"),
}
BAD = {
    "climbs": b"/../a",
    "climbs-encoded": b"/%2e%2e/a",
    "climbs-from-below": b"/a/../../b",
    "nul": b"/a%00b",
    "broken-escape": b"/a%zz",
    "cut-escape": b"/a%4",
    "fragment": b"/a#b",
    "fragment-in-query": b"/a?b#c",
    "asterisk": b"*",
    "asterisk-and-path": b"*/a",
    "no-slash": b"a",
    "query-only": b"?a",
    "authority-form": b"example.com:80",
    "ftp": b"ftp://example.com/a",
    "file": b"file:///etc/passwd",
    "no-authority": b"http:///a",
    "nothing-after-scheme": b"http://",
    "userinfo": b"http://user:pass@example.com/a",
    "one-slash": b"http:/example.com/a",
    "bad-port": b"http://example.com:x/a",
    "space-encoded-in-authority": b"http://exa mple.com/a",
}

CASES = [
    *(
        served(name, request(b"GET " + sent), seen(b"GET " + forwarded), why="RFC 3986 section 6.2.2")
        for name, (sent, forwarded) in SPELLINGS.items()
    ),
    *(
        served(
            "absolute-" + name,
            request(b"GET " + sent),
            seen(b"GET " + forwarded, host=host),
            why="RFC 9112 section 3.2.2: the authority replaces Host",
        )
        for name, (sent, forwarded, host) in ABSOLUTE.items()
    ),
    *(refused("bad-" + name, request(b"GET " + sent), why="RFC 9112 section 3.2") for name, sent in BAD.items()),
    served(
        "absolute-http10",
        b"GET http://other.example/a HTTP/1.0\r\n\r\n",
        seen(b"GET /a", host=b"other.example"),
        closes=True,
        why="RFC 9112 section 3.2.2: servers must take it",
    ),
    refused(
        "absolute-without-host",
        b"GET http://other.example/a HTTP/1.1\r\n\r\n",
        why="RFC 9112 section 3.2: Host is needed all the same",
    ),
    refused(
        "absolute-with-bad-host",
        request(b"GET http://other.example/a", host=b"a b"),
        why="RFC 9112 section 3.2: Host must be valid all the same",
    ),
    refused(
        "absolute-with-two-hosts",
        request(b"GET http://other.example/a", b"Host: b", host=HOST),
        why="RFC 9112 section 3.2",
    ),
    RequestCase(
        "options-asterisk",
        request(b"OPTIONS *"),
        "RFC 9110 section 9.3.7: it asks about the gateway",
        (200,),
        sees=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: *\r\nX-Content-Type-Options: nosniff\r\n"
        b"X-Request-ID: *\r\n" + ALLOWED + b"\r\n\r\n",
    ),
    served(
        "options-path",
        request(b"OPTIONS /a"),
        seen(b"OPTIONS /a"),
        why="RFC 9110 section 9.3.7: it asks about a resource",
    ),
    refused("head-asterisk", request(b"HEAD *"), why="RFC 9112 section 3.2.4: for OPTIONS only"),
    refused("post-asterisk", request(b"POST *", b"Content-Length: 0"), why="RFC 9112 section 3.2.4"),
]
