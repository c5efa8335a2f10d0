"""A backend as one route sees it: whether it takes requests now, and what its answers say about it."""

import logging
from random import random
from typing import TYPE_CHECKING

from kairos.resilience.breaker import PASSED, REFUSED

if TYPE_CHECKING:
    from kairos._speedups.selection import Loads
    from kairos.config.document import Backend
    from kairos.proxy.pool import Pool
    from kairos.resilience.breaker import Breaker
    from kairos.resilience.ejection import Ejection
    from kairos.resilience.volume import Volume

LEAST_RAMP = 0.1  # the share of its requests that a backend gets right after it has come back

_REFUSED, _PASSED = REFUSED, PASSED
_LEAST_RAMP = LEAST_RAMP
_log = logging.getLogger("kairos.resilience")


class Target:
    """One backend of one route.

    How it works: the exchange asks the targets in order of choice with `is_up`, `is_ready` and `take`, and reports to
    the one it took with `succeeded`, `failed` or `abandoned`. What the backend shares with other routes and workers is
    in the breaker, the ejection and the pool; `is_down` and `came_up_at` are written by whoever checks its health.
    """

    __slots__ = (
        "breaker",
        "came_up_at",
        "checked_as",
        "counts_status",
        "ejection",
        "health_word",
        "is_down",
        "is_drained",
        "key",
        "loads",
        "minimum",
        "most_connections",
        "most_requests",
        "number",
        "pool",
        "slow_start",
        "volume",
        "weight",
    )

    def __init__(self, pool: "Pool", weight: int = 1, *, key: bytes = b"") -> None:
        self.pool = pool
        self.weight = weight
        self.key = key  # names route and backend for all workers and generations
        self.is_drained = False  # by the operator: it takes nothing new
        self.checked_as: Backend | None = None  # whom its active check asks, and how; None leaves it alone
        self.health_word = 0  # the index of the word with what its active check has found
        self.is_down = False  # its active check says so
        self.came_up_at = 0.0  # when its active check found it well again
        self.breaker: Breaker | None = None
        self.ejection: Ejection | None = None
        self.counts_status: frozenset[int] | None = None  # the statuses that the breaker takes for failures
        self.volume: Volume | None = None
        self.minimum = 0  # requests that the breaker wants to have seen lately
        self.slow_start = 0.0  # seconds until it gets its full share after it has come back
        self.loads: Loads | None = None  # of all workers, where requests or connections are limited
        self.number = 0  # its place among them
        self.most_requests = 0  # at a time, over all workers; 0 is any number
        self.most_connections = 0

    def is_up(self, now: float) -> bool:
        """Say whether nothing speaks against it: neither its checks nor its answers."""
        ejection = self.ejection
        return not self.is_down and (ejection is None or not ejection.is_out(now))

    def is_ready(self, now: float) -> bool:
        """Say whether to prefer it. One that has just come back says yes to some requests only."""
        return self.slow_start == 0 or self._ramp(now) >= random()  # noqa: S311

    def take(self, now: float) -> int:
        """Ask for one request: REFUSED, PASSED or PROBE. Whoever passes has to report."""
        if self.is_drained or (self.loads is not None and self.is_full()):
            return _REFUSED
        breaker = self.breaker
        return _PASSED if breaker is None else breaker.take(now)

    def is_full(self) -> bool:
        """Say whether it has as many requests as it may have. The one that asks is not among them yet."""
        return self.loads is not None and self.loads.load(self.number) >= self.most_requests

    def succeeded(self, now: float, is_probe: bool) -> None:
        """Note that it has answered."""
        if self.breaker is not None:
            self.breaker.succeeded(is_probe)
        if self.volume is not None:
            self.volume.add(now)

    def abandoned(self) -> None:
        """Note that a probe has told nothing."""
        if self.breaker is not None:
            self.breaker.abandoned()

    def failed(self, now: float, is_probe: bool, why: str) -> None:
        """Note that it could not be reached, or did not answer."""
        if self.breaker is None:
            return
        may_open = self.volume is None or self.volume.add(now) >= self.minimum
        if self.breaker.failed(now, is_probe, may_open):
            _log.warning("backend %s is left alone: %s", self.pool.address, why)

    def erred(self, now: float, others_are_well: bool) -> None:
        """Note an answer that is an error, which may get it ejected."""
        if self.ejection is not None and self.ejection.failed(now, others_are_well):
            seconds = self.ejection.returned_at() - now
            _log.warning("backend %s is taken out for %.0f s: too many errors", self.pool.address, seconds)

    def _ramp(self, now: float) -> float:
        """Return the share of its requests that it may get, from LEAST_RAMP to 1."""
        since = self.came_up_at
        if self.ejection is not None:
            since = max(since, self.ejection.returned_at())
        return 1.0 if since == 0 else max((now - since) / self.slow_start, _LEAST_RAMP)
