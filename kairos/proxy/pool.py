"""The connections to one backend: idle ones to take, and how many exchanges it has in flight."""

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from kairos._speedups.selection import Loads
from kairos.balancing.latency import Latency
from kairos.config.document import Backend, Tls
from kairos.errors import Overloaded, UpstreamError
from kairos.protocols.http1.serialize import host_line
from kairos.proxy.connector import TLS_SCHEMES, Connector
from kairos.shm import layout

if TYPE_CHECKING:
    from kairos.proxy.plane import DataPlane
    from kairos.proxy.upstream import Upstream
    from kairos.shm.zone import Row, Zone

TRUSTED_SECONDS = 0.25  # so long after its last answer a connection is taken without a look at its socket
JITTER = 0.1  # of the life of a connection, so that those opened together do not end together

_TRUSTED_SECONDS = TRUSTED_SECONDS
_REUSES = layout.UPSTREAM_REUSES


class Pool:
    """Keep the connections to one backend. The freshest idle one is used first, so that the others can age out."""

    __slots__ = (
        "__weakref__",
        "_connector",
        "_idle",
        "_loads",
        "_opened",
        "_plane",
        "address",
        "backend",
        "gauge",
        "host_line",
        "is_tls",
        "latency",
    )

    def __init__(self, plane: "DataPlane", backend: Backend, gauge: int, opened: int, rows: "Sequence[Row]") -> None:
        """Make it without connections.

        `gauge` is the column of a row that tells how many exchanges the backend has in flight, `opened` that of its
        connections; `rows` are those of all workers.
        """
        self.backend = backend
        self.host_line = host_line(backend.authority.encode())
        self.address = f"{backend.scheme}://{backend.authority}"
        self.is_tls = backend.scheme in TLS_SCHEMES
        self._plane = plane
        self.gauge = gauge
        self._opened = opened
        self._loads = Loads(rows, [opened])
        self.latency: Latency | None = None  # measured where a route wants to know
        self._idle: list[Upstream] = []
        self._connector = Connector(plane, backend)

    def take(self, may_be_stale: bool) -> "Upstream | None":
        """Return an idle connection, or None if a new one has to be opened.

        What has been idle for long is looked at first; and so is every connection if the request could not be sent
        again, should the backend turn out to have closed it (`may_be_stale` is False).
        """
        idle, now = self._idle, self._plane.ticker.now
        while idle:
            upstream = idle.pop()
            if upstream.deadline > now and not upstream.is_closing:
                trusts = may_be_stale and now - upstream.idle_since < _TRUSTED_SECONDS
                if trusts or upstream.is_alive():
                    self._plane.row.add(_REUSES, 1)
                    return upstream
            upstream.close()
        return None

    def give(self, upstream: "Upstream") -> None:
        """Keep a connection that has finished an exchange cleanly, or close it when it has served enough."""
        plane = self._plane
        now, snapshot = plane.ticker.now, plane.snapshot
        idle_seconds = snapshot.upstream_idle_seconds
        has_served_enough = 0 < snapshot.upstream_requests <= upstream.requests
        if has_served_enough or plane.is_draining or now >= upstream.expires:
            upstream.close()
            return
        upstream.idle_since = now
        upstream.deadline = min(now + idle_seconds, upstream.expires) if idle_seconds else upstream.expires
        self._idle.append(upstream)

    def remove(self, upstream: "Upstream") -> None:
        """Forget a connection that has ended while it was idle."""
        if upstream in self._idle:
            self._idle.remove(upstream)

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()

    def opened(self, change: int) -> None:
        """Count a connection that has been opened (1) or has ended (-1)."""
        self._plane.row.add(self._opened, change)

    def entered(self) -> None:
        """Count an exchange that this backend has in flight."""
        self._plane.row.add(self.gauge, 1)

    def left(self) -> None:
        """Count it no more."""
        self._plane.row.add(self.gauge, -1)

    async def connect(self, seconds: float, most: int = 0) -> "Upstream":
        """Open a connection within `seconds`, unless there are `most` already over all workers; 0 is any number.

        Raises UpstreamError or Overloaded, after which any request may be sent elsewhere.
        """
        row = self._plane.row
        row.add(self._opened, 1)  # before they are compared, so that two workers never both open the last one
        try:
            if most and self._loads.load(0) > most:
                setting = "concurrency.max_connections_per_backend"
                raise Overloaded(most, setting=setting, reason="backend_connections_busy")
            upstream = await self._connector.connect(self, seconds)
        except UpstreamError:
            if self.latency is not None:
                self.latency.failed(0.0, self._plane.ticker.now)
            raise
        finally:
            row.add(self._opened, -1)  # from here on the connection counts itself
        life = self._plane.snapshot.upstream_life_seconds
        if life:
            upstream.expires = self._plane.ticker.now + life * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
        return upstream


class Pools:
    """One pool per backend address and TLS identity, shared by all routes and generations that name it."""

    __slots__ = ("_plane", "_pools", "_zone")

    def __init__(self, plane: "DataPlane", zone: "Zone") -> None:
        self._plane = plane
        self._zone = zone
        self._pools: WeakValueDictionary[tuple[str, str, int, Tls | None], Pool] = WeakValueDictionary()

    def of(self, backend: Backend) -> Pool:
        """Return the pool of a backend; it lives as long as somebody uses it. ValueError if its CA file is unusable."""
        key = (backend.scheme, backend.host, backend.port, backend.tls)
        pool = self._pools.get(key)
        if pool is None:
            address = f"{backend.scheme}://{backend.host}:{backend.port}"
            gauge, opened = self._zone.gauge(f"in flight {address}"), self._zone.gauge(f"open {address}")
            pool = self._pools[key] = Pool(self._plane, backend, gauge, opened, self._zone.rows)
        return pool

    def measured(self, pool: Pool) -> Latency:
        """Return how long a backend takes to answer, over all workers; it is measured from now on."""
        if pool.latency is None:
            pool.latency = Latency(self._zone.cells, self._zone.word(f"latency {pool.address}".encode()))
        return pool.latency

    def close(self) -> None:
        """Close every idle connection."""
        for pool in list(self._pools.values()):
            pool.close()
