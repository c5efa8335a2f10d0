"""The host names that a worker's routes lead to, each kept up to date for as long as a route does so."""

import asyncio
import logging
import random
from collections.abc import Callable
from time import perf_counter
from typing import Protocol
from weakref import WeakSet, WeakValueDictionary

from kairos.config.document import Discovery
from kairos.discovery.names import Answer, Name
from kairos.discovery.resolver import NotResolved, Resolver

SLICE_SECONDS = 0.002  # the longest that a change keeps requests waiting
MOVED_SECONDS = 0.5  # how long a request waits for word of a backend that is gone

_log = logging.getLogger("kairos.discovery")


class Resolving(Protocol):
    """What knows the addresses of names."""

    async def resolve(self, host: str) -> Answer:
        """Return the addresses of a name. Raises NotResolved."""


class Watcher(Protocol):
    """Who wants to know when the addresses of a name change."""

    def addresses_changed(self) -> None:
        """Look at the addresses again."""


class Host:
    """One name. Whoever holds this object keeps it up to date."""

    __slots__ = (
        "__weakref__",
        "_loop",
        "_name",
        "_resolver",
        "_untold",
        "_watchers",
        "asking",
        "host",
    )

    def __init__(self, host: str, resolver: Resolving, settings: Discovery, loop: asyncio.AbstractEventLoop) -> None:
        self.host = host
        self._resolver = resolver
        self._loop = loop
        self._name = Name(settings.min_ttl, settings.max_ttl)
        self._watchers: WeakSet[Watcher] = WeakSet()
        self._untold: list[Watcher] = []  # those who have not heard yet of the last change
        self.asking: asyncio.Task[None] | None = None  # the question that is under way

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses to use now; none if the name has never been resolved."""
        return self._name.addresses

    @property
    def is_new(self) -> bool:
        """Say whether no question has come to an end yet."""
        return not (self._name.addresses or self._name.is_failing)

    def watch(self, watcher: Watcher) -> None:
        """Tell this one, for as long as it lives, when the addresses have changed."""
        self._watchers.add(watcher)

    def refresh(self, now: float) -> None:
        """Ask, if it is time to."""
        if self._name.is_due(now):
            self._name.asked(now)
            self.asking = self._loop.create_task(self._ask())

    async def latest(self, seconds: float | None = None) -> tuple[str, ...]:
        """Return the addresses, after the answer to a question that is due or under way, if it comes in `seconds`."""
        self.refresh(self._loop.time())
        if self.asking is not None:
            await asyncio.wait((self.asking,), timeout=seconds)
        return self.addresses

    async def elsewhere(self, address: str) -> tuple[str, ...]:
        """Return where else to go when `address` has refused and no other of its family is left to try.

        That is the other family, or where the name has moved to.
        """
        if address in self.addresses:
            if len(self.addresses) > 1:
                return ()
            await self.latest(MOVED_SECONDS)
        return tuple(other for other in self.addresses if other != address)

    def refused(self, address: str) -> None:
        """Note that no connection to an address could be opened: ask again at once, unless that was just done."""
        now = self._loop.time()
        if self._name.refused(address, now):
            self._tell()
        self.refresh(now)

    def reached(self, address: str) -> None:
        """Note that a connection to an address has been opened."""
        self._name.reached(address)

    def stop(self) -> None:
        """Ask no more."""
        if self.asking is not None:
            self.asking.cancel()

    async def _ask(self) -> None:
        name = self._name
        try:
            answer = await self._resolver.resolve(self.host)
            if name.is_failing:
                _log.info("%s can be resolved again", self.host)
            if name.answered(answer, self._loop.time(), random.random()):  # noqa: S311
                self._tell()
        except NotResolved as error:
            if not name.is_failing:
                known = f"it stays at {', '.join(name.addresses)}" if name.addresses else "no address is known"
                _log.warning("%s cannot be resolved: %s; %s", self.host, error, known)
        finally:
            self.asking = None
            if name.is_asked:
                name.failed(self._loop.time(), random.random())  # noqa: S311

    def _tell(self) -> None:
        _log.info("%s is at %s", self.host, ", ".join(self.addresses))
        self._untold = list(self._watchers)
        self._tell_some()

    def _tell_some(self) -> None:
        """Tell the watchers, giving way to requests after every slice of time: thousands of routes may share a name."""
        end = perf_counter() + SLICE_SECONDS
        try:
            while self._untold and perf_counter() < end:
                self._untold.pop().addresses_changed()
        finally:
            if self._untold:
                self._loop.call_soon(self._tell_some)


class Hosts:
    """All names in use, each once for every way to resolve it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, resolver: Callable[[Discovery], Resolving] = Resolver) -> None:
        self._loop = loop
        self._make_resolver = resolver
        self._hosts: WeakValueDictionary[tuple[str, Discovery], Host] = WeakValueDictionary()
        self._resolver: tuple[Discovery, Resolving] | None = None  # the newest, which most names share

    def host(self, name: str, settings: Discovery) -> Host:
        """Return what keeps a name up to date."""
        host = self._hosts.get((name, settings))
        if host is None:
            host = self._hosts[name, settings] = Host(name, self._resolver_of(settings), settings, self._loop)
        return host

    async def learn(self, seconds: float) -> None:
        """Wait until every name has been asked for once, whatever came of it, but not for longer than `seconds`."""
        new = [host for host in self._hosts.values() if host.is_new]
        self.refresh(self._loop.time())
        asking = [host.asking for host in new if host.asking is not None]
        if asking:
            await asyncio.wait(asking, timeout=seconds)

    def refresh(self, now: float) -> None:
        """Ask for the names that are due."""
        for host in list(self._hosts.values()):
            host.refresh(now)

    def stop(self) -> None:
        """Ask no more."""
        for host in list(self._hosts.values()):
            host.stop()

    def _resolver_of(self, settings: Discovery) -> Resolving:
        if self._resolver is None or self._resolver[0] != settings:
            self._resolver = (settings, self._make_resolver(settings))
        return self._resolver[1]
