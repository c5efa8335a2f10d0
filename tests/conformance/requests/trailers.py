"""Trailer fields of requests (RFC 9110 section 6.5, RFC 9112 section 7.1.2)."""

from tests.conformance.case import GET, RequestCase, refused, request, seen, served

HEAD = request(b"POST /a", b"Transfer-Encoding: chunked")
CHUNK = b"4\r\nbody\r\n0\r\n"

FORWARDED = {
    "one": b"X-Checksum: abc\r\n",
    "some": b"X-Checksum: abc\r\nGrpc-Status: 0\r\nX-Checksum: def\r\n",
    "odd-value": b"X-Odd: \xe4 b\tc\r\n",
    "etag": b'ETag: "x"\r\n',
    "digest": b"Repr-Digest: sha-256=:eA==:\r\n",
}
DROPPED = (
    b"Host: internal", b"Connection: close", b"Keep-Alive: x",
    b"TE: trailers", b"Upgrade: x", b"Proxy-Connection: x", b"Proxy-Authorization: Basic eDp5", b"Trailer: X",
    b"Authorization: Basic eDp5", b"Cookie: admin=1", b"Set-Cookie: a=b", b"Content-Type: text/html",
    b"Content-Encoding: gzip", b"Content-Range: bytes 0-1/2", b"Cache-Control: no-store", b"Expect: 100-continue",
    b"Max-Forwards: 1", b"Range: bytes=0-1", b"X-Forwarded-For: 127.0.0.1", b"X-Forwarded-Host: internal",
    b"X-Forwarded-Proto: https", b"X-Forwarded-Port: 1", b"X-Real-IP: 127.0.0.1", b"Forwarded: for=127.0.0.1",
    b"X-Request-ID: mine", b"X-Kairos-Peer: x", b"X_Checksum: abc", b"X_Forwarded_For: 127.0.0.1", b"If-Match: x",
)  # fmt: skip
BAD = {
    "no-colon": b"X\r\n",
    "empty-name": b": x\r\n",
    "space-before-colon": b"X : y\r\n",
    "space-in-name": b"X Y: z\r\n",
    "obs-fold": b"X: y\r\n z\r\n",
    "bare-lf": b"X: y\nZ: w\r\n",
    "bare-cr": b"X: y\rZ: w\r\n",
    "nul": b"X: y\0\r\n",
    "control": b"X: y\x01\r\n",
    "paren": b"X(: y\r\n",
    "lf-at-end": b"X: y\n",
    "content-length": b"Content-Length: 44\r\n",
    "transfer-encoding": b"Transfer-Encoding: chunked\r\n",
}


def sent(trailers: bytes) -> bytes:
    """Write a request with trailers."""
    return HEAD + CHUNK + trailers + b"\r\n"


def dropped(line: bytes) -> RequestCase:
    """Expect that a trailer is dropped, and the harmless one beside it not."""
    return served(
        "dropped-" + line.partition(b":")[0].decode().lower(),
        sent(line + b"\r\nX-Checksum: abc\r\n"),
        seen(b"POST /a", body=b"body", trailers=b"X-Checksum: abc\r\n"),
        why="RFC 9110 section 6.5.1: framing, routing, authentication and the like are no trailers",
    )


CASES = [
    *(
        served(name, sent(lines), seen(b"POST /a", body=b"body", trailers=lines), why="RFC 9110 section 6.5.1")
        for name, lines in FORWARDED.items()
    ),
    *(dropped(line) for line in DROPPED),
    *(
        refused("bad-" + name, sent(lines), why="RFC 9112 section 7.1.2: field lines like any other", streams=True)
        for name, lines in BAD.items()
    ),
    served(
        "only-dropped",
        sent(b"Host: internal\r\n"),
        seen(b"POST /a", body=b"body", trailers=b""),
        why="RFC 9110 section 6.5.1: nothing is left",
    ),
    served(
        "named-by-connection",
        request(b"POST /a", b"Connection: X-Hop", b"Transfer-Encoding: chunked")
        + CHUNK
        + b"X-Hop: a\r\nX-End: b\r\n\r\n",
        seen(b"POST /a", body=b"body", trailers=b"X-End: b\r\n"),
        why="RFC 9110 section 7.6.1: also among the trailers",
    ),
    served(
        "announced",
        request(b"POST /a", b"Trailer: X-Checksum", b"Transfer-Encoding: chunked") + CHUNK + b"X-Checksum: abc\r\n\r\n",
        seen(b"POST /a", b"Trailer: X-Checksum", body=b"body", trailers=b"X-Checksum: abc\r\n"),
        why="RFC 9110 section 6.6.2: Trailer is forwarded",
    ),
    served(
        "then-request",
        sent(b"X-Checksum: abc\r\n") + GET,
        seen(b"POST /a", body=b"body", trailers=b"X-Checksum: abc\r\n"),
        seen(b"GET /a"),
        why="RFC 9112 section 7.1.2: they end with an empty line",
    ),
    served(
        "twice",
        sent(b"X-One: 1\r\n") + sent(b"X-Two: 2\r\n"),
        seen(b"POST /a", body=b"body", trailers=b"X-One: 1\r\n"),
        seen(b"POST /a", body=b"body", trailers=b"X-Two: 2\r\n"),
        why="RFC 9110 section 6.5: each belongs to its request",
    ),
]
