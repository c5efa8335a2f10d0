"""Expect (RFC 9110 section 10.1.1)."""

from tests.conformance.case import OK, refused, request, seen, served, told, waiting

POST = request(b"POST /a", b"Expect: 100-continue", b"Content-Length: 4")
SEEN = seen(b"POST /a", b"Expect: 100-continue", b"Content-Length: 4", body=b"body")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
ANSWER = told(b"200 OK", b"Content-Length: 2", body=b"ok")
NO_HOST = b"POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody"

CASES = [
    served(
        "continue", POST + b"body", SEEN, answer=CONTINUE + OK, sees=CONTINUE + ANSWER, why="the origin's goes through"
    ),
    served("no-continue", POST + b"body", SEEN, sees=ANSWER, why="the gateway never invents one while it streams"),
    served(
        "in-capitals",
        POST.replace(b"100-c", b"100-C") + b"body",
        SEEN.replace(b"100-c", b"100-C"),
        sees=ANSWER,
        why="RFC 9110 section 10.1.1: case-insensitive",
    ),
    served(
        "chunked",
        request(b"POST /a", b"Expect: 100-continue", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
        seen(b"POST /a", b"Expect: 100-continue", trailers=b""),
        answer=CONTINUE + OK,
        sees=CONTINUE + ANSWER,
        why="the origin's goes through",
    ),
    served(
        "without-body",
        request(b"GET /a", b"Expect: 100-continue"),
        seen(b"GET /a", b"Expect: 100-continue"),
        sees=ANSWER,
        why="there is nothing to wait for",
    ),
    served(
        "http10",
        NO_HOST,
        seen(b"POST /a", b"Expect: 100-continue", b"Content-Length: 4", host=None, body=b"body"),
        answer=CONTINUE + OK,
        sees=told(b"200 OK", b"Content-Length: 2", connection=b"close", body=b"ok"),
        closes=True,
        why="RFC 9110 section 10.1.1: HTTP/1.0 clients get no 100",
    ),
    waiting("before-the-body", POST, why="the client waits for the origin's word, not ours"),
    refused(
        "other",
        request(b"POST /a", b"Expect: 200-ok", b"Content-Length: 4") + b"body",
        417,
        why="RFC 9110 section 10.1.1: an expectation that cannot be met",
    ),
    refused("other-without-body", request(b"GET /a", b"Expect: magic"), 417, why="RFC 9110 section 10.1.1"),
    refused("empty", request(b"GET /a", b"Expect:"), 417, 400, why="RFC 9110 section 10.1.1: nothing that we know"),
    refused(
        "list",
        request(b"POST /a", b"Expect: 100-continue, magic", b"Content-Length: 4") + b"body",
        417,
        why="RFC 9110 section 10.1.1: one of them cannot be met",
    ),
    refused(
        "lines",
        request(b"POST /a", b"Expect: 100-continue", b"Expect: magic", b"Content-Length: 4") + b"body",
        417,
        why="RFC 9110 section 10.1.1: one of them cannot be met",
    ),
]
