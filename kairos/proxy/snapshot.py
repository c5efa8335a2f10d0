"""Build what a config generation needs: the router, and where its routes lead."""

import random
from collections.abc import Generator
from functools import partial

from kairos._speedups.selection import Loads
from kairos.balancing.algorithms import Only
from kairos.balancing.balancer import Balancer, balancer
from kairos.config.document import Breaker, Concurrency, Limits, Route, Settings
from kairos.filters import Filter
from kairos.proxy.builtin import ENDPOINTS, METHODS
from kairos.proxy.crowd import Crowd
from kairos.proxy.generation import ProxyRoute, Snapshot
from kairos.proxy.plane import DataPlane
from kairos.proxy.pool import Pools
from kairos.proxy.recovery import RetryPolicy
from kairos.proxy.target import Target
from kairos.resilience import breaker
from kairos.resilience.ejection import Ejection
from kairos.resilience.volume import Volume
from kairos.routing.router import Entry, Router, entry_of
from kairos.security.access import AccessControl
from kairos.security.checks import RequestChecks
from kairos.security.closed import AuthenticationClosed, ProtocolClosed
from kairos.security.cors import CorsPolicy
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
        is_bound_alike = previous is not None and previous.settings.limits == settings.limits
        reusable = old if is_bound_alike else {}
        entries = self._builtins(settings, old)
        for line in lines:
            entries[line] = reusable.get(line) or self._entry(Route.decode(line), settings.limits)
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

    def _entry(self, route: Route, bounds: Limits) -> Entry:
        """Make a route; `bounds` have been applied to the head of its requests before they come to it."""
        targets = self._targets(route)
        destination = ProxyRoute(
            route.external_path,
            self._filters(route),
            self._balancer(route, targets),
            self._zone.column(route.external_path),
            limits=route.limits,
            has_own_head_limits=_of_head(route.limits) != _of_head(bounds),
            timeouts=route.timeouts,
            preserves_host=route.preserve_host,
            targets=targets,
            retry=None if route.retry is None else RetryPolicy(route.retry),
            crowd=self._crowd(route),
        )
        return entry_of(route, destination)

    def _filters(self, route: Route) -> list[Filter]:
        filters: list[Filter] = []
        if route.access_lists:
            filters.append(AccessControl(route.access_lists))
        if route.checks is not None:
            filters.append(RequestChecks(route.checks))
        if route.cors is not None:
            filters.append(CorsPolicy(route.cors))
        if route.auth_required:
            filters.append(AuthenticationClosed())
        if route.protocol != "http":
            filters.append(ProtocolClosed(route.protocol))
        return filters

    def _targets(self, route: Route) -> list[Target]:
        """Return the backends of a route, each with what the workers share about it."""
        targets = [Target(self._pools.of(backend), backend.weight) for backend in route.backends]
        most = route.concurrency.backend_requests
        loads = self._loads(targets) if most else None
        for number, target in enumerate(targets):
            target.key = f"{target.pool.address} of {_key(route)}".encode()
            target.loads, target.number, target.most_requests = loads, number, most
            target.most_connections = route.concurrency.backend_connections
            if route.breaker is not None:
                self._add_breaker(target, route.breaker)
            if route.outlier is not None and len(targets) > 1:
                word = self._zone.word(f"ejection {target.pool.address}".encode())
                outlier = route.outlier
                target.ejection = Ejection(self._zone.cells, word, outlier.errors, outlier.base, outlier.longest)
        return targets

    def _add_breaker(self, target: Target, settings: Breaker) -> None:
        cells = self._zone.cells
        about = target.key if settings.is_own else target.pool.address.encode()
        word = self._zone.word(b"breaker " + about)
        target.breaker = breaker.Breaker(cells, word, settings.failures, settings.successes, settings.seconds)
        target.counts_status = frozenset(settings.statuses) or None
        if settings.minimum:
            target.volume, target.minimum = Volume(cells, self._zone.word(b"volume " + about)), settings.minimum

    def _crowd(self, route: Route) -> Crowd | None:
        limits = route.concurrency
        if limits == Concurrency():
            return None
        column = self._zone.gauge(f"in flight {_key(route)}")
        loads = Loads(self._zone.rows, [column])
        return Crowd(
            self._plane, column, loads, most=limits.requests, longest=limits.queue, seconds=limits.queue_seconds
        )

    def _balancer(self, route: Route, targets: list[Target]) -> Balancer[Target]:
        return balancer(
            route.strategy,
            targets,
            [target.weight for target in targets],
            next_position=self._position(route),
            draw=random.randrange,
            loads=self._loads(targets),
        )

    def _loads(self, targets: list[Target]) -> Loads:
        return Loads(self._zone.rows, [target.pool.gauge for target in targets])

    def _position(self, route: Route) -> partial[int]:
        """Return the shared counter of a route's turns: the same for all workers, and after a reload."""
        return partial(self._zone.cells.fetch_add, self._zone.word(f"turns {_key(route)}".encode()), 1)


def _key(route: Route) -> str:
    """Return what a route is called in what the workers share: the same after a reload."""
    return f"{route.hosts} {route.external_path} {route.methods}"


def _of_head(limits: Limits) -> tuple[int, int, int]:
    return limits.head_bytes, limits.fields, limits.target_bytes
