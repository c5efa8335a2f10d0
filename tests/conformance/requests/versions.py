"""Versions (RFC 9112 section 2.3), and what HTTP/1.0 clients get."""

from tests.conformance.case import GET, OK, refused, response, seen, served, told

LINE = b"GET /a %b\r\nHost: example.com\r\n\r\n"
A = seen(b"GET /a")
WITHOUT_HOST = seen(b"GET /a", host=None)
KEEP = b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
LENGTH = b"Content-Length: 2"

CASES = [
    refused("0.9", b"GET /a\r\n\r\n", why="RFC 1945 section 4.1: HTTP/0.9 is not spoken here"),
    refused("0.9-without-empty-line", b"GET /a\r\n", why="RFC 1945 section 4.1: such a request is whole with its line"),
    refused("0.9-with-fields", b"GET /a\r\nHost: example.com\r\n\r\n", why="RFC 9112 section 3: no version"),
    refused("2.0", LINE % b"HTTP/2.0", 505, why="RFC 9110 section 15.6.6"),
    refused("2.0-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, why="RFC 9113 section 3.4: the preface of HTTP/2"),
    refused("3.0", LINE % b"HTTP/3.0", 505, why="RFC 9110 section 15.6.6"),
    refused("1.2", LINE % b"HTTP/1.2", 505, 400, why="RFC 9110 section 2.5: not known"),
    refused("0.9-by-name", LINE % b"HTTP/0.9", 505, 400, why="RFC 9110 section 15.6.6"),
    refused("9.9", LINE % b"HTTP/9.9", 505, 400, why="RFC 9110 section 15.6.6"),
    refused("lower-case", LINE % b"http/1.1", why="RFC 9112 section 2.3: the name is case-sensitive"),
    refused("no-minor", LINE % b"HTTP/1", why="RFC 9112 section 2.3"),
    refused("no-dot", LINE % b"HTTP/11", why="RFC 9112 section 2.3"),
    refused("two-digits", LINE % b"HTTP/1.10", 400, 505, why="RFC 9112 section 2.3: one digit each"),
    refused("leading-zero", LINE % b"HTTP/01.1", 400, 505, why="RFC 9112 section 2.3: one digit each"),
    refused("signed", LINE % b"HTTP/+1.1", why="RFC 9112 section 2.3"),
    refused("other-protocol", LINE % b"HTTPS/1.1", why="RFC 9112 section 2.3"),
    refused("rtsp", LINE % b"RTSP/1.0", 400, 505, why="RFC 9112 section 2.3: llhttp knows RTSP, we do not"),
    refused("rtsp-method", b"DESCRIBE /a RTSP/1.0\r\nHost: a\r\n\r\n", 400, 505, why="llhttp knows RTSP, we do not"),
    refused("ice", b"SOURCE /a ICE/1.0\r\nHost: a\r\n\r\n", 400, 501, 505, why="llhttp knows ICE, we do not"),
    served(
        "1.0-without-host",
        b"GET /a HTTP/1.0\r\n\r\n",
        WITHOUT_HOST,
        closes=True,
        sees=told(b"200 OK", LENGTH, connection=b"close", body=b"ok"),
        why="RFC 9112 section 9.3: HTTP/1.0 closes by default",
    ),
    served(
        "1.0-with-host", LINE % b"HTTP/1.0", A, closes=True, why="RFC 9112 section 3.2: Host is allowed in HTTP/1.0"
    ),
    served(
        "1.0-keep-alive",
        KEEP,
        WITHOUT_HOST,
        sees=told(b"200 OK", LENGTH, connection=b"keep-alive", body=b"ok"),
        why="RFC 9112 section 9.3: the client has asked for it, and is told",
    ),
    served(
        "1.0-keep-alive-in-capitals",
        KEEP.replace(b"keep-alive", b"Keep-Alive"),
        WITHOUT_HOST,
        sees=told(b"200 OK", LENGTH, connection=b"keep-alive", body=b"ok"),
        why="RFC 9110 section 7.6.1: connection options are case-insensitive",
    ),
    served(
        "1.0-two-keep-alive",
        KEEP + KEEP,
        WITHOUT_HOST,
        WITHOUT_HOST,
        why="RFC 9112 section 9.3: the connection is used again",
    ),
    served(
        "1.0-keep-alive-and-close",
        b"GET /a HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
        WITHOUT_HOST,
        closes=True,
        why="RFC 9112 section 9.3: close wins",
    ),
    served(
        "1.0-what-follows-is-not-read",
        b"GET /a HTTP/1.0\r\n\r\n" + GET,
        WITHOUT_HOST,
        closes=True,
        why="RFC 9112 section 9.6: nothing after the last request is processed",
    ),
    served(
        "1.0-keep-alive-unknown-length",
        KEEP,
        WITHOUT_HOST,
        closes=True,
        answer=response(b"200 OK", b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n"),
        sees=told(b"200 OK", connection=b"close", body=b"ok"),
        why="RFC 9112 section 6.1: no transfer coding for HTTP/1.0, so the end of the connection is the end",
    ),
    served(
        "1.0-no-interim",
        KEEP,
        WITHOUT_HOST,
        answer=b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK,
        sees=told(b"200 OK", LENGTH, connection=b"keep-alive", body=b"ok"),
        why="RFC 9110 section 15.2: no 1xx for HTTP/1.0",
    ),
    served(
        "1.1-close",
        b"GET /a HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n",
        A,
        closes=True,
        sees=told(b"200 OK", LENGTH, connection=b"close", body=b"ok"),
        why="RFC 9112 section 9.6",
    ),
    served(
        "1.1-close-what-follows-is-not-read",
        b"GET /a HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n" + GET,
        A,
        closes=True,
        why="RFC 9112 section 9.6: nothing after the last request is processed",
    ),
    served(
        "1.1-close-in-a-list",
        b"GET /a HTTP/1.1\r\nHost: example.com\r\nConnection: foo,  CLOSE ,bar\r\n\r\n",
        A,
        closes=True,
        why="RFC 9110 section 7.6.1: a list of case-insensitive options",
    ),
    served(
        "1.1-keep-alive",
        b"GET /a HTTP/1.1\r\nHost: example.com\r\nConnection: keep-alive\r\n\r\n",
        A,
        sees=told(b"200 OK", LENGTH, body=b"ok"),
        why="RFC 9112 section 9.3: the default needs no answer",
    ),
]
