"""The coarse clock of a worker, and the deadlines of its connections.

How it works: no timer is set or moved per request. A connection keeps the moment at which it loses patience in its
attribute `deadline`, and the ticker asks every connection about it once a second: a quarter of them at each of four
ticks. Moving a deadline is one assignment; asking costs about 50 ns, so 10,000 connections cost half a millisecond per
second. A deadline is met at most 1.25 s late.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from math import inf
from typing import Protocol

TICK_SECONDS = 0.25
NEVER = inf


class Patient(Protocol):
    """Something that loses patience."""

    deadline: float

    def expired(self, now: float) -> None:
        """Act on a deadline that has passed; set another, or end."""


class Ticker:
    """Keep coarse time, and call those whose deadline has passed."""

    __slots__ = ("_handle", "_loop", "_on_tick", "_slots", "_turn", "date_line", "now")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: tuple[set[Patient], ...] = tuple(set() for _ in range(round(1 / TICK_SECONDS)))
        self._turn = 0
        self._on_tick: list[Callable[[float], None]] = []
        self._handle: asyncio.TimerHandle | None = None
        self.now = loop.time()
        self.date_line = b""

    def start(self) -> None:
        """Tick from now on."""
        self.now = self._loop.time()
        self.date_line = date_line(time.time())
        self._handle = self._loop.call_later(TICK_SECONDS, self._tick)

    def stop(self) -> None:
        """Tick no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def on_tick(self, call: Callable[[float], None]) -> None:
        """Call with the time at every tick."""
        self._on_tick.append(call)

    def watch(self, item: Patient) -> None:
        """Ask this one about its deadline from now on, until `forget`."""
        self._slots[hash(item) % len(self._slots)].add(item)

    def forget(self, item: Patient) -> None:
        """Ask this one no more."""
        self._slots[hash(item) % len(self._slots)].discard(item)

    def _tick(self) -> None:
        self._handle = self._loop.call_later(TICK_SECONDS, self._tick)
        self.advance(self._loop.time(), time.time())

    def advance(self, now: float, wall: float) -> None:
        """Make it `now` (monotonic) and `wall` (Unix time), and call those of the next slot who are due."""
        self.now = now
        self.date_line = date_line(wall)
        self._turn = (self._turn + 1) % len(self._slots)
        for item in tuple(self._slots[self._turn]):
            if item.deadline <= now:  # those before it may have moved it
                item.expired(now)
        for call in self._on_tick:
            call(now)


def date_line(wall: float) -> bytes:
    """Return the Date field for a Unix time (RFC 9110 section 6.6.1)."""
    return b"Date: " + format_datetime(datetime.fromtimestamp(wall, UTC), usegmt=True).encode() + b"\r\n"
