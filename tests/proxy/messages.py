"""Messages that clients and backends of the tests send, and what the gateway makes of them."""

import orjson

from kairos.config.document import Limits, Timeouts
from kairos.proxy.ticker import TICK_SECONDS

LIMITS, TIMEOUTS = Limits(), Timeouts()
LARGEST_HEAD, MOST_FIELDS, LARGEST_BODY = LIMITS.head_bytes, LIMITS.fields, LIMITS.body_bytes
HEAD_SECONDS, STALL_SECONDS, CLIENT_IDLE_SECONDS = TIMEOUTS.request_head, TIMEOUTS.body_stall, TIMEOUTS.client_idle
CONNECT_SECONDS, ANSWER_SECONDS = TIMEOUTS.connect, TIMEOUTS.response_head
SILENCE_SECONDS, IDLE_SECONDS = TIMEOUTS.response_stall, TIMEOUTS.upstream_idle

LATE = 1 + 2 * TICK_SECONDS  # a deadline is met within 1.25 s

GET = b"GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OK_SENT = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Content-Type-Options: nosniff\r\nX-Request-ID: *\r\nDate: *\r\n\r\nok"
)
GET_SENT = (
    b"GET /a HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n"
    b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: example.com\r\nX-Request-ID: *\r\n\r\n"
)

POSTS = {
    "length": b"POST /a HTTP/1.1\r\nHost: example.com\r\nContent-Length: 12\r\n\r\nhello\r\n\r\nyou",
    "chunked": (
        b"POST /a HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n6;x=y\r\n\r\n\r\nyo\r\n0\r\nTrailer: gone\r\n\r\n"
    ),
    "none": GET,
}

POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
PUT = POST.replace(b"POST", b"PUT")

RESPONSES = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello\r\n\r\nyou",
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n7;x=y\r\n\r\n\r\nyou\r\n0\r\nTrailer: gone\r\n\r\n"
    ),
    "close": b"HTTP/1.1 200 OK\r\n\r\nhello\r\n\r\nyou",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK,
}

LARGE = b"x" * 200_000
LARGE_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + LARGE


def error_of(answer: bytes) -> dict[str, str]:
    """Return the JSON of a refusal."""
    error: dict[str, str] = orjson.loads(answer.partition(b"\r\n\r\n")[2])
    return error


def unchunked(body: bytes) -> bytes:
    """Join the data of chunks as the gateway writes them."""
    data = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        data, body = data + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return data
