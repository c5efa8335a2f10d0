"""Which answers are compressed, and what their heads say then."""

import pytest

from kairos.config.policies import Compression as Settings
from kairos.protocols.http1.head import UNTIL_CLOSE, RequestHead, ResponseHead
from kairos.traffic.compression import Coding, Compression, MediaTypes, revalidated
from tests.decoding import decoded

LENGTH = b"Content-Length: 5000"
JSON = b"Content-Type: application/json"
LIKES = b"Accept-Encoding: gzip"


def request(*lines: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> RequestHead:
    return RequestHead(b"%b / HTTP/%b\r\n" % (method, version) + b"\r\n".join((b"Host: a", *lines, b"", b"")))


def response(*lines: bytes, status: bytes = b"200 OK", to_head: bool = False) -> ResponseHead:
    return ResponseHead(b"HTTP/1.1 " + b"\r\n".join((status, *lines, b"", b"")), to_head)


def coding(asked: RequestHead, answered: ResponseHead, **settings: object) -> Coding | None:
    return Compression(Settings(**settings)).coding(asked, answered)  # type: ignore[arg-type]


def chosen(asked: RequestHead, answered: ResponseHead, **settings: object) -> bytes:
    found = coding(asked, answered, **settings)
    return found.name if found is not None else b"untouched"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((LENGTH, JSON, b"Content-Encoding: br"), b"200 OK"),
        ((LENGTH, JSON, b"Content-Encoding: identity"), b"200 OK"),
        ((LENGTH, JSON, b"Content-Range: bytes 0-4999/9000"), b"200 OK"),
        ((LENGTH, JSON), b"206 Partial Content"),
        ((JSON,), b"204 No Content"),
        ((JSON,), b"205 Reset Content"),
        ((JSON,), b"304 Not Modified"),
        ((LENGTH, JSON, b"Cache-Control: no-transform"), b"200 OK"),
        ((LENGTH, JSON, b"Cache-Control: private, No-Transform"), b"200 OK"),
        ((LENGTH, JSON, b"cache-control: private", b"cache-control: no-transform"), b"200 OK"),
        ((LENGTH, JSON, b"X-Accel-Buffering: no"), b"200 OK"),
        ((LENGTH, JSON, b"x-accel-buffering: No"), b"200 OK"),
        ((LENGTH,), b"200 OK"),
        ((LENGTH, b"Content-Type: image/png"), b"200 OK"),
        ((LENGTH, b"Content-Type: application/json, text/html"), b"200 OK"),
        ((b"Content-Length: 1023", JSON), b"200 OK"),
        ((b"Content-Length: 0", JSON), b"200 OK"),
        ((b"Content-Type: text/event-stream",), b"200 OK"),
        ((b"Content-Type: Text/Event-Stream;charset=utf-8",), b"200 OK"),
    ],
)
def test_some_answers_stay_as_they_are(lines: tuple[bytes, ...], status: bytes) -> None:
    assert coding(request(LIKES), response(*lines, status=status)) is None


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((LENGTH, JSON), b"200 OK"),
        ((b"Content-Length: 1024", JSON), b"404 Not Found"),
        ((b"Transfer-Encoding: chunked", b"Content-Type: Text/HTML ; charset=utf-8"), b"500 Oh"),
        ((JSON,), b"200 OK"),
        ((LENGTH, JSON, b"Cache-Control: no-store, x-no-transform"), b"200 OK"),
        ((LENGTH, JSON, b"X-Accel-Buffering: yes"), b"200 OK"),
    ],
)
def test_others_are_compressed_if_the_client_likes_it(lines: tuple[bytes, ...], status: bytes) -> None:
    answered = response(*lines, status=status)

    assert chosen(request(LIKES), answered) == b"gzip"
    assert chosen(request(LIKES, method=b"HEAD"), response(*lines, status=status, to_head=True)) == b"gzip"
    assert chosen(request(), answered) == b""
    assert chosen(request(LIKES, version=b"1.0"), answered) == b""
    assert chosen(request(LIKES, b"Cache-Control: no-transform"), answered) == b""


def test_event_streams_are_compressed_if_that_is_wanted_whatever_the_types() -> None:
    events = response(b"Content-Type: text/event-stream")

    assert chosen(request(LIKES), events, event_streams=True, types=()) == b"gzip"
    assert chosen(request(LIKES), events, types=("text/event-stream",)) == b"untouched"


def test_the_order_of_the_algorithms_breaks_ties() -> None:
    asked = request(b"Accept-Encoding: gzip, br, zstd")
    answered = response(LENGTH, JSON)

    assert chosen(asked, answered) == b"br"
    assert chosen(asked, answered, algorithms=("gzip", "zstd")) == b"gzip"


def test_the_head_tells_of_another_representation() -> None:
    found = coding(
        request(LIKES),
        response(
            b"content-length: 5000",
            JSON,
            b'ETag: "abc"',
            b"Accept-Ranges: bytes",
            b"Vary: Accept",
            b"vary: Origin",
            b"Content-MD5: x",
            b"Digest: x",
            b"Content-Digest: x",
            b"Repr-Digest: x",
            b"Set-Cookie: a=1",
        ),
    )

    assert found is not None
    kept = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: a=1\r\n"
    coded = b'ETag: W/"abc"\r\nVary: Accept, Origin, Accept-Encoding\r\n\r\n'
    assert found.head() == kept + b"Content-Encoding: gzip\r\n" + coded
    assert found.head(77) == kept + b"Content-Encoding: gzip\r\nContent-Length: 77\r\n" + coded
    assert ResponseHead(found.head(77), False).body_length == 77


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"Vary: Accept-Encoding\r\n"),
        (b"Vary: \r\n", b"Vary: Accept-Encoding\r\n"),
        (b"Vary: Origin\r\n", b"Vary: Origin, Accept-Encoding\r\n"),
        (b"Vary: accept-encoding\r\n", b"Vary: accept-encoding\r\n"),
        (b"Vary: Accept\r\nVary: X,Accept-Encoding\r\n", b"Vary: Accept, X,Accept-Encoding\r\n"),
        (b"Vary: *\r\n", b"Vary: *\r\n"),
    ],
)
def test_the_answer_varies_by_what_the_client_accepts_even_if_it_got_it_as_it_was(before: bytes, after: bytes) -> None:
    plain = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5000\r\n"
    answered = ResponseHead(plain + before + b"\r\n", False)

    as_it_is, compressed = coding(request(), answered), coding(request(LIKES), answered)

    assert as_it_is is not None
    assert compressed is not None
    assert as_it_is.plain_head() == plain + after + b"\r\n"
    assert compressed.head() == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n" + after + b"\r\n"
    )


@pytest.mark.parametrize(
    ("before", "after"), [(b'W/"a"', b'ETag: W/"a"\r\n'), (b'""', b'ETag: W/""\r\n'), (b"naked", b"")]
)
def test_a_validator_gets_weak_or_is_none(before: bytes, after: bytes) -> None:
    found = coding(request(LIKES), response(LENGTH, JSON, b"ETag: " + before))

    assert found is not None
    assert after in found.head()
    assert found.head().count(b"ETag") == bool(after)


def test_a_304_has_the_validator_that_the_client_has() -> None:
    strong = response(b'ETag: "a"', b"Vary: Origin", b"Date: now", status=b"304 Not Modified").raw

    weak = b'HTTP/1.1 304 Not Modified\r\nDate: now\r\nETag: W/"a"\r\nVary: Origin, Accept-Encoding\r\n\r\n'
    assert revalidated(request(b'If-None-Match: "b", W/"a"'), strong) == weak
    assert revalidated(request(b'If-None-Match: "a"'), strong) == strong
    assert revalidated(request(), strong) == strong
    assert revalidated(request(b'If-None-Match: W/"a"'), weak) == weak
    none = response(status=b"304 Not Modified").raw
    assert revalidated(request(b'If-None-Match: W/"a"'), none) == none


def test_a_body_that_came_in_chunks_may_get_a_length() -> None:
    found = coding(request(LIKES), response(JSON, b"Transfer-Encoding: chunked"))

    assert found is not None
    assert ResponseHead(found.head(77), False).body_length == 77
    assert ResponseHead(found.head(), False).body_length == UNTIL_CLOSE


def test_a_body_without_a_known_length_is_flushed_and_another_is_not() -> None:
    known, unknown = coding(request(LIKES), response(LENGTH, JSON)), coding(request(LIKES), response(JSON))

    assert known is not None
    assert unknown is not None
    assert (known.length, known.is_flushed) == (5000, False)
    assert (unknown.length, unknown.is_flushed) == (None, True)
    assert decoded("gzip", unknown.encoder(None).finish(b"x" * 5000)) == b"x" * 5000


def test_types_have_families() -> None:
    types = MediaTypes(("text/*", "application/json", "application/*+JSON"))

    assert types.has(b"text/plain")
    assert types.has(b"TEXT/HTML; charset=utf-8")
    assert types.has(b"application/json")
    assert types.has(b"application/problem+json ; a=b")
    assert not types.has(b"application/jsonp")
    assert not types.has(b"image/svg+json")
    assert not types.has(b"text")
    assert not types.has(b"")
    for number in range(1000):
        assert types.has(b"text/x;boundary=%d" % number)
    assert len(types._known) <= 256
