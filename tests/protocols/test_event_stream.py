"""An event ends with an empty line, whatever the lines end with and wherever reads have cut them."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.protocols.event_stream import EventStream

PIECES = (b"\n", b"\r\n", b"\r", b"data: x", b":", b": ping", b"id: 1", b"x", b"a longer piece of an event")


@pytest.fixture
def events() -> EventStream:
    return EventStream()


def test_is_between_events_before_the_first(events: EventStream) -> None:
    assert events.is_between


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\r\n\n", b"\n\r\n", b"\r\r\n"])
def test_an_empty_line_ends_an_event(events: EventStream, end: bytes) -> None:
    assert events.take(b"data: 1") == 0
    assert not events.is_between

    assert events.take(end) == len(end)
    assert events.is_between


@pytest.mark.parametrize("line", [b"data: 1\n", b"data: 1\r\n", b"data: 1\r", b"d", b"data: " + bytes(1000) + b"\n"])
def test_a_line_alone_ends_none(events: EventStream, line: bytes) -> None:
    assert events.take(line) == 0

    assert not events.is_between


def test_tells_how_much_belongs_to_whole_events(events: EventStream) -> None:
    assert events.take(b"data: 1\n\ndata: 2\n\ndata") == 18
    assert events.take(b": 3\n") == 0
    assert events.take(b"\ndata: 4") == 1


def test_a_comment_is_no_event(events: EventStream) -> None:
    assert events.take(b": ping\n") == 7
    assert events.is_between

    assert events.take(b": pi") == 0
    assert events.take(b"ng, and more\r\n") == 14
    assert events.is_between


def test_a_comment_within_an_event_does_not_end_it(events: EventStream) -> None:
    events.take(b"data: 1\n")

    assert events.take(b": ping\n") == 0
    assert not events.is_between


def plain(text: bytes) -> bool:
    """Say the same as `is_between`, line by line."""
    *lines, unfinished = re.split(rb"\r\n|\r|\n", text)
    is_open = False
    for line in lines:
        is_open = bool(line) and (is_open or not line.startswith(b":"))
    return not is_open and not unfinished


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.lists(st.integers(0, 60), max_size=6))
def test_however_it_is_cut(pieces: list[bytes], cuts: list[int]) -> None:
    text = b"".join(pieces)
    subject = EventStream()
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})

    for start, end in pairwise(places):
        whole = subject.take(text[start:end])
        assert 0 <= whole <= end - start
        assert subject.is_between == plain(text[:end])
        assert not whole or plain(text[: start + whole])
        assert subject.is_between == (whole == end - start)


def test_what_is_remembered_does_not_grow(events: EventStream) -> None:
    for _ in range(100):
        events.take(b"data: a long line\n")

    assert len(events._rest) <= 4
