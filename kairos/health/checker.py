"""Keep checking the backends of the current config, in one worker for all; and let every worker know what was found.

How it works
------------
What a check finds is recorded in a word of the zone for each backend of each route (`kairos.resilience.health`). At
every tick each worker reads the words, and tells its targets when one has changed. The worker that holds the lease
(`kairos.resilience.lease`) also probes: the checks wait in a queue by the moment at which they are due, and a limited
number of probes runs at a time, each a task. Whoever takes the lease over begins with an interval in which the first
probes are spread evenly; from then on each comes after its interval, more or less a tenth, so that they stay apart.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from heapq import heapify, heappop, heappush
from typing import Protocol

from kairos.config.document import Backend, HealthCheck
from kairos.resilience.health import Health, Thresholds, record
from kairos.resilience.lease import Lease
from kairos.shm.zone import Zone

JITTER = 0.1  # of the interval
MOST_PROBES = 64  # at a time

Probe = Callable[[Backend, HealthCheck], Awaitable[str | None]]
"""Return in words why a backend is not well, or None if it is. Raises NotAsked."""

_log = logging.getLogger("kairos.health")


class NotAsked(Exception):
    """It is our own fault that a backend could not be asked, which says nothing about it; the message tells why."""


class Target(Protocol):
    """A backend as one route sees it."""

    key: bytes
    """Names route and backend for all workers and configs."""
    checked_as: Backend | None
    """Whom to ask, and how."""
    health_word: int
    """The index of the word with its state."""
    is_down: bool
    came_up_at: float


class Route(Protocol):
    """Some of its targets are to be checked. They may become others."""

    @property
    def pattern(self) -> str:
        """What to call the route."""

    @property
    def targets(self) -> Sequence[Target]:
        """Return the same object as long as they are the same."""


class _Check:
    """The check of one backend of one route. The same backend may be in a route more than once."""

    __slots__ = ("backend", "check", "is_gone", "probing", "route", "seen", "targets", "thresholds", "word")

    def __init__(self, route: Route, backend: Backend, check: HealthCheck, word: int) -> None:
        self.route = route
        self.backend = backend
        self.check = check
        self.thresholds = Thresholds(check.unhealthy_threshold, check.healthy_threshold)
        self.word = word  # its index
        self.targets: list[Target] = []
        self.seen = 0  # what the targets have been told
        self.probing: asyncio.Task[str | None] | None = None
        self.is_gone = False

    def tell(self, word: int) -> None:
        """Let the targets know what a word says."""
        self.seen = word
        health = Health.of(word)
        for target in self.targets:
            target.is_down = health.is_down
            if health.changes and not health.is_down:
                target.came_up_at = max(target.came_up_at, health.changed_at)

    @property
    def name(self) -> str:
        """What to call it in the log."""
        host = f"[{self.backend.host}]" if ":" in self.backend.host else self.backend.host
        at = f" at {self.backend.address}" if self.backend.address else ""
        return f"backend {self.backend.scheme}://{host}:{self.backend.port}{at} of {self.route.pattern}"


class Checker:
    """One worker's part in the health checks. `tick` is for the ticker."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        zone: Zone,
        slot: int,
        probe: Probe,
        draw: Callable[[float, float], float],
    ) -> None:
        """`draw` returns a random number between two others."""
        self._loop = loop
        self._zone = zone
        self._cells = zone.cells
        self._lease = Lease(zone.cells, zone.word(b"health lease"), slot)
        self._probe = probe
        self._draw = draw
        self._routes: dict[Route, Sequence[Target]] = {}  # those to check, with the targets that they had then
        self._checks: dict[bytes, _Check] = {}
        self._due: list[tuple[float, int, _Check]] = []  # a heap: when, a number against ties, and what
        self._scheduled = 0
        self._probing: set[asyncio.Task[str | None]] = set()
        self._has_complained = False  # that nothing can be asked
        self._may_lead = True
        self._leads = False
        self._now = 0.0

    def follow(self, routes: Iterable[Route], now: float) -> None:
        """Check from now on the backends of these routes, as far as they want it, and tell them what is known.

        What was checked before and is checked alike goes on undisturbed; what is gone is asked no more.
        """
        self._now = now
        before, self._routes = self._routes, {route: route.targets for route in routes}
        gone: list[_Check] = []
        for route in self._routes:
            if before.get(route) is not self._routes[route]:
                gone += self._look_at(route, before.get(route, ()))
        for route, targets in before.items():
            if route not in self._routes:
                gone += self._take_out(route, targets)
        self._forget(gone)
        if not self._checks:
            self._let_go()

    def tick(self, now: float) -> None:
        """Tell the targets what is new, and begin the probes that are due if it is on us to probe."""
        self._now = now
        if any(route.targets is not targets for route, targets in self._routes.items()):
            self.follow(list(self._routes), now)
        if not self._checks:
            return
        self._read()
        if not self._may_lead or not self._lease.keep(now):
            self._let_go()
            return
        if not self._leads:
            self._leads = True
            for check in self._checks.values():
                if check.probing is None:  # else it is being broken off, and followed by the next
                    self._schedule_first(check)
        self._begin_due(now)

    async def stop(self) -> None:
        """Probe no more, and let the next worker do it. What others find is still told to the targets."""
        self._may_lead = False
        probing = list(self._probing)
        self._let_go()
        self._lease.give_up()
        await asyncio.gather(*probing, return_exceptions=True)

    def _look_at(self, route: Route, before: Sequence[Target]) -> list[_Check]:
        """Check the targets that a route has now; return the checks of those that it had before and that are gone."""
        gone: list[_Check] = []
        fresh: dict[bytes, _Check] = {}
        for target in self._routes[route]:
            backend = target.checked_as
            if backend is None or backend.health_check is None:
                continue
            check = fresh.get(target.key)
            if check is None:
                check = self._checks.get(target.key)
                if check is None or check.backend != backend:
                    gone += [] if check is None else [check]
                    check = self._begin(route, target, backend, backend.health_check)
                if check is None:
                    continue
                fresh[target.key] = check
                check.route, check.targets = route, []
            check.targets.append(target)
        for check in fresh.values():
            check.tell(self._cells.load(check.word))
        return gone + self._take_out(route, [target for target in before if target.key not in fresh])

    def _begin(self, route: Route, target: Target, backend: Backend, check: HealthCheck) -> _Check | None:
        """Return a new check; None if there is no room for what it finds."""
        begun = _Check(route, backend, check, target.health_word)
        if target.health_word == self._zone.shared_word:
            _log.error("%s is not checked: the shared memory has no room for its state", begun.name)
            return None
        self._checks[target.key] = begun
        if self._leads:
            self._schedule_first(begun)
        return begun

    def _take_out(self, route: Route, targets: Iterable[Target]) -> list[_Check]:
        """Return the checks of targets that a route has no more, unless another route has taken them over."""
        gone = []
        for target in targets:
            check = self._checks.get(target.key)
            if check is not None and check.route is route:
                gone.append(self._checks.pop(target.key))
        return gone

    def _read(self) -> None:
        """Tell the targets whose words have changed."""
        load = self._cells.load
        for check in self._checks.values():
            if (word := load(check.word)) != check.seen:
                check.tell(word)

    def _schedule_first(self, check: _Check) -> None:
        self._schedule(check, self._now + self._draw(0.0, check.check.interval))

    def _schedule(self, check: _Check, at: float) -> None:
        self._scheduled += 1
        heappush(self._due, (at, self._scheduled, check))

    def _begin_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now and len(self._probing) < MOST_PROBES:
            check = heappop(self._due)[2]
            check.probing = self._loop.create_task(self._probed(check))
            self._probing.add(check.probing)
            check.probing.add_done_callback(partial(self._ended, check, now))

    async def _probed(self, check: _Check) -> str | None:
        return await self._probe(check.backend, check.check)

    def _ended(self, check: _Check, began: float, task: asyncio.Task[str | None]) -> None:
        """Let the next probe follow, and record what this one has found, unless it was broken off."""
        self._probing.discard(task)
        check.probing = None
        if self._leads and not check.is_gone:
            interval = check.check.interval * self._draw(1 - JITTER, 1 + JITTER)
            self._schedule(check, max(self._now, began + interval))
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, NotAsked):
            if not self._has_complained:
                _log.warning("backends cannot be checked: %s", error)
            self._has_complained = True
            return
        self._has_complained = False
        if error is not None:
            _log.error("cannot check %s", check.name, exc_info=error)
        elif not check.is_gone and self._lease.is_ours(self._now):
            self._record(check, task.result())

    def _record(self, check: _Check, reason: str | None) -> None:
        news = record(self._cells, check.word, reason is None, self._now, check.thresholds)
        if news is None:
            return
        if news.is_down:
            _log.warning("%s is down: %s", check.name, reason)
        else:
            _log.info("%s is up again", check.name)

    def _forget(self, gone: list[_Check]) -> None:
        for check in gone:
            check.is_gone = True
            if check.probing is not None:
                check.probing.cancel()
        if gone:
            self._due = [due for due in self._due if not due[2].is_gone]
            heapify(self._due)

    def _let_go(self) -> None:
        """Probe no more, because another does or nothing is left to be checked."""
        if self._leads:
            self._leads = False
            self._due.clear()
            self._lease.give_up()
            for task in list(self._probing):
                task.cancel()
