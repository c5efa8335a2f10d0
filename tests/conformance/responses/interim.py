"""Interim answers (RFC 9110 section 15.2)."""

from tests.conformance.case import GET_10, OK, ResponseCase, told

SEEN = told(b"200 OK", b"Content-Length: 2", body=b"ok")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

CASES = [
    ResponseCase("continue", CONTINUE + OK, "forwarded", CONTINUE + SEEN, keeps_upstream=True),
    ResponseCase("processing", PROCESSING + OK, "forwarded", PROCESSING + SEEN, keeps_upstream=True),
    ResponseCase("hints", HINTS + OK, "forwarded with its fields", HINTS + SEEN, keeps_upstream=True),
    ResponseCase(
        "several",
        CONTINUE + HINTS + HINTS + PROCESSING + OK,
        "forwarded, in order",
        CONTINUE + HINTS + HINTS + PROCESSING + SEEN,
        keeps_upstream=True,
    ),
    ResponseCase(
        "unknown",
        b"HTTP/1.1 199 Odd\r\nX: y\r\n\r\n" + OK,
        "RFC 9110 section 15: any 1xx is one",
        b"HTTP/1.1 199 Odd\r\nX: y\r\n\r\n" + SEEN,
        keeps_upstream=True,
    ),
    ResponseCase(
        "hop-by-hop",
        b"HTTP/1.1 103 Early Hints\r\nConnection: X-Hop\r\nX-Hop: a\r\nLink: x\r\n\r\n" + OK,
        "RFC 9110 section 7.6.1: in interim answers too",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + SEEN,
        keeps_upstream=True,
    ),
    ResponseCase(
        "with-length",
        b"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\n" + OK,
        "RFC 9110 section 8.6: no Content-Length in 1xx",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + SEEN,
        keeps_upstream=True,
    ),
    ResponseCase(
        "http10-origin",
        b"HTTP/1.0 100 Continue\r\n\r\n" + OK,
        "the version is ours",
        CONTINUE + SEEN,
        keeps_upstream=True,
    ),
    ResponseCase(
        "to-http10",
        CONTINUE + HINTS + OK,
        "RFC 9110 section 15.2: not to HTTP/1.0",
        told(b"200 OK", b"Content-Length: 2", connection=b"close", body=b"ok"),
        request=GET_10,
        keeps_client=False,
        keeps_upstream=True,
    ),
    ResponseCase(
        "with-body",
        CONTINUE[:-2] + b"Content-Length: 4\r\n\r\nbody" + OK,
        "RFC 9110 section 15.2: it ends with its head; what follows is no answer",
        interims=CONTINUE,
    ),
    ResponseCase("switching", SWITCHING, "RFC 9110 section 15.2.2: nobody asked for it"),
    ResponseCase("switching-then-answer", SWITCHING + OK, "RFC 9110 section 15.2.2: nobody asked for it"),
    ResponseCase("switching-after-continue", CONTINUE + SWITCHING, "RFC 9110 section 15.2.2", interims=CONTINUE),
    ResponseCase(
        "switching-to-upgrade",
        SWITCHING,
        "RFC 9110 section 7.8: the Upgrade was not passed on",
        request=b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ),
    ResponseCase("many", PROCESSING * 40 + OK, "time is the bound", PROCESSING * 40 + SEEN, keeps_upstream=True),
    ResponseCase("only", CONTINUE, "RFC 9112 section 8: the answer is missing", ends=True, interims=CONTINUE),
    ResponseCase("then-malformed", HINTS + b"hello\r\n\r\n", "RFC 9112 section 4", interims=HINTS),
    ResponseCase("after-the-answer", OK + CONTINUE, "RFC 9112 section 11.1: it must answer nobody", SEEN),
]
