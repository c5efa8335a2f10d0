"""The composition root of a worker: a config document becomes running objects."""

import asyncio
import logging
import random
import socket
import time
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from types import MappingProxyType
from typing import TypeVar
from weakref import WeakSet

from kairos.cache.place import base_directory
from kairos.cache.store import Bounds, FileStore
from kairos.config import listening
from kairos.config.document import CacheStore
from kairos.errors import KairosError
from kairos.health.checker import Checker
from kairos.health.probe import probe
from kairos.observability import logs
from kairos.proxy.access_log import AccessLog
from kairos.proxy.generation import Snapshot
from kairos.proxy.handshakes import leave_names_out_of_the_log
from kairos.proxy.identities import Identities, TlsRules
from kairos.proxy.listener import Listener
from kairos.proxy.listener_options import ListenerOptions
from kairos.proxy.plane import DataPlane
from kairos.proxy.snapshot import SnapshotBuilder
from kairos.proxy.tunnels import Farewell
from kairos.routing.router import Entry
from kairos.shm import layout
from kairos.shm.zone import Zone

SLICE_SECONDS = 0.002  # the longest that building a snapshot keeps requests waiting
LEARN_SECONDS = 2.0  # that new host names may take; those that are not known by then are resolved by who needs them
RELEASED_AT_ONCE = 100  # routes of an old snapshot
DRAIN_STEP_SECONDS = 0.05
FAREWELL_SHARE = 0.5  # of a drain: so long it may take to tell all WebSockets
LAST_HANDSHAKE_SECONDS = 0.1  # for clients whose connection was half open when new ones were turned away

NO_IDENTITIES: Mapping[listening.Listener, Identities] = MappingProxyType({})

T = TypeVar("T")
_log = logging.getLogger("kairos.gateway")


class ConfigNotApplicable(KairosError):
    """A valid config cannot be put into effect on this machine."""

    kind = "config"


class Gateway:
    """One worker's gateway: prepare a snapshot, commit it, accept, drain.

    `slot` is the worker's row in the zone; nobody else writes to it.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        zone: Zone,
        slot: int,
        identities: Mapping[listening.Listener, Identities] = NO_IDENTITIES,
    ) -> None:
        """`identities` are what the listeners show that speak TLS."""
        self._identities = identities
        if identities:
            leave_names_out_of_the_log()
        self._loop = loop
        self._zone = zone
        self._row = zone.row(slot)
        self._plane = DataPlane(loop, self._row, zone.cells.load(layout.STARTED_CLOCK) / 1e9)
        self._store: FileStore | None = None  # of answers, if any route stores some
        self._builder = SnapshotBuilder(self._plane, zone, partial(self._open_store, slot))
        self._listeners: list[Listener] = []
        self._options: list[ListenerOptions] = []
        self._places: list[listening.Listener] = []
        self._snapshot: Snapshot | None = None
        self._live: WeakSet[Snapshot] = WeakSet()
        self._releasing: asyncio.Task[None] | None = None
        self._checker = Checker(loop, zone, slot, partial(probe, loop), random.uniform)
        self._beat(0.0)
        self._plane.ticker.on_tick(self._beat)
        self._plane.ticker.on_tick(self._checker.tick)
        self._plane.ticker.start()
        self._plane.hangups.open()
        self._plane.poller.open()

    def _open_store(self, slot: int, settings: CacheStore) -> FileStore:
        base = base_directory(Path(gettempdir())) if settings.directory is None else Path(settings.directory)
        self._store = FileStore(self._zone, slot, base, _bounds(settings), self._plane.ticker.now)
        self._plane.ticker.on_tick(self._store.tick)
        return self._store

    async def prepare(self, document: bytes, generation: int) -> Snapshot:
        """Build a whole new snapshot beside the running one. Raises KairosError."""
        snapshot = await _sliced(self._builder.steps(document, generation, self._snapshot))
        path = snapshot.settings.access_log
        if path is not None and not self._is_committed(generation):
            try:
                AccessLog(path).close()
            except OSError as error:
                raise ConfigNotApplicable(f"/logging/access_log: cannot open {path}: {error.strerror}") from None
        await self._plane.hosts.learn(LEARN_SECONDS)
        self._live.add(snapshot)
        return snapshot

    def commit(self, snapshot: Snapshot) -> None:
        """Serve by this snapshot from the next request on; exchanges that run keep theirs."""
        settings = snapshot.settings
        if self._snapshot is not None and self._snapshot.settings.log_level != settings.log_level:
            logs.configure(settings.log_level)
        self._switch_access_log(settings.access_log)
        old, self._snapshot = self._snapshot, snapshot
        self._plane.snapshot = snapshot
        if self._store is not None:
            self._store.bounds = _bounds(settings.cache)
        self._builder.groups.follow(snapshot.tunnels)
        self._follow(settings.listeners)
        self._checker.follow(snapshot.checked, self._plane.ticker.now)
        self._row.store(layout.LIVE_GENERATION, snapshot.generation)
        if old is not None:
            leaving = [entry for line, entry in old.entries.items() if line not in snapshot.entries]
            self._releasing = self._loop.create_task(_sliced(_release(leaving)))

    def start(self, sockets: Sequence[tuple[listening.Listener, socket.socket]]) -> None:
        """Accept clients."""
        self._plane.is_ready = True
        places = list(dict.fromkeys(place for place, _ in sockets))
        options = {one: ListenerOptions(one, self._identities.get(one)) for one in places}
        self._places, self._options = places, list(options.values())
        if self._snapshot is not None:
            self._follow(self._snapshot.settings.listeners)
        for place, sock in sockets:
            listener = Listener(self._plane, sock, options=options[place])
            listener.start()
            self._listeners.append(listener)

    def _follow(self, listeners: Sequence[listening.Listener]) -> None:
        """Let the listeners do as the config says; those that it does not have any more stay as they are."""
        self._places = listening.renewed(self._places, listeners)
        for options, listener in zip(self._options, self._places, strict=True):
            options.follow(listener)

    def certify(self, listener: int, rules: bytes) -> None:
        """Show other certificates at the listener of this number, from the next handshake on.

        `rules` are those of TlsRules, encoded.
        """
        try:
            for identities in self._identities.values():
                if identities.number == listener:
                    identities.follow(TlsRules.decode(rules))
        except (OSError, ValueError) as error:  # the supervisor could; this process may have no descriptors left
            _log.error("new certificates cannot be taken over, and those before stay in use: %s", error)

    def unready(self) -> None:
        """Let /ready say 503, and serve on."""
        self._plane.is_ready = False

    async def drain(self, seconds: float) -> None:
        """Take nothing new, finish what runs, and break off what is not finished after `seconds`."""
        plane = self._plane
        plane.is_ready = False
        plane.is_draining = True
        await self._checker.stop()
        deadline = self._loop.time() + seconds
        await asyncio.sleep(min(LAST_HANDSHAKE_SECONDS, seconds))
        for listener in self._listeners:
            listener.close()
        farewell, began = Farewell(plane, seconds * FAREWELL_SHARE), self._loop.time()
        while self._is_serving() and self._loop.time() < deadline:
            for listener in self._listeners:
                listener.drain(plane.ticker.now)
            for downstream in list(plane.downstreams):
                downstream.drain(plane.ticker.now)
            farewell.tell(self._loop.time() - began)
            await asyncio.sleep(DRAIN_STEP_SECONDS)
        if left := len(plane.downstreams) + len(plane.tunnels):
            _log.warning("%d connections are broken off at the end of the drain", left)
        for listener in self._listeners:
            listener.abort()
        for downstream in list(plane.downstreams):
            downstream.abort_with_exchange("drain_deadline")
        for tunnel in list(plane.tunnels):
            tunnel.abort()
        self._builder.close()
        if self._store is not None:
            self._store.close()
        plane.hosts.stop()
        plane.ticker.stop()
        plane.hangups.close()
        plane.poller.close()
        self._switch_access_log(None)

    def _is_serving(self) -> bool:
        plane = self._plane
        return bool(plane.downstreams or plane.tunnels) or any(listener.is_starting for listener in self._listeners)

    def reopen_logs(self) -> None:
        """Open the access log anew by its name."""
        if self._plane.access_log is not None:
            self._plane.access_log.reopen()
        elif self._snapshot is not None:
            self._switch_access_log(self._snapshot.settings.access_log)

    def _is_committed(self, generation: int) -> bool:
        """Say whether the workers serve this generation already, and we are to join them whatever is missing here."""
        return self._zone.cells.load(layout.GENERATION) == generation

    def _beat(self, _now: float) -> None:
        """Show that the loop turns."""
        self._row.store(layout.HEARTBEAT, time.clock_gettime_ns(time.CLOCK_MONOTONIC))
        self._row.store(layout.LIVE_GENERATIONS, len(self._live))
        if self._plane.access_log is not None:
            self._plane.access_log.flush()

    def _switch_access_log(self, path: str | None) -> None:
        plane = self._plane
        if plane.access_log is not None:
            if plane.access_log.path == path:
                return
            plane.access_log.close()
            plane.access_log = None
        if path is None:
            return
        try:
            plane.access_log = AccessLog(path)
        except OSError as error:
            _log.error("the access log %s cannot be opened: %s; requests go on without", path, error.strerror)


def _bounds(settings: CacheStore) -> Bounds:
    return Bounds(files=settings.max_bytes, memory=settings.memory_bytes, body=settings.max_bytes)


def _release(leaving: list[Entry]) -> Generator[None, None, None]:
    """Let go of the routes of an old snapshot bit by bit: to free thousands at once would hold requests up."""
    while leaving:
        yield
        del leaving[-RELEASED_AT_ONCE:]


async def _sliced(steps: Generator[None, None, T]) -> T:
    """Run the steps to their end, giving way to requests after every slice of time."""
    end_of_slice = time.perf_counter() + SLICE_SECONDS
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if time.perf_counter() >= end_of_slice:
            await asyncio.sleep(0)
            end_of_slice = time.perf_counter() + SLICE_SECONDS
