"""Chunked bodies: however the bytes arrive, the data, the end and the leftover are the same."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.protocols.http1.chunked import LAST_CHUNK, ChunkedReader, MalformedChunk, encode

Read = tuple[bytes, bytes, bool]


def read(pieces: list[bytes]) -> Read:
    """Feed a message piece by piece; return its data, what follows it, and whether it is complete."""
    reader = ChunkedReader()
    data, rest = [], b""
    for piece in pieces:
        if reader.is_complete:
            rest += piece
            continue
        found, used = reader.feed(piece)
        data += found
        rest += piece[used:]
    return b"".join(data), rest, reader.is_complete


def split(message: bytes, places: list[int]) -> list[bytes]:
    """Cut a message at these places."""
    bounds = sorted({0, len(message), *(place % (len(message) + 1) for place in places)})
    return [message[start:end] for start, end in pairwise(bounds)]


def test_data_comes_without_its_framing() -> None:
    assert read([b"5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\n\r\n"]) == (b"hello, world", b"", True)


def test_a_body_may_be_empty() -> None:
    assert read([LAST_CHUNK]) == (b"", b"", True)


def test_nothing_of_the_next_message_is_taken() -> None:
    reader = ChunkedReader()

    assert reader.feed(b"1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n") == ([b"a"], 11)
    assert reader.is_complete


def test_trailer_fields_are_read_and_dropped() -> None:
    assert read([b"1\r\na\r\n0\r\nExpires: never\r\nX-Sum: 1\r\n\r\nnext"]) == (b"a", b"next", True)


def test_an_unfinished_body_is_not_complete() -> None:
    assert read([b"5\r\nhel"]) == (b"hel", b"", False)
    assert read([b"5\r\nhello\r\n0\r\n"]) == (b"hello", b"", False)
    assert read([b"5\r\nhello\r\n0\r\nA: b\r\n"]) == (b"hello", b"", False)


def test_empty_lines_in_the_data_end_nothing() -> None:
    data = b"\r\n\r\n\r\n0\r\n\r\n"

    assert read([b"%x\r\n%b\r\n0\r\n\r\nrest" % (len(data), data)]) == (data, b"rest", True)


MESSAGES = [
    b"5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    b"4\r\n\r\n\r\n\r\n0\r\n\r\n\r\n\r\n",
    b"2\r\n\r\n\r\n0;a=b\r\nT: x\r\n\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_may_be_cut_anywhere(message: bytes) -> None:
    whole = read([message])

    assert whole[2]
    for first in range(len(message)):
        for second in range(first, len(message)):
            assert read([message[:first], message[first:second], message[second:]]) == whole
    assert read([message[i : i + 1] for i in range(len(message))]) == whole


DATA = st.one_of(st.binary(max_size=20), st.lists(st.sampled_from([b"\r", b"\n", b"0", b"a"])).map(b"".join))
SIZES = st.sampled_from([b"%x", b"%X", b"0%x", b"%x;name=value", b'%x;q="a;b"'])
TRAILER = st.sampled_from([b"A: b\r\n", b"Upgrade: x\r\nConnection: upgrade\r\n", b"Empty:\r\n"])
TRAILERS = st.lists(TRAILER, max_size=2).map(b"".join)


@given(st.lists(st.tuples(DATA, SIZES)), TRAILERS, st.binary(max_size=30), st.lists(st.integers(0, 400)))
def test_any_split_of_any_message_gives_the_same(
    chunks: list[tuple[bytes, bytes]], trailers: bytes, rest: bytes, places: list[int]
) -> None:
    written = [size % len(data) + b"\r\n" + data + b"\r\n" for data, size in chunks if data]
    message = b"".join(written) + b"0\r\n" + trailers + b"\r\n"
    data = b"".join(data for data, _ in chunks)

    assert read([message + rest]) == (data, rest, True)
    assert read(split(message + rest, places)) == (data, rest, True)


@pytest.mark.parametrize(
    "message",
    [
        b"x\r\n",
        b"-1\r\n\r\n",
        b"+1\r\na\r\n",
        b"0x1\r\na\r\n",
        b" 1\r\na\r\n",
        b"\r\n",
        b"1\na\r\n0\r\n\r\n",
        b"1\r\na\n0\r\n\r\n",
        b"1\r\nab\r\n0\r\n\r\n",
        b"1\r\na0\r\n\r\n",
        b"11111111111111111\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\n: no name\r\n\r\n",
        b"0\r\nA: b\r\n folded\r\n\r\n",
        b"0\r\nA: \x00\r\n\r\n",
        b"1\r\na\r\n0\r\nA : b\r\n\r\n",
        b"0\r\nContent-Length: 3\r\n\r\n",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_broken_framing_is_refused_wherever_it_is_cut(message: bytes) -> None:
    with pytest.raises(MalformedChunk):
        read([message])
    with pytest.raises(MalformedChunk):
        read([message[i : i + 1] for i in range(len(message))])


def test_pieces_are_written_as_one_chunk() -> None:
    assert encode([b"hello", b", ", b"world!"]) == b"d\r\nhello, world!\r\n"


@pytest.mark.parametrize("pieces", [[], [b""], [b"", b""]])
def test_nothing_is_written_for_nothing(pieces: list[bytes]) -> None:
    assert encode(pieces) == b""


@given(st.lists(st.lists(st.binary(max_size=30))))
def test_what_is_written_is_what_is_read(bodies: list[list[bytes]]) -> None:
    message = b"".join(map(encode, bodies)) + LAST_CHUNK

    assert read([message]) == (b"".join(map(b"".join, bodies)), b"", True)
