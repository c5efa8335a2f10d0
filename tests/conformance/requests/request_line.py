"""The request line (RFC 9112 section 3) and what stands before it."""

from tests.conformance.case import GET, refused, request, seen, served, waiting

A = seen(b"GET /a")

CASES = [
    served("plain", GET, A, why="RFC 9112 section 3: the usual request"),
    served("one-crlf-before", b"\r\n" + GET, A, why="RFC 9112 section 2.2: an empty line before a request is ignored"),
    served("some-crlf-before", b"\r\n" * 4 + GET, A, why="RFC 9112 section 2.2: empty lines are ignored"),
    served("crlf-between", GET + b"\r\n" + GET, A, A, why="RFC 9112 section 2.2: also between requests"),
    served("two-pipelined", GET + GET, A, A, why="RFC 9112 section 9.3.2: pipelining"),
    served(
        "three-pipelined-differ",
        request(b"GET /1") + request(b"HEAD /2") + request(b"DELETE /3"),
        seen(b"GET /1"),
        seen(b"HEAD /2"),
        seen(b"DELETE /3"),
        answer=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        why="RFC 9112 section 9.3.2: answers come in the order of the requests",
    ),
    refused(
        "very-many-crlf-before",
        b"\r\n" * 40_000 + b"GET /a HTTP/1.1\r\n\r\n",
        400,
        431,
        why="RFC 9112 section 2.2: ignored, but the request below is refused all the same (it has no Host)",
    ),
    waiting("only-crlf", b"\r\n\r\n", why="RFC 9112 section 2.2: no request yet"),
    waiting("head-without-end", b"GET /a HTTP/1.1\r\nHost: example.com\r\n", why="the head may go on"),
    waiting("half-a-line", b"GET /a HT", why="the line may go on"),
    refused("bare-lf-after-line", b"GET /a HTTP/1.1\nHost: example.com\r\n\r\n", why="RFC 9112 section 2.2"),
    refused("bare-lf-everywhere", b"GET /a HTTP/1.1\nHost: example.com\n\n", why="RFC 9112 section 2.2"),
    refused("bare-lf-then-crlf", b"GET /a HTTP/1.1\nHost: example.com\n\n\r\n\r\n", why="RFC 9112 section 2.2"),
    refused("bare-cr-after-line", b"GET /a HTTP/1.1\rHost: example.com\r\n\r\n", why="RFC 9112 section 2.2"),
    refused("cr-cr-lf", b"GET /a HTTP/1.1\r\r\nHost: example.com\r\n\r\n", why="RFC 9112 section 2.2"),
    refused("two-spaces-before-target", b"GET  /a HTTP/1.1\r\nHost: a\r\n\r\n", why="RFC 9112 section 3: one SP"),
    refused("two-spaces-after-target", b"GET /a  HTTP/1.1\r\nHost: a\r\n\r\n", why="RFC 9112 section 3: one SP"),
    refused("space-at-end", b"GET /a HTTP/1.1 \r\nHost: a\r\n\r\n", why="RFC 9112 section 3: no SP at the end"),
    refused("space-at-start", b" GET /a HTTP/1.1\r\nHost: a\r\n\r\n", 400, 501, why="RFC 9112 section 3"),
    refused(
        "tab-before-target", b"GET\t/a HTTP/1.1\r\nHost: a\r\n\r\n", 400, 501, why="RFC 9112 section 3: SP, no HTAB"
    ),
    refused("tab-after-target", b"GET /a\tHTTP/1.1\r\nHost: a\r\n\r\n", why="RFC 9112 section 3: SP, no HTAB"),
    refused("vt-in-line", b"GET /a\x0bHTTP/1.1\r\nHost: a\r\n\r\n", why="RFC 9112 section 3: SP, no VT"),
    refused(
        "space-in-target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", why="RFC 9112 section 3.2: no white space inside"
    ),
    refused("no-target", b"GET HTTP/1.1\r\nHost: a\r\n\r\n", why="RFC 9112 section 3: a target is needed"),
    refused("no-method", b"/a HTTP/1.1\r\nHost: a\r\n\r\n", 400, 501, why="RFC 9112 section 3: a method is needed"),
    refused("nul-in-target", b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", why="RFC 9112 section 3.2"),
    refused(
        "del-in-target", b"GET /a\x7fb HTTP/1.1\r\nHost: a\r\n\r\n", why="RFC 3986 section 2: no control characters"
    ),
    refused("raw-utf8-in-target", b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", why="RFC 3986 section 2: ASCII only"),
    refused("tls-hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, 501, why="no HTTP at all"),
    refused("socks", b"\x05\x01\x00\r\n\r\n", 400, 501, why="no HTTP at all"),
    refused("a-response", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400, 501, why="no request"),
]
