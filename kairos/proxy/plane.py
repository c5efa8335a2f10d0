"""What the connections of one worker share."""

import asyncio
import os
from typing import TYPE_CHECKING

from kairos.proxy.ticker import Ticker
from kairos.shm.zone import Row

if TYPE_CHECKING:
    from kairos.proxy.access_log import AccessLog
    from kairos.proxy.downstream import Downstream
    from kairos.proxy.snapshot import Snapshot

_RANDOM_BYTES = 4096
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))  # its two upper bits are 10


class DataPlane:
    """The worker's clock, counters, current snapshot and open connections."""

    __slots__ = (
        "_at",
        "_random",
        "access_log",
        "downstreams",
        "is_draining",
        "is_ready",
        "loop",
        "row",
        "snapshot",
        "started_clock",
        "ticker",
    )

    snapshot: "Snapshot"

    def __init__(self, loop: asyncio.AbstractEventLoop, row: Row, started_clock: float) -> None:
        """Begin without a snapshot: one has to be set before the first client is accepted."""
        self.loop = loop
        self.row = row
        self.started_clock = started_clock  # CLOCK_MONOTONIC, seconds
        self.ticker = Ticker(loop)
        self.access_log: AccessLog | None = None
        self.downstreams: set[Downstream] = set()
        self.is_ready = False
        self.is_draining = False
        self._random = ""  # digits for the next ids
        self._at = 0

    def request_id(self) -> str:
        """Return a random UUID (RFC 9562 section 5.4)."""
        at = self._at
        if at >= len(self._random):
            self._random = os.urandom(_RANDOM_BYTES).hex()
            at = 0
        self._at = at + 32
        digits = self._random[at : at + 32]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANT[digits[16:17]]}{digits[17:20]}-{digits[20:]}"
