"""The doubles behave like what they stand for."""

import asyncio

import pytest

from tests.fakes import FakeTransport, ManualClock


class Witness(asyncio.Protocol):
    """A protocol that keeps what it was told."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def pause_writing(self) -> None:
        self.heard.append("pause")

    def resume_writing(self) -> None:
        self.heard.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.heard.append(("lost", exc))


@pytest.fixture
def protocol() -> Witness:
    return Witness()


@pytest.fixture
def transport(protocol: Witness) -> FakeTransport:
    return FakeTransport(protocol)


def test_clock_moves_only_when_told() -> None:
    clock = ManualClock(5.0)

    assert clock() == clock() == 5.0
    assert clock.advance(0.5) == clock() == 5.5
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


def test_keeps_what_was_written_until_it_is_taken(transport: FakeTransport) -> None:
    transport.write(b"GET ")
    transport.writelines([b"/ ", b"HTTP/1.1"])

    assert transport.take() == b"GET / HTTP/1.1"
    assert transport.take() == b""


def test_a_stalled_peer_pauses_writing_above_the_high_water_mark(transport: FakeTransport, protocol: Witness) -> None:
    transport.set_write_buffer_limits(high=10)
    transport.stall()

    transport.write(b"x" * 10)
    assert protocol.heard == []
    transport.write(b"x")
    transport.write(b"x")
    assert protocol.heard == ["pause"]
    assert transport.get_write_buffer_size() == 12

    transport.flow()
    assert protocol.heard == ["pause", "resume"]
    assert transport.get_write_buffer_size() == 0


def test_the_protocol_hears_of_the_end_when_the_test_says_so(transport: FakeTransport, protocol: Witness) -> None:
    transport.close()
    transport.write(b"too late")

    assert transport.is_closing()
    assert not transport.is_reading()
    assert transport.take() == b""
    assert protocol.heard == []

    error = ConnectionResetError()
    transport.lose(error)
    assert protocol.heard == [("lost", error)]


def test_reading_can_be_paused(transport: FakeTransport) -> None:
    transport.pause_reading()
    assert not transport.is_reading()
    transport.resume_reading()
    assert transport.is_reading()
