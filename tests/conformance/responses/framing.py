"""Where a response ends (RFC 9112 section 6.3), and what becomes of its connection."""

from tests.conformance.case import (
    GET,
    GET_10,
    GET_10_KEEP,
    OK,
    ResponseCase,
    request,
    response,
    told,
)

SEEN = told(b"200 OK", b"Content-Length: 2", body=b"ok")
CHUNKED = response(b"200 OK", b"Transfer-Encoding: chunked")
CHUNKED_SEEN = told(b"200 OK", body=b"body", trailers=b"")
POST = request(b"POST /a", b"Content-Length: 4") + b"body"

WHOLE_CHUNKS = {
    "one": (b"4\r\nbody\r\n0\r\n\r\n", b"body"),
    "some": (b"1\r\nb\r\n2\r\nod\r\n1\r\ny\r\n0\r\n\r\n", b"body"),
    "empty": (b"0\r\n\r\n", b""),
    "extension": (b"4;a=b\r\nbody\r\n0;c\r\n\r\n", b"body"),
    "leading-zeros": (b"00000004\r\nbody\r\n00\r\n\r\n", b"body"),
    "capitals": (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "data-like-framing": (b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n"),
}

# What follows a whole answer was asked for by nobody.
MORE = {
    "byte": b"x",
    "crlf": b"\r\n",
    "answer": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\n",
    "half-an-answer": b"HTTP/1.1 200 O",
}
CUT = {
    "length": (
        response(b"200 OK", b"Content-Length: 5", body=b"body"),
        told(b"200 OK", b"Content-Length: 5", body=b"body"),
    ),
    "length-nothing": (response(b"200 OK", b"Content-Length: 5"), told(b"200 OK", b"Content-Length: 5")),
    "chunk": (CHUNKED + b"8\r\nbody", CHUNKED_SEEN),
    "chunks": (CHUNKED + b"4\r\nbody\r\n", CHUNKED_SEEN),
    "last-chunk": (CHUNKED + b"4\r\nbody\r\n0\r\n", CHUNKED_SEEN),
    "trailers": (CHUNKED + b"4\r\nbody\r\n0\r\nX: y\r\n", CHUNKED_SEEN),
    "no-chunk": (CHUNKED, told(b"200 OK", trailers=b"")),
}
BROKEN = {
    "size-is-empty": b"\r\nbody\r\n0\r\n\r\n",
    "size-is-a-word": b"four\r\nbody\r\n0\r\n\r\n",
    "size-has-minus": b"-4\r\nbody\r\n0\r\n\r\n",
    "size-overflows": b"10000000000000004\r\nbody\r\n0\r\n\r\n",
    "size-then-lf": b"4\nbody\r\n0\r\n\r\n",
    "data-too-long": b"4\r\nbodybody\r\n0\r\n\r\n",
    "data-then-lf": b"4\r\nbody\n0\r\n\r\n",
    "data-then-nothing": b"4\r\nbody0\r\n\r\n",
    "last-then-lf": b"4\r\nbody\r\n0\n\r\n",
    "second-size": b"4\r\nbody\r\nxyz\r\n0\r\n\r\n",
    "trailer-no-colon": b"4\r\nbody\r\n0\r\nX\r\n\r\n",
    "trailer-bare-lf": b"4\r\nbody\r\n0\r\nX: y\n\r\n",
    "trailer-nul": b"4\r\nbody\r\n0\r\nX: \0\r\n\r\n",
}

CASES = [
    ResponseCase("length", OK, "RFC 9112 section 6.2", SEEN, keeps_upstream=True),
    ResponseCase(
        "length-zero",
        response(b"200 OK", b"Content-Length: 0"),
        "RFC 9112 section 6.2",
        told(b"200 OK", b"Content-Length: 0"),
        keeps_upstream=True,
    ),
    ResponseCase(
        "length-leading-zeros",
        response(b"200 OK", b"Content-Length: 002", body=b"ok"),
        "RFC 9110 section 8.6: 1*DIGIT",
        told(b"200 OK", b"Content-Length: 002", body=b"ok"),
        keeps_upstream=True,
    ),
    ResponseCase("length-to-post", OK, "RFC 9112 section 6.2", SEEN, request=POST, keeps_upstream=True),
    ResponseCase(
        "length-body-is-an-answer",
        response(b"200 OK", b"Content-Length: %d" % len(OK), body=OK),
        "RFC 9112 section 6.2: it is only data",
        told(b"200 OK", b"Content-Length: %d" % len(OK), body=OK),
        keeps_upstream=True,
    ),
    ResponseCase(
        "close",
        response(b"200 OK", b"Connection: close", b"Content-Length: 2", body=b"ok"),
        "RFC 9112 section 9.6",
        SEEN,
    ),
    ResponseCase(
        "close-and-closes",
        response(b"200 OK", b"Connection: close", b"Content-Length: 2", body=b"ok"),
        "RFC 9112 section 9.6",
        SEEN,
        ends=True,
    ),
    ResponseCase("length-and-closes", OK, "RFC 9112 section 9.5: the answer is whole", SEEN, ends=True),
    ResponseCase(
        "http10", OK.replace(b"1.1", b"1.0"), "RFC 9112 section 9.3: HTTP/1.0 closes; the version is ours", SEEN
    ),
    ResponseCase(
        "http10-keep-alive",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        "RFC 9112 section 9.3: it keeps the connection",
        SEEN,
        keeps_upstream=True,
    ),
    *(
        ResponseCase(
            "chunked-" + name,
            CHUNKED + body,
            "RFC 9112 section 7.1",
            told(b"200 OK", body=data, trailers=b""),
            keeps_upstream=True,
        )
        for name, (body, data) in WHOLE_CHUNKS.items()
    ),
    ResponseCase(
        "chunked-in-capitals",
        response(b"200 OK", b"TRANSFER-ENCODING: CHUNKED", body=b"4\r\nbody\r\n0\r\n\r\n"),
        "RFC 9112 section 7",
        CHUNKED_SEEN,
        keeps_upstream=True,
    ),
    ResponseCase(
        "chunked-http10-origin",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        "RFC 9112 section 6.1: its framing may be faulty, so the connection is not used again",
        CHUNKED_SEEN,
    ),
    ResponseCase(
        "chunked-to-http10",
        CHUNKED + b"4\r\nbody\r\n0\r\n\r\n",
        "RFC 9112 section 6.1: no transfer coding for HTTP/1.0",
        told(b"200 OK", connection=b"close", body=b"body"),
        request=GET_10,
        keeps_client=False,
        keeps_upstream=True,
    ),
    ResponseCase(
        "chunked-to-http10-keep-alive",
        CHUNKED + b"4\r\nbody\r\n0\r\n\r\n",
        "RFC 9112 section 6.1: only the end of the connection can tell the end",
        told(b"200 OK", connection=b"close", body=b"body"),
        request=GET_10_KEEP,
        keeps_client=False,
        keeps_upstream=True,
    ),
    ResponseCase(
        "length-to-http10-keep-alive",
        OK,
        "RFC 9112 section 9.3",
        told(b"200 OK", b"Content-Length: 2", connection=b"keep-alive", body=b"ok"),
        request=GET_10_KEEP,
        keeps_upstream=True,
    ),
    ResponseCase(
        "until-close",
        response(b"200 OK", body=b"body"),
        "RFC 9112 section 6.3: it ends with the connection",
        CHUNKED_SEEN,
        ends=True,
    ),
    ResponseCase(
        "until-close-empty", response(b"200 OK"), "RFC 9112 section 6.3", told(b"200 OK", trailers=b""), ends=True
    ),
    ResponseCase(
        "until-close-is-an-answer",
        response(b"200 OK", body=OK),
        "RFC 9112 section 6.3: all of it is data",
        told(b"200 OK", body=OK, trailers=b""),
        ends=True,
    ),
    ResponseCase("until-close-http10", b"HTTP/1.0 200 OK\r\n\r\nbody", "RFC 9112 section 6.3", CHUNKED_SEEN, ends=True),
    ResponseCase(
        "until-close-keep-alive",
        response(b"200 OK", b"Connection: keep-alive", body=b"body"),
        "RFC 9112 section 6.3: what Connection says does not matter",
        CHUNKED_SEEN,
        ends=True,
    ),
    ResponseCase(
        "until-close-to-http10",
        response(b"200 OK", body=b"body"),
        "RFC 9112 section 6.3",
        told(b"200 OK", connection=b"close", body=b"body"),
        request=GET_10,
        ends=True,
        keeps_client=False,
    ),
    ResponseCase(
        "until-close-to-http10-keep-alive",
        response(b"200 OK", body=b"body"),
        "RFC 9112 section 6.3",
        told(b"200 OK", connection=b"close", body=b"body"),
        request=GET_10_KEEP,
        ends=True,
        keeps_client=False,
    ),
    *(
        ResponseCase("length-and-" + name, OK + more, "RFC 9112 section 11.1: it must answer nobody", SEEN)
        for name, more in MORE.items()
    ),
    *(
        ResponseCase(
            "chunked-and-" + name,
            CHUNKED + b"4\r\nbody\r\n0\r\n\r\n" + more,
            "RFC 9112 section 11.1: it must answer nobody",
            CHUNKED_SEEN,
        )
        for name, more in MORE.items()
    ),
    *(
        ResponseCase(
            "cut-" + name,
            raw,
            "RFC 9112 section 8: the client must see that it is not whole",
            sees,
            ends=True,
            aborts=True,
        )
        for name, (raw, sees) in CUT.items()
    ),
    ResponseCase(
        "cut-length-to-http10",
        response(b"200 OK", b"Content-Length: 5", body=b"body"),
        "RFC 9112 section 8",
        told(b"200 OK", b"Content-Length: 5", connection=b"close", body=b"body"),
        request=GET_10,
        ends=True,
        aborts=True,
    ),
    *(
        ResponseCase(
            "broken-" + name,
            CHUNKED + body,
            "RFC 9112 section 7.1: nobody knows where it ends",
            CHUNKED_SEEN,
            aborts=True,
        )
        for name, body in BROKEN.items()
    ),
    ResponseCase(
        "any-bytes",
        response(b"200 OK", b"Content-Length: 8", body=b"\x00\xff\n\r\x7f\x80\x01 "),
        "only data",
        told(b"200 OK", b"Content-Length: 8", body=b"\x00\xff\n\r\x7f\x80\x01 "),
        keeps_upstream=True,
    ),
    ResponseCase(
        "pipelined-client",
        OK,
        "RFC 9112 section 9.3.2: to a client that keeps the connection",
        SEEN,
        request=GET,
        keeps_upstream=True,
    ),
]
