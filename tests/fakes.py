"""Doubles for what tests must control: time, and the network side of a connection."""

import asyncio
from collections.abc import Iterable
from typing import Any


class ManualClock:
    """A clock that moves when the test says so. Call it for the time in seconds."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        """Let time pass; returns the new time."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self.now += seconds
        return self.now


class FakeTransport(asyncio.Transport):
    """A transport that keeps what is written to it, and never touches a socket.

    Everything is delivered at once until `stall`; then bytes count as unsent and the protocol is told to pause above
    the high-water mark, as asyncio does, until `flow`. Nothing is called back behind the test's back: after `close` or
    `abort` the protocol hears of its end when the test calls `lose`.
    """

    def __init__(self, protocol: asyncio.BaseProtocol | None = None, **extra: Any) -> None:
        super().__init__({"peername": ("192.0.2.1", 50000), "sockname": ("192.0.2.2", 5900), **extra})
        self.protocol = protocol
        self.written: list[bytes] = []
        self.is_stalled = False
        self.is_closed = False
        self.is_aborted = False
        self.eof_written = False
        self._is_reading = True
        self._unsent = 0
        self._is_paused = False
        self.set_write_buffer_limits()

    # What the test says.

    def take(self) -> bytes:
        """Return what was written since the last call."""
        data = b"".join(self.written)
        self.written.clear()
        return data

    def stall(self) -> None:
        """Let the peer stop reading."""
        self.is_stalled = True

    def flow(self) -> None:
        """Let the peer read everything."""
        self.is_stalled = False
        self._unsent = 0
        self._resume_if_low()

    def lose(self, error: Exception | None = None) -> None:
        """End the connection; the protocol hears of it now."""
        self.is_closed = True
        assert self.protocol is not None
        self.protocol.connection_lost(error)

    # What the protocol says.

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self.protocol is not None
        return self.protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.eof_written, "write after write_eof"
        if self.is_closed:
            return  # as asyncio: bytes for a closed connection are dropped
        self.written.append(bytes(data))
        if self.is_stalled:
            self._unsent += len(data)
            self._pause_if_high()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        self.eof_written = True

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return self._unsent

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = 64 * 1024 if high is None else high
        self._low = self._high // 4 if low is None else low

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True

    def is_reading(self) -> bool:
        return self._is_reading and not self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True
        self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_closed

    def _pause_if_high(self) -> None:
        if self._unsent > self._high and not self._is_paused:
            self._is_paused = True
            self.get_protocol().pause_writing()

    def _resume_if_low(self) -> None:
        if self._is_paused and self._unsent <= self._low:
            self._is_paused = False
            self.get_protocol().resume_writing()
