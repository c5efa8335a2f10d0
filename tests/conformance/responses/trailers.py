"""Trailer fields of responses (RFC 9110 section 6.5): for clients that have said TE: trailers."""

from tests.conformance.case import GET, GET_WITH_TRAILERS, ResponseCase, response, told

CHUNKED = response(b"200 OK", b"Transfer-Encoding: chunked", body=b"4\r\nbody\r\n0\r\n")
HTTP10 = b"GET /a HTTP/1.0\r\nTE: trailers\r\n\r\n"
ANNOUNCED = response(b"200 OK", b"Trailer: X-Sum", b"Transfer-Encoding: chunked", body=b"4\r\nbody\r\n0\r\n")
HARMFUL = (
    b"Connection: close", b"Set-Cookie: a=b",
    b"Content-Type: a/b", b"Content-Encoding: gzip", b"Trailer: X", b"Location: /evil", b"Cache-Control: public",
    b"X-Request-ID: x", b"X-Content-Type-Options: x", b"Keep-Alive: timeout=1", b"Upgrade: x",
)  # fmt: skip


def case(name: str, trailers: bytes, kept: bytes, why: str, request: bytes = GET_WITH_TRAILERS) -> ResponseCase:
    """Expect some of the trailers to be forwarded."""
    sees = told(b"200 OK", body=b"body", trailers=kept)
    return ResponseCase(name, CHUNKED + trailers + b"\r\n", why, sees, request=request, keeps_upstream=True)


CASES = [
    case("one", b"X-Sum: abc\r\n", b"X-Sum: abc\r\n", "RFC 9110 section 6.5.1"),
    case(
        "some",
        b"X-Sum: abc\r\nServer-Timing: x\r\nX-Sum: d\r\n",
        b"X-Sum: abc\r\nServer-Timing: x\r\nX-Sum: d\r\n",
        "RFC 9110 section 6.5.1",
    ),
    case("underscore", b"grpc_status: 0\r\n", b"grpc_status: 0\r\n", "underscores are dropped from requests only"),
    case("none", b"", b"", "RFC 9112 section 7.1.2"),
    case(
        "not-asked-for", b"X-Sum: abc\r\n", b"", "RFC 9110 section 6.5.1: the client may not expect them", request=GET
    ),
    *(
        ResponseCase(
            "framing-" + line.partition(b":")[0].decode().lower(),
            CHUNKED + line + b"\r\n\r\n",
            "RFC 9110 section 6.5.1: framing in a trailer is an attack or a defect",
            told(b"200 OK", body=b"body", trailers=b""),
            request=GET_WITH_TRAILERS,
            aborts=True,
        )
        for line in (b"Content-Length: 44", b"Transfer-Encoding: chunked")
    ),
    ResponseCase(
        "http10",
        CHUNKED + b"X-Sum: abc\r\n\r\n",
        "RFC 9112 section 7.1.2: no chunks for HTTP/1.0",
        told(b"200 OK", connection=b"close", body=b"body"),
        request=HTTP10,
        keeps_client=False,
        keeps_upstream=True,
    ),
    ResponseCase(
        "announced",
        ANNOUNCED + b"X-Sum: abc\r\n\r\n",
        "RFC 9110 section 6.6.2: Trailer is forwarded",
        told(b"200 OK", b"Trailer: X-Sum", body=b"body", trailers=b"X-Sum: abc\r\n"),
        request=GET_WITH_TRAILERS,
        keeps_upstream=True,
    ),
    *(
        case(
            "dropped-" + line.partition(b":")[0].decode().lower(),
            line + b"\r\nX-Sum: abc\r\n",
            b"X-Sum: abc\r\n",
            "RFC 9110 section 6.5.1: no trailer",
        )
        for line in HARMFUL
    ),
    ResponseCase(
        "named-by-connection",
        response(
            b"200 OK",
            b"Connection: X-Hop",
            b"Transfer-Encoding: chunked",
            body=b"4\r\nbody\r\n0\r\nX-Hop: a\r\nX-Sum: abc\r\n\r\n",
        ),
        "RFC 9110 section 7.6.1: also among the trailers",
        told(b"200 OK", body=b"body", trailers=b"X-Sum: abc\r\n"),
        request=GET_WITH_TRAILERS,
        keeps_upstream=True,
    ),
]
