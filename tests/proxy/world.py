"""A data plane between clients and backends that the test plays: real objects, no network, time that stands still."""

import asyncio
import os
import re
import socket
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

from kairos.config.document import Backend, Document, Route, Settings
from kairos.discovery.hosts import Hosts
from kairos.discovery.names import Answer
from kairos.discovery.resolver import NotKnown
from kairos.proxy.downstream import Downstream
from kairos.proxy.generation import Snapshot
from kairos.proxy.plane import DataPlane
from kairos.proxy.snapshot import SnapshotBuilder
from kairos.proxy.ticker import TICK_SECONDS
from kairos.routing.router import Router
from kairos.shm import layout
from kairos.shm.zone import Zone
from tests.fakes import FakeTransport, ManualClock
from tests.proxy.caching.stores import MemoryStore

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
RESPONSES = range(layout.RESPONSES_1XX, layout.RESPONSES_5XX + 1)


class Wire(FakeTransport):
    """A transport whose peer can also read a part of what waits for it."""

    def read_some(self, size: int) -> None:
        """Let the peer read so many bytes."""
        self._unsent -= size
        self._resume_if_low()


class Peer:
    """The other end of one of the gateway's connections. What it does, the gateway has dealt with when a call returns.

    As in a real network nothing reaches a side that has paused reading, and a connection ends when all is sent.
    """

    def __init__(self, world: "World", protocol: asyncio.Protocol, **extra: Any) -> None:
        self.transport = Wire(protocol, **extra)
        self.is_lost = False
        self.sockets: list[socket.socket] = []  # what lies below the transport, for who looks at it
        self._world = world
        self._unread: deque[bytes | None] = deque()
        world.peers.append(self)
        protocol.connection_made(self.transport)

    @property
    def protocol(self) -> Any:
        """What the gateway does with the connection now."""
        return self.transport.get_protocol()

    @property
    def is_open(self) -> bool:
        """Say whether the gateway has not closed the connection, nor the peer."""
        return not self.transport.is_closing()

    def sends(self, *pieces: bytes) -> None:
        """Send bytes; each piece arrives by itself."""
        self._unread += pieces
        self._world.settle()

    def leaves(self) -> None:
        """Close in an orderly way."""
        self._unread.append(None)
        self._world.settle()

    def resets(self) -> None:
        """Break the connection off."""
        self._lose(ConnectionResetError())
        self._world.settle()

    def _lose(self, error: Exception | None = None) -> None:
        self.is_lost = True
        self.transport.lose(error)
        for sock in self.sockets:
            sock.close()

    def receives(self) -> bytes:
        """Return what came since the last call."""
        return self.transport.take()

    def stops_reading(self) -> None:
        """Read nothing more: what is sent to it waits."""
        self.transport.stall()

    def reads(self, size: int) -> None:
        """Read a part of what waits."""
        self.transport.read_some(size)
        self._world.settle()

    def reads_on(self) -> None:
        """Read everything."""
        self.transport.flow()
        self._world.settle()

    def step(self) -> bool:
        """Let happen what has to; say whether something did."""
        if self.is_lost:
            return False
        if self.transport.is_closing() and (self.transport.is_aborted or not self.transport.get_write_buffer_size()):
            self._lose()
            return True
        if self._unread and self.transport.is_reading():
            data = self._unread.popleft()
            if data is not None:
                self.protocol.data_received(data)
            elif not self.protocol.eof_received():
                self.transport.close()
            return True
        return False


class Server:
    """A backend: it accepts, or refuses with an error, or does not answer at all, or closes what it has accepted."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.connections: list[Peer] = []
        self.greetings: list[bytes] = []  # what connections have begun with, below whatever is spoken on them
        self.error: Callable[[], Exception] | None = None
        self.is_silent = False
        self.closes_at_once = False
        self.reads_nothing = False
        self.waiting: list[asyncio.Future[None]] = []

    def wakes_up(self) -> None:
        """Answer those who were kept waiting."""
        self.is_silent = False
        for waiting in self.waiting:
            waiting.set_result(None)

    @property
    def connection(self) -> Peer:
        """Return the newest connection."""
        return self.connections[-1]


class ManualLoop(asyncio.SelectorEventLoop):
    """An event loop with a manual clock, whose connections lead to servers of the test."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._reached: dict[socket.socket, Server] = {}
        super().__init__()

    def time(self) -> float:
        return self._world.clock()

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        server = self._world.servers[address]
        if server.is_silent:
            server.waiting.append(self.create_future())
            await server.waiting[-1]
        if server.error is not None:
            raise server.error()
        self._reached[sock] = server

    async def sock_sendall(self, sock: socket.socket, data: Any) -> None:
        self._reached[sock].greetings.append(data)

    async def create_connection(  # type: ignore[override]
        self, factory: Callable[[], asyncio.Protocol], *, sock: socket.socket, **_: Any
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        server = self._reached.pop(sock)
        peer = Peer(self._world, factory())
        ours, theirs = socket.socketpair()
        os.dup2(ours.fileno(), sock.fileno())
        ours.close()
        peer.sockets = [sock, theirs]
        if server.reads_nothing:
            peer.stops_reading()
        server.connections.append(peer)
        if server.closes_at_once:
            peer.protocol.eof_received()
            peer.transport.close()
        return peer.transport, peer.protocol


class ManualThreads:
    """Threads that do their jobs at once, or if they are slow when the test says so."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.is_slow = False
        self.waiting: list[tuple[asyncio.Future[bytes], Callable[[], bytes]]] = []
        self.done = 0

    def run(self, job: Callable[[], bytes]) -> "asyncio.Future[bytes]":
        future: asyncio.Future[bytes] = self._loop.create_future()
        self.waiting.append((future, job))
        if not self.is_slow:
            self.work()
        return future

    def work(self) -> None:
        """Do what waits; the loop hears of it later."""
        waiting, self.waiting = self.waiting, []
        for future, job in waiting:
            self.done += 1
            try:
                future.set_result(job())
            except Exception as error:  # noqa: BLE001 - as an executor does
                future.set_exception(error)


class Names:
    """A name server that knows the names of a world."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def resolve(self, host: str) -> Answer:
        addresses = self._world.names.get(host)
        if addresses is None:
            raise NotKnown(f"{host} is not known")
        self._world.asked.append(host)
        v4, v6 = (tuple(one for one in addresses if (":" in one) is is_v6) for is_v6 in (False, True))
        return Answer(v4, v6, self._world.ttl)


class World:
    """All of it: `clock`, `plane`, the `servers` by address, the addresses of `names`, and the `peers`."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.loop = ManualLoop(self)
        self.zone = Zone(1, columns=64, words=64)
        self.names: dict[str, list[str]] = {}
        self.ttl = 30.0
        self.asked: list[str] = []
        hosts = Hosts(self.loop, lambda _: Names(self))
        self.plane = DataPlane(self.loop, self.zone.row(0), self.clock(), hosts, self.clock)
        self.store = MemoryStore()
        self.threads = ManualThreads(self.loop)
        self.builder = SnapshotBuilder(self.plane, self.zone, lambda _: self.store, self.threads)
        self.peers: list[Peer] = []
        self.servers: dict[tuple[str, int], Server] = {}
        self.plane.ticker.start()
        self.configure()

    def server(self, port: int = 8080) -> Server:
        """Return the backend at a port."""
        backend = Backend("http", "10.0.0.1", port)
        return self.servers.setdefault((backend.host, backend.port), Server(backend))

    def route(self, pattern: str, *servers: Server, internal: str | None = None, **options: Any) -> Route:
        """Make a route to backends that exist in this world."""
        methods = options.pop("methods", METHODS)
        backends = tuple(server.backend for server in servers)
        return Route(pattern, internal or pattern, methods, backends, **options)

    def configure(self, *routes: Route, **settings: Any) -> Snapshot:
        """Put a config into effect."""
        previous = getattr(self.plane, "snapshot", None)
        snapshot = finished(self.builder.steps(Document(Settings(**settings), routes).encode(), 1, previous))
        self.plane.snapshot = snapshot
        return snapshot

    def client(self, **extra: Any) -> Peer:
        """Let a client connect."""
        return Peer(self, Downstream(self.plane), **extra)

    def settle(self) -> None:
        """Let everything happen that is due now."""
        is_busy = True
        while is_busy:
            for _ in range(8):  # as many turns as it takes from one wait of a task to its next
                self.loop.call_soon(self.loop.stop)
                self.loop.run_forever()
            is_busy = any(peer.step() for peer in self.peers)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, tick by tick."""
        for _ in range(round(seconds / TICK_SECONDS)):
            self.clock.advance(TICK_SECONDS)
            self.settle()

    def count(self, index: int) -> int:
        """Return a counter or gauge of the worker."""
        return self.plane.row.load(index)

    def responses(self) -> list[int]:
        """Return how many requests were answered with 1xx, 2xx, 3xx, 4xx and 5xx."""
        return [self.count(index) for index in RESPONSES]

    def end(self) -> None:
        """Let everyone leave, and see that nothing is left and everything was counted once."""
        for peer in self.peers:
            if not peer.is_lost:
                peer.resets()
        self.plane.ticker.stop()
        self.loop.close()
        assert self.count(layout.IN_FLIGHT) == 0
        assert self.count(layout.CONNECTIONS_OPEN) == 0
        assert self.count(layout.UPSTREAM_OPEN) == 0
        assert sum(self.responses()) == self.count(layout.REQUESTS)
        assert self.count(layout.WEBSOCKETS_OPEN) == 0
        assert not self.plane.downstreams
        assert not self.plane.tunnels
        self.zone.close()


def plane_on(loop: asyncio.AbstractEventLoop) -> DataPlane:
    """Make a data plane without routes on an event loop."""
    plane = DataPlane(loop, Zone(1, columns=64, words=64).row(0), 0.0)
    plane.snapshot = Snapshot(1, Settings(), Router.empty(), {})
    return plane


def finished(steps: Generator[None, None, Snapshot]) -> Snapshot:
    """Run a generator to its end and return its value."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            snapshot: Snapshot = end.value
            return snapshot


def masked(data: bytes) -> bytes:
    """Replace what differs from run to run."""
    data = re.sub(rb"(X-Request-ID: )[0-9a-f-]{36}\r\n", rb"\1*\r\n", data)
    return re.sub(rb"(Date: )[A-Z][^\r]* GMT\r\n", rb"\1*\r\n", data)


def status_of(answer: bytes) -> int:
    """Return the status of an answer."""
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer[9:12])


def body_of(answer: bytes) -> bytes:
    """Return what follows the head of an answer."""
    return answer.partition(b"\r\n\r\n")[2]
