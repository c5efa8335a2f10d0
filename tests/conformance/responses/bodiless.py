"""Answers without a body, whatever their fields say (RFC 9112 section 6.3)."""

from tests.conformance.case import HEAD, OK, ResponseCase, response, told

HEAD_10 = b"HEAD /a HTTP/1.0\r\n\r\n"
WHY = "RFC 9112 section 6.3: no body"
MORE = "RFC 9112 section 11.1: what follows must answer nobody"
NOT_MODIFIED = response(b"304 Not Modified", b"ETag: x", b"Content-Length: 5")
NOT_MODIFIED_SEEN = told(b"304 Not Modified", b"ETag: x", b"Content-Length: 5")

CASES = [
    ResponseCase("204", response(b"204 No Content"), WHY, told(b"204 No Content"), keeps_upstream=True),
    ResponseCase(
        "204-length",
        response(b"204 No Content", b"Content-Length: 5"),
        "RFC 9110 section 8.6: no Content-Length with 204",
        told(b"204 No Content"),
        keeps_upstream=True,
    ),
    ResponseCase(
        "204-length-zero",
        response(b"204 No Content", b"Content-Length: 0"),
        "RFC 9110 section 8.6",
        told(b"204 No Content"),
        keeps_upstream=True,
    ),
    ResponseCase(
        "204-chunked",
        response(b"204 No Content", b"Transfer-Encoding: chunked"),
        "RFC 9112 section 6.1",
        told(b"204 No Content"),
        keeps_upstream=True,
    ),
    ResponseCase(
        "204-and-body", response(b"204 No Content", b"Content-Length: 4", body=b"body"), MORE, told(b"204 No Content")
    ),
    ResponseCase("204-and-answer", response(b"204 No Content") + OK, MORE, told(b"204 No Content")),
    ResponseCase(
        "204-and-chunks",
        response(b"204 No Content", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        MORE,
        told(b"204 No Content"),
    ),
    ResponseCase(
        "304",
        response(b"304 Not Modified", b"ETag: x"),
        WHY,
        told(b"304 Not Modified", b"ETag: x"),
        keeps_upstream=True,
    ),
    ResponseCase(
        "304-length",
        NOT_MODIFIED,
        "RFC 9110 section 8.6: it tells the length of the other answer",
        NOT_MODIFIED_SEEN,
        keeps_upstream=True,
    ),
    ResponseCase(
        "304-chunked",
        response(b"304 Not Modified", b"Transfer-Encoding: chunked"),
        WHY,
        told(b"304 Not Modified"),
        keeps_upstream=True,
    ),
    ResponseCase("304-and-body", NOT_MODIFIED + b"hello", MORE, NOT_MODIFIED_SEEN),
    ResponseCase("304-and-answer", NOT_MODIFIED + OK, MORE, NOT_MODIFIED_SEEN),
    ResponseCase(
        "304-close", response(b"304 Not Modified", b"Connection: close"), WHY, told(b"304 Not Modified"), ends=True
    ),
    ResponseCase(
        "head",
        response(b"200 OK", b"Content-Length: 5"),
        "RFC 9110 section 9.3.2: Content-Length stays",
        told(b"200 OK", b"Content-Length: 5"),
        request=HEAD,
        keeps_upstream=True,
    ),
    ResponseCase("head-no-length", response(b"200 OK"), WHY, told(b"200 OK"), request=HEAD, keeps_upstream=True),
    ResponseCase(
        "head-chunked",
        response(b"200 OK", b"Transfer-Encoding: chunked"),
        WHY,
        told(b"200 OK"),
        request=HEAD,
        keeps_upstream=True,
    ),
    ResponseCase(
        "head-and-body",
        response(b"200 OK", b"Content-Length: 5", body=b"hello"),
        MORE,
        told(b"200 OK", b"Content-Length: 5"),
        request=HEAD,
    ),
    ResponseCase(
        "head-and-chunks",
        response(b"200 OK", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        MORE,
        told(b"200 OK"),
        request=HEAD,
    ),
    ResponseCase(
        "head-and-answer",
        response(b"200 OK", b"Content-Length: 5") + OK,
        MORE,
        told(b"200 OK", b"Content-Length: 5"),
        request=HEAD,
    ),
    ResponseCase(
        "head-404",
        response(b"404 Not Found", b"Content-Length: 9"),
        WHY,
        told(b"404 Not Found", b"Content-Length: 9"),
        request=HEAD,
        keeps_upstream=True,
    ),
    ResponseCase(
        "head-http10",
        response(b"200 OK", b"Content-Length: 5"),
        WHY,
        told(b"200 OK", b"Content-Length: 5", connection=b"close"),
        request=HEAD_10,
        keeps_client=False,
        keeps_upstream=True,
    ),
    ResponseCase(
        "205",
        response(b"205 Reset Content", b"Content-Length: 0"),
        "RFC 9110 section 15.3.6",
        told(b"205 Reset Content", b"Content-Length: 0"),
        keeps_upstream=True,
    ),
    ResponseCase("head-malformed", b"hello\r\n\r\n", "RFC 9112 section 4", request=HEAD),
]
