"""Build what a config generation needs: the router, and where its routes lead."""

import logging
import random
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from typing import cast

from kairos._speedups.buckets import Buckets
from kairos._speedups.selection import Loads
from kairos.balancing.algorithms import Only
from kairos.balancing.balancer import Balancer, Means, balancer
from kairos.balancing.sticky import Sticky, StickyCookie
from kairos.config.document import Breaker, CacheStore, Concurrency, Limits, Route, Settings
from kairos.filters import Filter
from kairos.protocols.http1.fields import USUAL_COPIES, Copies
from kairos.proxy.authenticators import Authenticators, is_alike
from kairos.proxy.builtin import ENDPOINTS, METHODS
from kairos.proxy.caching.desk import Desk
from kairos.proxy.caching.route import RouteCache, route_cache
from kairos.proxy.connector import has_name
from kairos.proxy.crowd import Crowd
from kairos.proxy.encoding import Compressor, EncodingThreads, Threads
from kairos.proxy.endpoints import Endpoints
from kairos.proxy.generation import ProxyRoute, Snapshot, told_fields
from kairos.proxy.plane import DataPlane
from kairos.proxy.pool import Pool, Pools
from kairos.proxy.recovery import RetryPolicy
from kairos.proxy.target import Target
from kairos.proxy.tunnels import Group, Groups
from kairos.proxy.upgrade import Upgrades
from kairos.resilience import breaker
from kairos.resilience.ejection import Ejection
from kairos.resilience.volume import Volume
from kairos.routing.router import Entry, Router, entry_of
from kairos.security import cors
from kairos.security.access import AccessControl
from kairos.security.checks import RequestChecks
from kairos.security.closed import ProtocolClosed
from kairos.security.headers import AnswerHeaders
from kairos.shm import layout
from kairos.shm.zone import Zone
from kairos.traffic.caching.store import Store
from kairos.traffic.compression import Compression
from kairos.traffic.rate_filters import rate_filters
from kairos.traffic.transform import RequestChange, ResponseChange
from kairos.traffic.transform_json import ANSWERS_OTHERWISE

Known = Mapping[tuple[Pool, int], Target]
"""The targets that a route has, by pool and weight."""
NOTHING_KNOWN: Known = {}

_log = logging.getLogger("kairos.proxy")


class SnapshotBuilder:
    """Build snapshots from documents, reusing what the previous one has of the same lines."""

    def __init__(
        self,
        plane: DataPlane,
        zone: Zone,
        open_store: Callable[[CacheStore], Store] | None = None,
        threads: Threads | None = None,
    ) -> None:
        """`open_store` opens the place of stored answers, once a route stores any; None stores none.

        `threads` are where long answers are compressed; None makes them.
        """
        self._open_store = open_store
        self._desk: Desk | None = None
        self._plane = plane
        self._zone = zone
        self._pools = Pools(plane, zone)
        self._authenticators = Authenticators(plane)
        self._threads = threads or EncodingThreads(plane.loop)
        self._told: tuple[bytes, ...] = ()  # the fields in which backends are told who was authenticated
        self.groups = Groups(plane, zone)
        self._buckets = Buckets(zone.guarded, plane.row, layout.RATE_FORGOTTEN)
        self._rate_key = zone.secret(b"rate limits")[:16]

    def steps(self, document: bytes, generation: int, previous: Snapshot | None) -> Generator[None, None, Snapshot]:
        """Build in short steps, and return the snapshot with the last. Raises ValueError for what a check refuses."""
        first, *lines = document.splitlines()
        settings = Settings.decode(first)
        old = previous.entries if previous is not None else {}
        self._authenticators.use(settings)
        self._told = told_fields(settings)
        reusable = old if previous is not None and _build_alike(previous.settings, settings) else {}
        entries = self._builtins(settings, old)
        checked: list[ProxyRoute] = []
        tunnels: list[Group] = []
        for line in lines:
            entry = entries[line] = reusable.get(line) or self._entry(Route.decode(line), settings)
            destination = cast("ProxyRoute", entry.destination)
            if destination.is_checked:
                checked.append(destination)
            if destination.tunnels is not None:
                tunnels.append(destination.tunnels)
            yield
        removed = [entry for line, entry in old.items() if entries.get(line) is not entry]
        added = [entry for line, entry in entries.items() if old.get(line) is not entry]
        router = previous.router if previous is not None else Router.empty()
        router = yield from router.changed(removed, added)
        has_cache = any(cast("ProxyRoute", entry.destination).cache is not None for entry in entries.values())
        return Snapshot(generation, settings, router, entries, checked, tunnels, has_cache=has_cache)

    def close(self) -> None:
        """Close every idle connection to a backend."""
        self._pools.close()

    def _builtins(self, settings: Settings, old: dict[bytes, Entry]) -> dict[bytes, Entry]:
        """Return the built-in endpoints, under keys that no line of a document can have."""
        entries: dict[bytes, Entry] = {}
        if settings.builtin_prefix is None:
            return entries
        headers = AnswerHeaders.of(settings.security_headers)
        for endpoint in ENDPOINTS:
            path = settings.builtin_prefix + endpoint.path
            key = b"builtin %b\n%b" % (path.encode(), headers.secure_lines)
            route = ProxyRoute(path, [endpoint(self._plane)], Only(()), self._zone.column(path), headers=headers)
            entries[key] = old.get(key) or Entry(path, path, METHODS, route, builtin=True)
        return entries

    def _entry(self, route: Route, settings: Settings) -> Entry:
        """Make a route; the limits of `settings` have been applied to the head of its requests before."""
        names = {backend.host for backend in route.backends if has_name(backend)}
        endpoints = Endpoints(route, [self._plane.hosts.host(name, settings.discovery) for name in names])
        targets = self._targets(endpoints.located())
        policy = cors.CorsPolicy(route.cors) if route.cors is not None else None
        group = self.groups.of(f"{route.hosts} {route.external_path}") if route.websocket is not None else None
        destination = ProxyRoute(
            route.external_path,
            self._filters(route, policy, group),
            self._balancer(route, targets),
            self._zone.column(route.external_path),
            limits=route.limits,
            has_own_head_limits=_of_head(route.limits) != _of_head(settings.limits),
            timeouts=route.timeouts,
            preserves_host=route.preserve_host,
            targets=targets,
            retry=None if route.retry is None else RetryPolicy(route.retry),
            crowd=self._crowd(route),
            tunnels=group,
            is_checked=any(backend.health_check is not None for backend in route.backends),
            sticky=self._sticky(route),
            copies=self._copies(route),
            cors=policy,
            headers=AnswerHeaders.of(route.security_headers),
            compressor=Compressor(Compression(route.compression), self._threads) if route.compression else None,
            request_change=RequestChange(route.request_change) if route.request_change is not None else None,
            response_change=ResponseChange(route.response_change) if route.response_change is not None else None,
            cache=self._cache(route, settings),
        )
        _enter(targets, destination)
        if names:
            endpoints.keep(destination, self._move)
        return entry_of(route, destination)

    def _move(self, destination: ProxyRoute, route: Route) -> None:
        """Let a route go on with other addresses; what runs ends where it is."""
        before = {(target.pool, target.weight): target for target in destination.targets}
        targets = self._targets(route, before)
        if any(pool.backend.address for pool, _ in before):  # else it has only now been found out where they are
            for target in set(targets).difference(before.values()):
                target.came_up_at = self._plane.ticker.now
        destination.targets = tuple(targets)
        _enter(targets, destination)
        destination.balancer = self._balancer(route, targets)
        for pool in {pool for pool, _ in before}.difference(target.pool for target in targets):
            pool.leave(destination)

    def _filters(self, route: Route, policy: cors.CorsPolicy | None, group: Group | None) -> list[Filter]:
        filters: list[Filter] = []
        if route.access_lists:
            filters.append(AccessControl(route.access_lists))
        if route.checks is not None:
            filters.append(RequestChecks(route.checks))
        if policy is not None:
            filters.append(policy)
        before, after = rate_filters(route, self._buckets, self._rate_key, self._plane.row)
        filters += before
        if route.auth_required:
            filters.append(self._authenticators.filter(route))
        filters += after
        if route.websocket is not None and group is not None:
            only = route.protocol == "websocket"
            filters.append(Upgrades(self._plane, group, route.websocket, policy, only_websocket=only))
        elif route.protocol != "http":
            filters.append(ProtocolClosed(route.protocol))
        return filters

    def _cache(self, route: Route, settings: Settings) -> RouteCache | None:
        if route.cache is None or self._open_store is None:
            return None
        if self._desk is None:
            self._desk = Desk(self._plane, self._open_store(settings.cache))
        return route_cache(route, route.cache, self._desk, self._told, self._left_out(route))

    def _copies(self, route: Route) -> Copies:
        """Return what is left out of the messages of a route, because the gateway writes it itself."""
        names = AnswerHeaders.of(route.security_headers).names + (cors.NAMES if route.cors is not None else ())
        if route.cache is not None:
            names += (route.cache.tags_header.encode(),)
        left_out = self._told + self._left_out(route)
        return Copies(left_out, names) if left_out or names else USUAL_COPIES

    def _left_out(self, route: Route) -> tuple[bytes, ...]:
        """Return the fields that keep an answer from being changed, and so are not passed on."""
        change = route.response_change
        return ANSWERS_OTHERWISE if change is not None and change.json is not None else ()

    def _targets(self, route: Route, known: Known = NOTHING_KNOWN) -> list[Target]:
        """Return the backends of a route, each with what the workers share about it. Those that are known stay."""
        pools = [(self._pools.of(backend), backend.weight) for backend in route.backends]
        targets = [known.get(pool) or Target(*pool) for pool in pools]
        most = route.concurrency.backend_requests
        loads = self._loads(targets) if most else None
        for number, (target, backend) in enumerate(zip(targets, route.backends, strict=True)):
            target.is_drained = backend.state != "active"
            target.slow_start = route.slow_start
            target.key = f"{target.pool.address} of {_key(route)}".encode()
            if backend.health_check is not None:
                target.checked_as, target.health_word = backend, self._zone.word(b"health " + target.key)
            target.loads, target.number, target.most_requests = loads, number, most
            target.most_connections = route.concurrency.backend_connections
            if route.breaker is not None:
                self._add_breaker(target, route.breaker)
            target.ejection = None
            if route.outlier is not None and len(targets) > 1:
                word, outlier = self._word(f"ejection {target.pool.address}".encode()), route.outlier
                if word is not None:
                    target.ejection = Ejection(self._zone.cells, word, outlier.errors, outlier.base, outlier.longest)
        return targets

    def _add_breaker(self, target: Target, settings: Breaker) -> None:
        cells = self._zone.cells
        about = target.key if settings.is_own else target.pool.address.encode()
        word = self._word(b"breaker " + about)
        if word is None:
            return
        target.breaker = breaker.Breaker(cells, word, settings.failures, settings.successes, settings.seconds)
        target.counts_status = frozenset(settings.statuses) or None
        volume = self._word(b"volume " + about) if settings.minimum else None
        if volume is not None:
            target.volume, target.minimum = Volume(cells, volume), settings.minimum

    def _word(self, key: bytes) -> int | None:
        """Return the word of a key; None if there is no room, for what many share is the state of none."""
        word = self._zone.word(key)
        if word == self._zone.shared_word:
            _log.error("the shared memory has no room for the state of %s", key.decode())
            return None
        return word

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
        pools = [target.pool for target in targets]
        means = Means(
            weights=[target.weight for target in targets],
            addresses=[pool.address for pool in pools],
            loads=self._loads(targets),
            next_position=self._position(route),
            draw=random.randrange,
            now=partial(getattr, self._plane.ticker, "now"),
            latencies=[self._pools.measured(pool) for pool in pools] if route.strategy == "peak_ewma" else (),
            hash_on=route.hash_on,
        )
        chosen = balancer(route.strategy, targets, means)
        cookie = self._sticky(route)
        if cookie is None:
            return chosen
        spare = balancer(route.strategy, targets, replace(means, next_position=count().__next__))
        return Sticky(cookie, targets, means.addresses, chosen, spare)

    def _sticky(self, route: Route) -> StickyCookie | None:
        block = route.sticky
        if block is None:
            return None
        key = self._zone.secret(b"sticky") if block.key is None else bytes.fromhex(block.key)
        return StickyCookie(block.cookie, key, block.ttl)

    def _loads(self, targets: list[Target]) -> Loads:
        return Loads(self._zone.rows, [target.pool.gauge for target in targets])

    def _position(self, route: Route) -> partial[int]:
        """Return the shared counter of a route's turns: the same for all workers, and after a reload."""
        return partial(self._zone.cells.fetch_add, self._zone.word(f"turns {_key(route)}".encode()), 1)


def _enter(targets: Iterable[Target], destination: ProxyRoute) -> None:
    for target in targets:
        target.pool.routes.add(destination)


def _key(route: Route) -> str:
    """Return what a route is called in what the workers share: the same after a reload."""
    return f"{route.hosts} {route.external_path} {route.methods}"


def _build_alike(old: Settings, new: Settings) -> bool:
    """Say whether a line of a document means the same under both settings."""
    return old.limits == new.limits and old.discovery == new.discovery and is_alike(old, new)


def _of_head(limits: Limits) -> tuple[int, int, int]:
    return limits.head_bytes, limits.fields, limits.target_bytes
