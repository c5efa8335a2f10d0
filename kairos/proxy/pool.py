"""The connections to one backend: idle ones to take, and how many exchanges it has in flight."""

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, cast
from weakref import WeakSet, WeakValueDictionary

from kairos._speedups.selection import Loads
from kairos.balancing.latency import Latency
from kairos.config.document import Backend
from kairos.errors import Overloaded, UpstreamError
from kairos.protocols.http1.serialize import host_line
from kairos.proxy.connector import Connector
from kairos.proxy.owned import Owned
from kairos.proxy.reuse import Reuse
from kairos.proxy.ticker import TICK_SECONDS
from kairos.proxy.upstream_tls import SCHEMES as TLS_SCHEMES
from kairos.resilience.keepalive import KeepAlive
from kairos.shm import layout

if TYPE_CHECKING:
    import asyncio

    from kairos.config.document import Tls
    from kairos.protocols.http1.head import ResponseHead
    from kairos.proxy.exchange import Exchange
    from kairos.proxy.plane import DataPlane
    from kairos.proxy.upstream import Upstream
    from kairos.shm.zone import Row, Zone

TRUSTED_SECONDS = 0.25  # so long after its last answer a connection is taken without a look at its socket
JITTER = 0.1  # of the life of a connection, so that those opened together do not end together
MOST_WATCHED = 3
WATCH_SECONDS = 300.0  # or as long as a connection may be used, if that is less; and this much longer:
WATCHED_LONGER = 1.2
APART_SECONDS = 0.5  # connections that end in the same moment tell no more than one of them
SERVED_SECONDS = 1.0  # so long one is watched that has served enough
QUICK_SECONDS = 1.0  # a request that was lost later has been worked on: its connection was not stale

_TRUSTED_SECONDS = TRUSTED_SECONDS
_LAG_SECONDS = 2 * TICK_SECONDS  # how far the ticker may be behind the precise clock
_REUSES = layout.UPSTREAM_REUSES

Key: TypeAlias = "tuple[str, str, str, int, Tls | None, str | None]"


class Pool:
    """Keep the connections to one backend. The freshest idle one is used first, so that the others can age out.

    How it works: a connection is idle until it is too old to be used, or has served enough. A few of those are then
    watched: no request gets them, they only stay open to see when the backend closes them.
    """

    __slots__ = (
        "__weakref__",
        "_connector",
        "_idle",
        "_loads",
        "_opened",
        "_plane",
        "_reuse",
        "_watched",
        "address",
        "backend",
        "gauge",
        "host_line",
        "is_leaving",
        "is_tls",
        "latency",
        "owned",
        "routes",
    )

    def __init__(
        self,
        plane: "DataPlane",
        backend: Backend,
        gauge: int,
        opened: int,
        rows: "Sequence[Row]",
        keep_alive: KeepAlive | None = None,
    ) -> None:
        """Make it without connections.

        `gauge` is the column of a row that tells how many exchanges the backend has in flight, `opened` that of its
        connections; `rows` are those of all workers. `keep_alive` is what is known of how long they last; without it
        nothing is learned.
        """
        self.backend = backend
        self.host_line = host_line(backend.authority.encode())
        self.address = f"{backend.scheme}://{backend.authority}{_at(backend)}"
        self.is_leaving = False
        self.is_tls = backend.scheme in TLS_SCHEMES
        self._plane = plane
        self.gauge = gauge
        self._opened = opened
        self._loads = Loads(rows, [opened])
        self.latency: Latency | None = None  # measured where a route wants to know
        self.routes: WeakSet[object] = WeakSet()  # that lead here
        self.owned = Owned(backend.send_proxy_protocol) if backend.send_proxy_protocol else None
        self._idle: list[Upstream] = []
        self._watched: list[Upstream] = []
        self._connector = Connector(plane, backend)
        self._reuse = Reuse(keep_alive)

    def take(self, may_be_stale: bool, exchange: "Exchange | None" = None) -> "Upstream | None":
        """Return an idle connection for an exchange, or None if a new one has to be opened.

        What has been idle for long is looked at first; and so is every connection if the request could not be sent
        again, should the backend turn out to have closed it (`may_be_stale` is False).
        """
        now = self._plane.ticker.now
        idle = self._idle if self.owned is None else self.owned.take(cast("Exchange", exchange))
        if not idle:
            return None
        most_seconds = self._reuse.idle_seconds(self._plane.snapshot)
        while idle:
            upstream = idle.pop()
            idle_seconds = now - upstream.idle_since
            if idle_seconds >= _TRUSTED_SECONDS or idle_seconds > most_seconds - _LAG_SECONDS:  # it has to be precise
                idle_seconds = self._plane.time() - upstream.idle_since
            if upstream.is_closing or now >= upstream.expires:
                upstream.close()
            elif idle_seconds >= most_seconds:
                self._watch(upstream)
            elif (may_be_stale and idle_seconds < _TRUSTED_SECONDS) or upstream.is_alive():
                upstream.idle_seconds = idle_seconds
                self._plane.row.add(_REUSES, 1)
                return upstream
            else:
                self.closed(upstream)
                upstream.close()
        return None

    def give(self, upstream: "Upstream") -> None:
        """Keep a connection that has finished an exchange cleanly, or close it when it has served enough."""
        plane, reuse = self._plane, self._reuse
        now, snapshot = plane.ticker.now, plane.snapshot
        upstream.idle_since = plane.time()
        most_requests = reuse.requests(snapshot)
        has_served_enough = 0 < most_requests <= upstream.requests
        if has_served_enough or plane.is_draining or self.is_leaving or now >= upstream.expires:
            self._dismiss(upstream)
            return
        upstream.deadline = min(upstream.idle_since + reuse.idle_seconds(snapshot), upstream.expires)
        if self.owned is None:
            self._idle.append(upstream)
        elif upstream.owner in plane.downstreams:
            self.owned.keep(upstream)
        else:  # who asked in the background for a client is of no more use, and never leaves
            self._dismiss(upstream)

    def retire(self, upstream: "Upstream") -> None:
        """Part with an idle connection: use it no more if it is too old, or watch it no more."""
        if upstream in self._watched:
            seconds = self._plane.time() - upstream.idle_since
            self._reuse.outlived(seconds, upstream.requests, self._plane.snapshot)
            self._watched.remove(upstream)
            upstream.close()
        else:
            self.remove(upstream)
            self._watch(upstream)

    def remove(self, upstream: "Upstream") -> None:
        """Forget a connection that has ended while it was idle."""
        for kept in (self._idle, self._watched):
            if upstream in kept:
                kept.remove(upstream)
        if self.owned is not None:
            self.owned.remove(upstream)

    def close(self) -> None:
        """Close what is idle."""
        for kept in (self._idle, self._watched):
            while kept:
                kept.pop().close()
        if self.owned is not None:
            self.owned.close()

    def leave(self, route: object) -> None:
        """Finish what runs and keep no connection, if no other route finds the backend at this address any more."""
        self.routes.discard(route)
        if not self.routes:
            self.is_leaving = True
            self.close()

    def opened(self, change: int) -> None:
        """Count a connection that has been opened (1) or has ended (-1)."""
        self._plane.row.add(self._opened, change)

    def entered(self) -> None:
        """Count an exchange that this backend has in flight."""
        self._plane.row.add(self.gauge, 1)

    def left(self) -> None:
        """Count it no more."""
        self._plane.row.add(self.gauge, -1)

    async def connect(self, seconds: float, most: int = 0, exchange: "Exchange | None" = None) -> "Upstream":
        """Open a connection for an exchange within `seconds`, unless all workers have `most` already; 0 is any number.

        Raises UpstreamError or Overloaded, after which any request may be sent elsewhere.
        """
        self._reuse.is_bounded = most > 0
        row = self._plane.row
        row.add(self._opened, 1)  # before they are compared, so that two workers never both open the last one
        try:
            if most and self._loads.load(0) > most:
                setting = "concurrency.max_connections_per_backend"
                raise Overloaded(most, setting=setting, reason="backend_connections_busy")
            header = b"" if self.owned is None else self.owned.header(cast("Exchange", exchange))
            upstream = await self._connector.connect(self, seconds, header)
            if self.owned is not None:
                self.owned.adopt(upstream, cast("Exchange", exchange), header)
        except BaseException as error:
            row.add(self._opened, -1)
            if self.latency is not None and isinstance(error, UpstreamError):
                self.latency.failed(0.0, self._plane.ticker.now)
            raise
        upstream.is_counted = True
        life = self._plane.snapshot.upstream_life_seconds
        if life:
            upstream.expires = self._plane.ticker.now + life * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
        return upstream

    # What is learned of the backend.

    def answered(self, head: "ResponseHead", transport: "asyncio.BaseTransport") -> None:
        """Take from the first response on a connection what it says of it, and what the next one may resume."""
        self._reuse.hinted(head.raw)
        if self.is_tls:
            self._connector.answered(transport)

    def closed(self, upstream: "Upstream") -> None:
        """Learn from an idle connection that the backend has closed."""
        if upstream.requests:  # else it has never been idle
            now = self._plane.time()
            self._reuse.closed(now - upstream.idle_since, upstream.requests, now, self._plane.snapshot)

    def met_stale(self, upstream: "Upstream") -> None:
        """Learn from a request that seems to have met a connection which the backend had closed."""
        now = self._plane.time()
        seconds = now - upstream.idle_since
        if seconds - upstream.idle_seconds < QUICK_SECONDS + _LAG_SECONDS:
            self._reuse.met_stale(seconds, upstream.requests - 1, now, self._plane.snapshot)

    def _watch(self, upstream: "Upstream") -> None:
        """Watch an idle connection that is too old to be used, or close it."""
        most_seconds = min(self._plane.snapshot.upstream_idle_most, WATCH_SECONDS)
        self._watch_until(upstream, upstream.idle_since + WATCHED_LONGER * most_seconds)

    def _dismiss(self, upstream: "Upstream") -> None:
        """Close a connection that has served enough, or watch it if the backend is said to close it now."""
        if self._reuse.has_served_all(upstream.requests):
            self._watch_until(upstream, upstream.idle_since + SERVED_SECONDS)
        else:
            upstream.close()

    def _watch_until(self, upstream: "Upstream", deadline: float) -> None:
        plane, watched = self._plane, self._watched
        is_apart = all(abs(upstream.idle_since - other.idle_since) >= APART_SECONDS for other in watched)
        is_of_use = is_apart and len(watched) < MOST_WATCHED and self._reuse.may_watch(plane.snapshot)
        is_of_use = is_of_use and not (plane.is_draining or self.is_leaving or self.owned is not None)
        if not is_of_use or upstream.is_closing or plane.ticker.now >= upstream.expires:
            upstream.close()
            return
        upstream.deadline = deadline
        watched.append(upstream)


class Pools:
    """One pool per backend address, TLS identity and PROXY protocol, for all routes and generations that name it."""

    __slots__ = ("_plane", "_pools", "_zone")

    def __init__(self, plane: "DataPlane", zone: "Zone") -> None:
        self._plane = plane
        self._zone = zone
        self._pools: WeakValueDictionary[Key, Pool] = WeakValueDictionary()

    def of(self, backend: Backend) -> Pool:
        """Return the pool of a backend; it lives as long as somebody uses it. Raises ValueError for unusable files."""
        key = (backend.scheme, backend.host, backend.address, backend.port, backend.tls, backend.send_proxy_protocol)
        pool = self._pools.get(key)
        if pool is None:
            place = f"{backend.scheme}://{backend.host}:{backend.port}{_at(backend)}"
            gauge, opened = self._zone.gauge(f"in flight {place}"), self._zone.gauge(f"open {place}")
            learned = self._learned(f"{key}")
            pool = self._pools[key] = Pool(self._plane, backend, gauge, opened, self._zone.rows, learned)
        pool.is_leaving = False
        return pool

    def measured(self, pool: Pool) -> Latency:
        """Return how long a backend takes to answer, over all workers; it is measured from now on."""
        if pool.latency is None:
            pool.latency = Latency(self._zone.cells, self._zone.word(f"latency {pool.address}".encode()))
        return pool.latency

    def _learned(self, key: str) -> KeepAlive | None:
        """Return what all workers know of a backend; None if there is no room for it: a word of many tells nothing."""
        cells = self._zone.cells
        folded = cells.load(layout.WORDS_FOLDED)
        ages, counts = (self._zone.word(f"closes by {what} {key}".encode()) for what in ("age", "count"))
        return KeepAlive(cells, ages, counts) if cells.load(layout.WORDS_FOLDED) == folded else None

    def close(self) -> None:
        """Close every idle connection."""
        for pool in list(self._pools.values()):
            pool.close()


def _at(backend: Backend) -> str:
    """Say at which of the addresses of its name a backend is."""
    return f" at {backend.address}" if backend.address else ""
