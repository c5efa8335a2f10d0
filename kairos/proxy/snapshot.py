"""Build what a config generation needs: the router, and where its routes lead."""

import random
from collections.abc import Generator
from functools import partial

from kairos._speedups.selection import Loads
from kairos.balancing.algorithms import Only
from kairos.balancing.balancer import Balancer, balancer
from kairos.config.document import Limits, Route, Settings
from kairos.filters import Filter
from kairos.proxy.builtin import ENDPOINTS, METHODS
from kairos.proxy.connector import has_name
from kairos.proxy.endpoints import Endpoints
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
        reusable = old if previous is not None and _build_alike(previous.settings, settings) else {}
        entries = self._builtins(settings, old)
        for line in lines:
            entries[line] = reusable.get(line) or self._entry(Route.decode(line), settings)
            yield
        removed = [entry for line, entry in old.items() if entries.get(line) is not entry]
        added = [entry for line, entry in entries.items() if old.get(line) is not entry]
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

    def _entry(self, route: Route, settings: Settings) -> Entry:
        """Make a route; the limits of `settings` have been applied to the head of its requests before."""
        names = {backend.host for backend in route.backends if has_name(backend)}
        endpoints = Endpoints(route, [self._plane.hosts.host(name, settings.discovery) for name in names])
        destination = ProxyRoute(
            route.external_path,
            self._filters(route),
            self._balancer(endpoints.located()),
            self._zone.column(route.external_path),
            limits=route.limits,
            has_own_head_limits=_of_head(route.limits) != _of_head(settings.limits),
            timeouts=route.timeouts,
            preserves_host=route.preserve_host,
        )
        if names:
            endpoints.keep(destination, self._move)
        return entry_of(route, destination)

    def _move(self, destination: ProxyRoute, route: Route) -> None:
        """Let a route go on with other addresses; what runs ends where it is."""
        before = destination.balancer.choices("")
        destination.balancer = self._balancer(route)
        for pool in set(before).difference(destination.balancer.choices("")):
            pool.leave()

    def _filters(self, route: Route) -> list[Filter]:
        filters: list[Filter] = []
        if route.auth_required:
            filters.append(AuthenticationClosed())
        if route.protocol != "http":
            filters.append(ProtocolClosed(route.protocol))
        return filters

    def _balancer(self, route: Route) -> Balancer[Pool]:
        backends = route.backends
        pools = [self._pools.of(backend) for backend in backends]
        return balancer(
            route.strategy,
            pools,
            [backend.weight for backend in backends],
            next_position=self._position(route),
            draw=random.randrange,
            loads=Loads(self._zone.rows, [pool.gauge for pool in pools]),
        )

    def _position(self, route: Route) -> partial[int]:
        """Return the shared counter of a route's turns: the same for all workers, and after a reload."""
        key = f"turns {route.hosts} {route.external_path} {route.methods}"
        return partial(self._zone.cells.fetch_add, self._zone.word(key.encode()), 1)


def _build_alike(old: Settings, new: Settings) -> bool:
    """Say whether a line of a document means the same under both settings."""
    return old.limits == new.limits and old.discovery == new.discovery


def _of_head(limits: Limits) -> tuple[int, int, int]:
    return limits.head_bytes, limits.fields, limits.target_bytes
