"""A listening socket: who has connected is served, also when it closes and when descriptors run out."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import uvloop

from kairos.config.document import Settings
from kairos.config.listening import Listener as ConfigListener
from kairos.proxy import listener as module
from kairos.proxy.generation import Snapshot
from kairos.proxy.listener import BATCH, PAUSE_SECONDS, Listener, most_for_clients
from kairos.proxy.listener_options import ListenerOptions
from kairos.proxy.plane import DataPlane
from kairos.routing.router import Router
from kairos.shm import layout
from tests.fakes import ManualClock
from tests.proxy.world import plane_on


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop = request.param()
    yield loop
    loop.close()


@pytest.fixture
def plane(loop: asyncio.AbstractEventLoop) -> DataPlane:
    return plane_on(loop)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=BATCH * 2)) as sock:
        yield sock


async def accepted(plane: DataPlane, count: int) -> None:
    """Wait until so many clients have been accepted; the time limit of the test bounds it."""
    while plane.row.load(layout.CONNECTIONS_ACCEPTED) < count:
        await asyncio.sleep(0)


async def all_gone(plane: DataPlane) -> None:
    """Break all connections off and wait until they are."""
    for downstream in list(plane.downstreams):
        downstream.abort()
    while plane.downstreams:
        await asyncio.sleep(0)


def test_clients_are_accepted_with_their_address(
    loop: asyncio.AbstractEventLoop, plane: DataPlane, listening: socket.socket
) -> None:
    listener = Listener(plane, listening)

    async def scenario() -> set[str]:
        listener.start()
        clients = [socket.create_connection(listening.getsockname()) for _ in range(3)]
        await accepted(plane, 3)
        addresses = {downstream.address for downstream in plane.downstreams}
        listener.close()
        await all_gone(plane)
        for client in clients:
            client.close()
        return addresses

    assert loop.run_until_complete(scenario()) == {"127.0.0.1"}


def test_who_has_connected_before_the_close_is_served(
    loop: asyncio.AbstractEventLoop, plane: DataPlane, listening: socket.socket
) -> None:
    """More than one batch waits in the queue when the listener closes; the port is closed at once after it."""
    listener = Listener(plane, listening)
    address = listening.getsockname()
    count = BATCH + 10

    async def scenario() -> None:
        listener.start()
        clients = [socket.create_connection(address) for _ in range(count)]
        listener.close()
        listener.close()
        assert listener.is_starting
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        await accepted(plane, count)
        while listener.is_starting:
            await asyncio.sleep(0)
        await all_gone(plane)
        for client in clients:
            client.close()

    loop.run_until_complete(scenario())


def test_where_a_proxy_header_is_wanted_the_client_is_who_it_names(
    loop: asyncio.AbstractEventLoop, plane: DataPlane, listening: socket.socket
) -> None:
    plane.snapshot = Snapshot(1, Settings(trusted_proxies=("127.0.0.0/8",)), Router.empty(), {})
    listener = Listener(plane, listening, options=ListenerOptions(ConfigListener(proxy_protocol=True)))

    async def scenario() -> set[str]:
        listener.start()
        with (
            socket.create_connection(listening.getsockname()) as spoken_for,
            socket.create_connection(listening.getsockname()) as silent,
        ):
            spoken_for.sendall(b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2\r\n")
            silent.sendall(b"PROXY ")
            await accepted(plane, 1)
            addresses = {downstream.address for downstream in plane.downstreams}
            listener.close()
            await all_gone(plane)
            for _ in range(10):
                await asyncio.sleep(0)
            assert listener.is_starting  # the silent one
            listener.abort()
            assert not listener.is_starting
            silent.settimeout(30)
            assert silent.recv(1) == b""
        return addresses

    assert loop.run_until_complete(scenario()) == {"203.0.113.9"}


class FakeSocket:
    """A listening socket whose calls to accept fail as the test says."""

    family, type = socket.AF_INET, socket.SOCK_STREAM

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.is_closed = False

    def fileno(self) -> int:
        return 0

    def setblocking(self, _: bool) -> None:
        """Do nothing."""

    def accept(self) -> Any:
        raise self.errors.pop(0) if self.errors else BlockingIOError

    def close(self) -> None:
        self.is_closed = True


class FakeLoop:
    """An event loop that shows what is watched and what is to be called later."""

    def __init__(self) -> None:
        self.time = ManualClock()
        self.readers: dict[object, Callable[[], None]] = {}
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def add_reader(self, sock: object, call: Callable[[], None]) -> None:
        self.readers[sock] = call

    def remove_reader(self, sock: object) -> None:
        self.readers.pop(sock, None)

    def call_later(self, seconds: float, call: Callable[[], None]) -> Any:
        timer = (seconds, call)
        self.timers.append(timer)

        class Handle:
            cancel = staticmethod(lambda: self.timers.remove(timer))

        return Handle


@pytest.fixture
def _fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is accepted from be asked, which may be no real socket."""

    def accept_one(sock: FakeSocket) -> int:
        try:
            return int(sock.accept())
        except BlockingIOError:
            return -1

    monkeypatch.setattr(module, "accept_one", accept_one)


def fake_listener(sock: FakeSocket, descriptors: int = 1000) -> tuple[Listener, FakeLoop]:
    loop: Any = FakeLoop()
    listening: Any = sock
    listener = Listener(plane_on(loop), listening, descriptors)
    listener.start()
    return listener, loop


@pytest.mark.usefixtures("_fails")
@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_accepting_pauses_when_nothing_is_left_to_accept_with(code: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    sock = FakeSocket(OSError(code, "all gone"))
    _, loop = fake_listener(sock)

    loop.readers[sock]()

    assert loop.readers == {}
    assert "accepting pauses: all gone" in caplog.text
    ((seconds, resume),) = loop.timers
    assert seconds == PAUSE_SECONDS

    resume()
    assert sock in loop.readers


@pytest.mark.usefixtures("_fails")
def test_accepting_goes_on_only_when_enough_descriptors_are_free() -> None:
    sock = FakeSocket(OSError(errno.EMFILE, "all gone"))
    _, loop = fake_listener(sock, descriptors=0)
    loop.readers[sock]()

    for attempt in range(2, 5):
        loop.timers[-1][1]()
        assert loop.readers == {}
        assert len(loop.timers) == attempt


@pytest.mark.parametrize(("open_files", "for_clients"), [(16, 12), (64, 48), (1024, 973), (1_000_000, 950_000)])
def test_some_descriptors_are_kept_for_backends(open_files: int, for_clients: int) -> None:
    assert most_for_clients(open_files) == for_clients


def test_a_client_that_takes_the_last_free_descriptor_is_served_and_the_next_has_to_wait(
    loop: asyncio.AbstractEventLoop, plane: DataPlane, listening: socket.socket
) -> None:
    listener = Listener(plane, listening, descriptors=0)

    async def scenario() -> int:
        listener.start()
        clients = [socket.create_connection(listening.getsockname()) for _ in range(2)]
        await accepted(plane, 1)
        for _ in range(10):
            await asyncio.sleep(0)
        count = plane.row.load(layout.CONNECTIONS_ACCEPTED)
        listener.close()
        await accepted(plane, 2)
        await all_gone(plane)
        for client in clients:
            client.close()
        return count

    assert loop.run_until_complete(scenario()) == 1


@pytest.mark.usefixtures("_fails")
def test_a_listener_can_close_while_it_pauses() -> None:
    exhausted = OSError(errno.EMFILE, "all gone")
    sock = FakeSocket(exhausted, exhausted)
    listener, loop = fake_listener(sock)
    loop.readers[sock]()

    listener.close()

    assert loop.timers == []
    assert loop.readers == {}
    assert sock.is_closed


@pytest.mark.usefixtures("_fails")
def test_a_client_that_left_the_queue_hides_no_other() -> None:
    sock = FakeSocket(ConnectionAbortedError(), ConnectionAbortedError())
    _, loop = fake_listener(sock)

    loop.readers[sock]()

    assert sock.errors == []
    assert sock in loop.readers


@pytest.mark.usefixtures("_fails")
def test_any_other_failure_is_a_defect() -> None:
    sock = FakeSocket(OSError(errno.EBADF, "bad"))
    _, loop = fake_listener(sock)

    with pytest.raises(OSError, match="bad"):
        loop.readers[sock]()
