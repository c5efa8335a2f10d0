"""How large a request may be (RFC 9110 section 15.5.14 and .15, RFC 6585 section 5)."""

from tests.conformance.case import GET, refused, request, seen, served, waiting

HEAD_BYTES, FIELDS, TARGET_BYTES, BODY_BYTES = 32 << 10, 100, 8 << 10, 10 << 20


def head_of(size: int) -> bytes:
    """Write a head of so many bytes."""
    empty = request(b"GET /a", b"X: ")
    return request(b"GET /a", b"X: " + b"x" * (size - len(empty)))


def fields(number: int) -> list[bytes]:
    """Write so many field lines, with Host."""
    return [b"X-%d: y" % at for at in range(number - 1)]


LONGEST = b"/" + b"a" * (TARGET_BYTES - 1)
POST = b"POST /a HTTP/1.1\r\nHost: example.com\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
MEGABYTE = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"

CASES = [
    served(
        "target-longest", request(b"GET " + LONGEST), seen(b"GET " + LONGEST), why="RFC 9112 section 3: 8000 at least"
    ),
    refused("target-too-long", request(b"GET " + LONGEST + b"a"), 414, why="RFC 9110 section 15.5.15"),
    refused("query-too-long", request(b"GET /?" + LONGEST), 414, why="RFC 9110 section 15.5.15: with its query"),
    refused("target-without-end", b"GET /" + b"a" * 9000, 414, why="RFC 9110 section 15.5.15: no need to wait"),
    refused("target-far-too-long", request(b"GET /" + b"a" * 40_000), 414, why="RFC 9110 section 15.5.15"),
    refused("method-without-end", b"G" * 40_000, 400, 414, 431, 501, why="RFC 9112 section 3: no need to wait"),
    served(
        "head-largest",
        head_of(HEAD_BYTES),
        seen(b"GET /a", head_of(HEAD_BYTES)[len(request(b"GET /a")) - 2 : -4]),
        why="RFC 6585 section 5: up to the limit",
    ),
    refused("head-too-large", head_of(HEAD_BYTES + 1), 431, why="RFC 6585 section 5"),
    refused("head-far-too-large", head_of(4 * HEAD_BYTES), 431, why="RFC 6585 section 5"),
    refused("head-without-end", head_of(HEAD_BYTES + 100)[:-4], 431, why="RFC 6585 section 5: no need to wait"),
    refused("name-too-long", request(b"GET /a", b"x" * HEAD_BYTES + b": y"), 431, why="RFC 6585 section 5"),
    served(
        "fields-most",
        request(b"GET /a", *fields(FIELDS)),
        seen(b"GET /a", *fields(FIELDS)),
        why="RFC 6585 section 5: up to the limit",
    ),
    refused("fields-too-many", request(b"GET /a", *fields(FIELDS + 1)), 431, why="RFC 6585 section 5"),
    refused("fields-far-too-many", request(b"GET /a", *fields(3000)), 431, why="RFC 6585 section 5"),
    refused("fields-tiny", request(b"GET /a", *[b"a:"] * 7000), 431, why="RFC 6585 section 5"),
    refused(
        "body-declared-too-long",
        POST + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES + 1),
        413,
        why="RFC 9110 section 15.5.14: before it is sent",
    ),
    refused(
        "body-declared-far-too-long",
        POST + b"Content-Length: 9223372036854775807\r\n\r\nbody",
        413,
        why="RFC 9110 section 15.5.14",
    ),
    refused(
        "body-declared-two-to-the-63",
        POST + b"Content-Length: 9223372036854775808\r\n\r\nbody",
        413,
        400,
        why="RFC 9110 section 15.5.14",
    ),
    refused(
        "body-declared-most",
        POST + b"Content-Length: 18446744073709551615\r\n\r\nbody",
        413,
        400,
        why="RFC 9110 section 15.5.14",
    ),
    refused(
        "body-too-long-then-request",
        POST + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES + 1) + GET,
        413,
        why="RFC 9110 section 15.5.14: what follows is its body",
    ),
    waiting("body-declared-longest", POST + b"Content-Length: %d\r\n\r\n" % BODY_BYTES, why="up to the limit"),
    refused(
        "chunks-too-long",
        CHUNKED + MEGABYTE * 10 + b"1\r\nx\r\n0\r\n\r\n",
        413,
        streams=True,
        why="RFC 9110 section 15.5.14: counted as it comes",
    ),
    served(
        "chunks-longest",
        CHUNKED + MEGABYTE * 10 + b"0\r\n\r\n",
        seen(b"POST /a", body=b"x" * BODY_BYTES, trailers=b""),
        why="RFC 9110 section 15.5.14: up to the limit",
    ),
    refused(
        "chunk-too-long",
        CHUNKED + b"a00001\r\n" + b"x" * (BODY_BYTES + 1) + b"\r\n0\r\n\r\n",
        413,
        streams=True,
        why="RFC 9110 section 15.5.14: also in one chunk",
    ),
    refused(
        "extension-without-end",
        CHUNKED + b"1;" + b"x" * 100_000,
        400,
        413,
        431,
        streams=True,
        why="RFC 9112 section 7.1.1: to be bounded",
    ),
    refused(
        "trailers-without-end",
        CHUNKED + b"0\r\n" + b"X: yyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 3000,
        400,
        413,
        431,
        streams=True,
        why="RFC 9112 section 7.1.2: to be bounded",
    ),
    refused(
        "zeros-without-end",
        CHUNKED + b"0" * 100_000,
        400,
        413,
        431,
        streams=True,
        why="RFC 9112 section 7.1: to be bounded",
    ),
]
