"""What the connections of one worker share."""

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from kairos._speedups import coarse_time, uuid4
from kairos.discovery.hosts import Hosts
from kairos.proxy.hangups import Hangups
from kairos.proxy.limits import LimitLog
from kairos.proxy.poller import Poller
from kairos.proxy.ticker import Ticker
from kairos.resilience.retry import Budget
from kairos.shm.zone import Row

if TYPE_CHECKING:
    from kairos.proxy.access_log import AccessLog
    from kairos.proxy.crowd import Crowd
    from kairos.proxy.downstream import Downstream
    from kairos.proxy.generation import Snapshot
    from kairos.proxy.tunnel import Tunnel

_RANDOM_BYTES = 4096


class DataPlane:
    """The worker's clock, counters, current snapshot and open connections."""

    __slots__ = (
        "_at",
        "_clock",
        "_random",
        "access_log",
        "crowds",
        "downstreams",
        "hangups",
        "hosts",
        "in_flight",
        "is_draining",
        "is_ready",
        "limit_log",
        "loop",
        "poller",
        "retry_budget",
        "row",
        "snapshot",
        "started_clock",
        "ticker",
        "tunnels",
    )

    snapshot: "Snapshot"

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        row: Row,
        started_clock: float,
        hosts: Hosts | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Begin without a snapshot: one has to be set before the first client is accepted.

        `hosts` finds the addresses of backends; None makes it. `clock` tells the seconds of CLOCK_MONOTONIC; None takes
        the cheapest that there is.
        """
        self._clock = clock
        self.loop = loop
        self.row = row
        self.started_clock = started_clock  # CLOCK_MONOTONIC, seconds
        self.ticker = Ticker(loop)
        self.hangups = Hangups(loop)  # of connections that are paused
        self.poller = Poller(loop)  # of those over TLS
        self.hosts = hosts or Hosts(loop)
        self.ticker.on_tick(self.hosts.refresh)
        self.access_log: AccessLog | None = None
        self.limit_log = LimitLog()
        self.downstreams: set[Downstream] = set()
        self.tunnels: set[Tunnel] = set()
        self.crowds: set[Crowd] = set()  # those in which requests wait
        self.retry_budget = Budget()
        self.ticker.on_tick(self._move_up)
        self.in_flight = 0
        self.is_ready = False
        self.is_draining = False
        self._random = b""  # for the next ids
        self._at = 0

    def time(self) -> float:
        """Return the time: some milliseconds ago, where `ticker.now` may be some hundreds."""
        return coarse_time() if self._clock is None else self._clock()

    def _move_up(self, now: float) -> None:
        """Let requests in that wait, if there is room by now."""
        for crowd in tuple(self.crowds):
            crowd.move_up(now)

    def request_id(self) -> bytes:
        """Return a random UUID (RFC 9562 section 5.4)."""
        at = self._at
        if at >= len(self._random):
            self._random = os.urandom(_RANDOM_BYTES)
            at = 0
        self._at = at + 16
        return uuid4(self._random, at)
