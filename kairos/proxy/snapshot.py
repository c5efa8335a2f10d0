"""Build what a config generation needs: the router, and where its routes lead."""

import random
from collections.abc import Generator
from functools import partial

from kairos._speedups.selection import Loads
from kairos.balancing.algorithms import Only
from kairos.balancing.balancer import Balancer, balancer
from kairos.config.document import Route, Settings
from kairos.filters import Filter
from kairos.proxy.builtin import ENDPOINTS, METHODS
from kairos.proxy.generation import ProxyRoute, Snapshot
from kairos.proxy.plane import DataPlane
from kairos.proxy.pool import Pool, Pools
from kairos.routing.router import Entry, Router, entry_of
from kairos.security.closed import AuthenticationClosed, ProtocolClosed
from kairos.shm.zone import Zone


class SnapshotBuilder:
    """Build snapshots from documents, reusing what the previous one has of the same lines."""

    def __init__(self, plane: DataPlane, zone: Zone) -> None:
        self._plane = plane
        self._zone = zone
        self._pools = Pools(plane, zone)

    def steps(self, document: bytes, generation: int, previous: Snapshot | None) -> Generator[None, None, Snapshot]:
        """Build in short steps, and return the snapshot with the last. Raises ValueError for what a check refuses."""
        first, *lines = document.splitlines()
        settings = Settings.decode(first)
        old = previous.entries if previous is not None else {}
        entries = self._builtins(settings, old)
        for line in lines:
            entries[line] = old.get(line) or self._entry(Route.decode(line))
            yield
        removed = [entry for line, entry in old.items() if line not in entries]
        added = [entry for line, entry in entries.items() if line not in old]
        router = previous.router if previous is not None else Router.empty()
        router = yield from router.changed(removed, added)
        return Snapshot(generation, settings, router, entries)

    def close(self) -> None:
        """Close every idle connection to a backend."""
        self._pools.close()

    def _builtins(self, settings: Settings, old: dict[bytes, Entry]) -> dict[bytes, Entry]:
        """Return the built-in endpoints, under keys that no line of a document can have."""
        entries: dict[bytes, Entry] = {}
        if settings.builtin_prefix is None:
            return entries
        for endpoint in ENDPOINTS:
            path = settings.builtin_prefix + endpoint.path
            key = b"builtin " + path.encode()
            route = ProxyRoute(path, [endpoint(self._plane)], Only(()), self._zone.column(path))
            entries[key] = old.get(key) or Entry(path, path, METHODS, route, builtin=True)
        return entries

    def _entry(self, route: Route) -> Entry:
        destination = ProxyRoute(
            route.external_path,
            self._filters(route),
            self._balancer(route),
            self._zone.column(route.external_path),
            limits=route.limits,
            timeouts=route.timeouts,
            preserves_host=route.preserve_host,
        )
        return entry_of(route, destination)

    def _filters(self, route: Route) -> list[Filter]:
        filters: list[Filter] = []
        if route.auth_required:
            filters.append(AuthenticationClosed())
        if route.protocol != "http":
            filters.append(ProtocolClosed(route.protocol))
        return filters

    def _balancer(self, route: Route) -> Balancer[Pool]:
        backends = route.backends
        columns = [self._zone.column(f"in flight {one.scheme}://{one.host}:{one.port}") for one in backends]
        return balancer(
            route.strategy,
            [self._pools.of(backend) for backend in backends],
            [backend.weight for backend in backends],
            next_position=self._position(route),
            draw=random.randrange,
            loads=Loads(self._zone.rows, columns),
        )

    def _position(self, route: Route) -> partial[int]:
        """Return the shared counter of a route's turns: the same for all workers, and after a reload."""
        key = f"turns {route.hosts} {route.external_path} {route.methods}"
        return partial(self._zone.cells.fetch_add, self._zone.word(key.encode()), 1)
