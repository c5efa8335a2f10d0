"""What a case of the corpus is, and short ways to write down what is expected of it."""

import re
from dataclasses import dataclass, field

HOST = b"example.com"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n"
HEAD = b"HEAD /a HTTP/1.1\r\nHost: example.com\r\n\r\n"
GET_WITH_TRAILERS = b"GET /a HTTP/1.1\r\nHost: example.com\r\nTE: trailers\r\nConnection: TE\r\n\r\n"
GET_10 = b"GET /a HTTP/1.0\r\n\r\n"
GET_10_KEEP = b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"

ADDRESS = b"192.0.2.1"
AUTHORITY = b"10.0.0.1:8080"

_REQUEST_ID = re.compile(rb"(\r\nX-Request-ID: )[0-9A-Za-z-]{16,64}(?=\r\n)")
_DATE = re.compile(rb"(\r\nDate: )[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8} GMT(?=\r\n)")


def masked(data: bytes) -> bytes:
    """Replace what differs from run to run. A date before the year 2000 is one that a case has sent, and stays."""
    return _DATE.sub(rb"\1*", _REQUEST_ID.sub(rb"\1*", data))


@dataclass(frozen=True, slots=True)
class RequestCase:
    """What a client sends, and what must come of it.

    `forwarded` has each request that the origin must receive, its body as one chunk if it is chunked. `statuses` has
    the statuses of the client's final answers, or several that are alike good; an origin answers with `answer`.
    """

    id: str
    raw: bytes = field(repr=False)
    why: str
    statuses: tuple[int | frozenset[int], ...]
    forwarded: tuple[bytes, ...] = ()
    closes: bool = False
    streams: bool = False
    """The fault is in the body: if that arrives late, an origin has seen a beginning, never an end."""
    answer: bytes = OK
    sees: bytes | None = None
    """All that the client must see; None only checks statuses, and that the answers are the origin's or an error's."""
    waits: bool = False
    """The request is not whole: nothing is answered yet, and nothing whole is forwarded when the client leaves."""


@dataclass(frozen=True, slots=True)
class ResponseCase:
    """What an origin answers to `request`, and what must come of it. `sees` is None if the client is refused (502)."""

    id: str
    raw: bytes = field(repr=False)
    why: str
    sees: bytes | None = None
    request: bytes = GET
    ends: bool = False
    """The origin closes its connection after the answer."""
    aborts: bool = False
    """The client's connection is broken off, so that it sees that `sees`, or less, is not whole."""
    keeps_upstream: bool = False
    keeps_client: bool = True
    interims: bytes = b""
    """What the client sees before a 502."""


def served(
    id: str,  # noqa: A002
    raw: bytes,
    *forwarded: bytes,
    why: str,
    closes: bool = False,
    answer: bytes = OK,
    sees: bytes | None = None,
) -> RequestCase:
    """Expect requests to be forwarded and answered."""
    return RequestCase(id, raw, why, (200,) * len(forwarded), forwarded, closes, answer=answer, sees=sees)


def refused(
    id: str,  # noqa: A002
    raw: bytes,
    status: int = 400,
    *others: int,
    why: str,
    streams: bool = False,
) -> RequestCase:
    """Expect a refusal with this status (or, as good, one of `others`), that nothing is forwarded, and the end."""
    expected: int | frozenset[int] = frozenset((status, *others)) if others else status
    return RequestCase(id, raw, why, (expected,), closes=True, streams=streams)


def waiting(id: str, raw: bytes, *, why: str) -> RequestCase:  # noqa: A002
    """Expect that the gateway waits for more."""
    return RequestCase(id, raw, why, (), waits=True, streams=True)


def request(start: bytes, *lines: bytes, host: bytes = HOST) -> bytes:
    """Write the head of an HTTP/1.1 request: what comes before the version, and field lines."""
    return b"".join((start, b" HTTP/1.1\r\nHost: ", host, b"\r\n", *(line + b"\r\n" for line in lines), b"\r\n"))


def seen(
    start: bytes,
    *lines: bytes,
    host: bytes | None = HOST,
    body: bytes = b"",
    trailers: bytes | None = None,
    te: bool = False,
) -> bytes:
    """Write what an origin receives; `trailers` (b"" is none) tells that the body is chunked."""
    told = [b"Host: " + AUTHORITY, *lines, b"X-Forwarded-For: " + ADDRESS, b"X-Forwarded-Proto: http"]
    if host is not None:
        told.append(b"X-Forwarded-Host: " + host)
    if trailers is not None:
        told.append(b"Transfer-Encoding: chunked")
        body = chunked(body, trailers)
    if te:
        told += [b"TE: trailers", b"Connection: TE"]
    told.append(b"X-Request-ID: *")
    return b"%b HTTP/1.1\r\n%b\r\n%b" % (start, b"".join(line + b"\r\n" for line in told), body)


def response(status: bytes, *lines: bytes, body: bytes = b"") -> bytes:
    """Write what an origin sends."""
    return b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, b"".join(line + b"\r\n" for line in lines), body)


def told(
    status: bytes,
    *lines: bytes,
    body: bytes = b"",
    trailers: bytes | None = None,
    date: bool = True,
    connection: bytes | None = None,
) -> bytes:
    """Write what a client sees of an origin's answer; `trailers` (b"" is none) tells that the body is chunked.

    `date` tells that the gateway adds the Date, because the origin did not.
    """
    after = []
    if trailers is not None:
        after.append(b"Transfer-Encoding: chunked")
        body = chunked(body, trailers)
    after += [b"X-Content-Type-Options: nosniff", b"X-Request-ID: *"]
    if date:
        after.append(b"Date: *")
    if connection is not None:
        after.append(b"Connection: " + connection)
    return response(status, *lines, *after, body=body)


def chunked(body: bytes, trailers: bytes = b"") -> bytes:
    """Write a body as one chunk."""
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return chunk + b"0\r\n" + trailers + b"\r\n"
