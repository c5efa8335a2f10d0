"""Reading the answer to a health check, however it is cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.health.answer import MOST_BODY_BYTES, MOST_HEAD_BYTES, Answer, Unwell

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nwell\r\n3;x=y\r\nand\r\n0\r\nT: 1\r\n\r\n"


def read(data: bytes, *cuts: int) -> Answer:
    """Read a complete answer that arrives in pieces."""
    answer = Answer()
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    told = [answer.feed(piece) for piece in pieces if piece]
    assert told == [False] * (len(told) - 1) + [True]
    return answer


@pytest.mark.parametrize(
    ("data", "status", "body"),
    [
        (OK + b"Content-Length: 4\r\n\r\nwell", 200, b"well"),
        (OK + b"Content-Length: 4\r\n\r\nwellHTTP/1.1 200 OK", 200, b"well"),
        (OK + b"Content-Length: 0\r\n\r\n", 200, b""),
        (CHUNKED, 200, b"welland"),
        (b"HTTP/1.0 503 Busy\r\nContent-Length: 2\r\n\r\nno", 503, b"no"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
        (b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", 302, b""),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", 101, b""),
        (
            b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na",
            200,
            b"a",
        ),
    ],
)
def test_an_answer_has_its_status_and_its_body(data: bytes, status: int, body: bytes) -> None:
    answer = read(data)
    assert (answer.status, bytes(answer.body)) == (status, body)


@given(st.lists(st.integers(0, len(CHUNKED)), max_size=5))
def test_where_it_is_cut_does_not_matter(cuts: list[int]) -> None:
    assert read(CHUNKED, *cuts).body == b"welland"


def test_a_body_may_end_with_the_connection() -> None:
    answer = Answer()
    assert not answer.feed(OK + b"\r\nwell")
    assert not answer.feed(b" enough")

    answer.end()

    assert answer.body == b"well enough"


@pytest.mark.parametrize("framing", [b"Content-Length: 9999999\r\n\r\n", b"\r\n"])
def test_of_a_huge_body_only_the_beginning_is_read(framing: bytes) -> None:
    answer = Answer()
    assert not answer.feed(OK + framing + bytes(MOST_BODY_BYTES - 1))
    assert answer.feed(bytes(100))
    assert len(answer.body) == MOST_BODY_BYTES


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "the connection was closed without an answer"),
        (b"HTTP/1.1 2", "the answer was cut short"),
        (OK + b"Content-Length: 4\r\n\r\nwel", "the answer was cut short"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nwell\r\n", "the answer was cut short"),
    ],
)
def test_an_answer_that_ends_too_early_is_none(data: bytes, why: str) -> None:
    answer = Answer()
    assert not answer.feed(data)
    with pytest.raises(Unwell, match=why):
        answer.end()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "the answer cannot be read: the answer is malformed"),
        (
            OK + b"Transfer-Encoding: gzip\r\n\r\n",
            "the answer cannot be read: the answer has an unknown transfer coding",
        ),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", "the answer cannot be read"),
        (OK + b"A: " + b"a" * MOST_HEAD_BYTES, "the head of the answer is longer than 32768 bytes"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + bytes(MOST_HEAD_BYTES + 1), "the head of the answer is longer"),
    ],
)
def test_what_is_no_answer_is_told(data: bytes, why: str) -> None:
    with pytest.raises(Unwell, match=why):
        Answer().feed(data)
