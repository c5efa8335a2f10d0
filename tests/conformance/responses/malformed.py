"""Answers that nobody may pass on (RFC 9112 sections 4, 5 and 6): 502, and the connection to the origin is dropped."""

from tests.conformance.case import OK, ResponseCase

HEAD_BYTES = 32 << 10

LINES = {
    "no-http": b"hello\r\n\r\n",
    "empty-line": b"\r\n\r\n",
    "crlf-before": b"\r\n" + OK,
    "version-2": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "version-0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "version-1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
    "version-lower-case": b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "version-no-minor": b"HTTP/1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "icy": b"ICY 200 OK\r\nContent-Length: 0\r\n\r\n",
    "rtsp": b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no-status": b"HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "status-is-a-word": b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
    "status-two-digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "status-four-digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "status-signed": b"HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n",
    "status-begins-with-0": b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
    "status-000": b"HTTP/1.1 000 None\r\nContent-Length: 0\r\n\r\n",
    "two-spaces": b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
    "tab": b"HTTP/1.1\t200 OK\r\nContent-Length: 0\r\n\r\n",
    "reason-with-lf": b"HTTP/1.1 200 O\nK\r\nContent-Length: 0\r\n\r\n",
    "reason-with-cr": b"HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n",
    "reason-with-nul": b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n",
    "reason-with-control": b"HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n",
    "reason-with-escape": b"HTTP/1.1 200 O\x1bK\r\nContent-Length: 0\r\n\r\n",
    "reason-with-del": b"HTTP/1.1 200 O\x7fK\r\nContent-Length: 0\r\n\r\n",
    "bare-lf-after-line": b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "fold-after-line": b"HTTP/1.1 200 OK\r\n Content-Length: 0\r\n\r\n",
    "a-request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
}
FIELDS = {
    "bare-lf": b"X: a\nY: b\r\nContent-Length: 0\r\n",
    "bare-cr": b"X: a\rY: b\r\nContent-Length: 0\r\n",
    "nul-in-value": b"X: a\0b\r\nContent-Length: 0\r\n",
    "nul-in-name": b"X\0: a\r\nContent-Length: 0\r\n",
    "control-in-value": b"X: a\x01b\r\nContent-Length: 0\r\n",
    "del-in-value": b"X: a\x7fb\r\nContent-Length: 0\r\n",
    "obs-fold": b"X: a\r\n b\r\nContent-Length: 0\r\n",
    "obs-fold-tab": b"X: a\r\n\tb\r\nContent-Length: 0\r\n",
    "space-before-colon": b"X : a\r\nContent-Length: 0\r\n",
    "space-in-name": b"X Y: a\r\nContent-Length: 0\r\n",
    "no-colon": b"Xa\r\nContent-Length: 0\r\n",
    "empty-name": b": a\r\nContent-Length: 0\r\n",
    "cl-and-te": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
    "te-and-cl": b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
    "lengths-differ": b"Content-Length: 0\r\nContent-Length: 2\r\n",
    "lengths-equal": b"Content-Length: 0\r\nContent-Length: 0\r\n",
    "length-list-equal": b"Content-Length: 0, 0\r\n",
    "length-list-differs": b"Content-Length: 0, 2\r\n",
    "length-empty": b"Content-Length:\r\n",
    "length-minus": b"Content-Length: -1\r\n",
    "length-plus": b"Content-Length: +0\r\n",
    "length-hex": b"Content-Length: 0x0\r\n",
    "length-word": b"Content-Length: none\r\n",
    "length-overlong": b"Content-Length: 99999999999999999999999\r\n",
    "te-gzip": b"Transfer-Encoding: gzip\r\n",
    "te-gzip-chunked": b"Transfer-Encoding: gzip, chunked\r\n",
    "te-chunked-gzip": b"Transfer-Encoding: chunked, gzip\r\n",
    "te-chunked-twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "te-identity": b"Transfer-Encoding: identity\r\n",
    "te-empty": b"Transfer-Encoding:\r\n",
    "te-word": b"Transfer-Encoding: xchunked\r\n",
    "te-space-before-colon": b"Transfer-Encoding : chunked\r\n",
    "te-vt": b"Transfer-Encoding: \x0bchunked\r\n",
}

CASES = [
    *(ResponseCase(name, raw, "RFC 9112 section 4: no status line") for name, raw in LINES.items()),
    *(
        ResponseCase("field-" + name, b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n", "RFC 9112 sections 5 and 6.3")
        for name, lines in FIELDS.items()
    ),
    ResponseCase(
        "head-too-large", b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_BYTES + b"\r\n\r\n", "RFC 9110 section 17.5"
    ),
    ResponseCase("head-without-end", b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_BYTES, "RFC 9110 section 17.5"),
    ResponseCase("fields-without-end", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 7000, "RFC 9110 section 17.5"),
    ResponseCase(
        "head-cut", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", "RFC 9112 section 8: no whole head", ends=True
    ),
    ResponseCase("line-cut", b"HTTP/1.1 20", "RFC 9112 section 8: no whole head", ends=True),
    ResponseCase("malformed-then-good", b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n" + OK, "RFC 9112 section 5.1"),
    ResponseCase(
        "malformed-to-http10",
        b"hello\r\n\r\n",
        "RFC 9112 section 4",
        request=b"GET /a HTTP/1.0\r\n\r\n",
        keeps_client=False,
    ),
    ResponseCase(
        "malformed-to-post",
        b"hello\r\n\r\n",
        "RFC 9112 section 4",
        request=b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
    ),
    ResponseCase("bare-lf-everywhere", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "RFC 9112 section 2.2", ends=True),
]
