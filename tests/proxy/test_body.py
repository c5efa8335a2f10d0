"""The body of a request: its end, its framing for a backend, its limit."""

import pytest

from kairos.errors import BadRequest, PayloadTooLarge
from kairos.protocols.http1.head import CHUNKED
from kairos.proxy.body import RequestBody

CHUNKS = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-Sum: 1\r\nX-Hop: 2\r\nContent-Type: a/b\r\nX_Sum: 3\r\n\r\n"


def test_a_counted_body_ends_where_its_length_says() -> None:
    body = RequestBody(5, 100)

    assert body.feed(b"hel") == (b"hel", 3)
    assert not body.is_complete
    assert body.feed(b"loGET /") == (b"lo", 2)
    assert body.is_complete
    assert body.received == 5


def test_chunks_are_framed_anew_with_the_trailers_that_may_pass() -> None:
    body = RequestBody(CHUNKED, 100, b"X-Hop")

    framed, used = body.feed(CHUNKS + b"GET /")

    assert framed == b"b\r\nhello world\r\n0\r\nX-Sum: 1\r\n\r\n"
    assert used == len(CHUNKS)
    assert (body.is_complete, body.received) == (True, 11)


def test_chunks_may_be_cut_anywhere() -> None:
    for cut in range(1, len(CHUNKS)):
        body = RequestBody(CHUNKED, 100)
        first, used = body.feed(CHUNKS[:cut])
        assert used == cut
        last, used = body.feed(CHUNKS[cut:] + b"GET /")
        assert used == len(CHUNKS) - cut
        assert (first + last).endswith(b"0\r\nX-Sum: 1\r\nX-Hop: 2\r\n\r\n")
        assert (body.is_complete, body.received) == (True, 11)


def test_a_chunked_body_over_the_limit_is_refused_with_what_was_measured() -> None:
    with pytest.raises(PayloadTooLarge) as refused:
        RequestBody(CHUNKED, 10).feed(CHUNKS)

    assert str(refused.value.limit) == "limits.max_request_body_bytes is 10, measured 11"


@pytest.mark.parametrize("data", [b"x\r\n", b"5\nhello", b"5\r\nhelloo", b"0\r\nX : y\r\n\r\n", b"-1\r\n"])
def test_broken_framing_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        RequestBody(CHUNKED, 100).feed(data)
    assert refused.value.reason == "malformed_chunk"


@pytest.mark.parametrize("endless", [b"0\r\n" + b"X: y\r\n" * 20_000, b"1;" + b"x" * 100_000])
def test_framing_without_end_is_refused(endless: bytes) -> None:
    body = RequestBody(CHUNKED, 100)

    with pytest.raises(BadRequest, match="too long"):
        for at in range(0, len(endless), 1000):
            body.feed(endless[at : at + 1000])
