"""One worker's gateway over real sockets, on both event loops: prepare, commit, serve, drain."""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest
import uvloop

from kairos.config.document import Backend, Document, Route, Settings
from kairos.config.listening import Listener
from kairos.gateway import ConfigNotApplicable, Gateway
from kairos.proxy.snapshot import Snapshot
from kairos.shm import layout
from kairos.shm.zone import Zone

T = TypeVar("T")
NO_PATIENCE, PATIENCE = 0.0, 30.0


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop = request.param()
    yield loop
    for _ in range(5):  # connections that were closed last take a few turns to be gone
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()


@pytest.fixture
def run(loop: asyncio.AbstractEventLoop) -> Callable[[Awaitable[T]], T]:
    return loop.run_until_complete


@pytest.fixture
def zone() -> Zone:
    return Zone(2, columns=64, words=64, started_clock=time.clock_gettime_ns(time.CLOCK_MONOTONIC))


@pytest.fixture
def gateway(loop: asyncio.AbstractEventLoop, zone: Zone) -> Gateway:
    return Gateway(loop, zone, 1)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as sock:
        yield sock


class Origin:
    """A backend that answers each request with its path, or only when it is told to."""

    def __init__(self) -> None:
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.port = 0
        self._serving: set[asyncio.Task[None] | None] = set()

    async def start(self) -> "Origin":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Wait until the gateway has closed all connections."""
        self._server.close()
        await self._server.wait_closed()
        while self._serving:
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(task := asyncio.current_task())
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.is_asked.set()
                await self.may_answer.wait()
                path = head.split(b" ")[1]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))
        except (asyncio.IncompleteReadError, ConnectionResetError):
            writer.close()
        finally:
            self._serving.discard(task)


class Client:
    """A client that keeps its connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._address = sock.getsockname()

    async def connect(self) -> "Client":
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        return self

    async def get(self, path: str) -> tuple[int, bytes, bytes]:
        """Return the status, the head and the body of the answer."""
        self.ask(path)
        return await self.answer()

    def ask(self, path: str) -> None:
        self._writer.write(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())

    async def answer(self) -> tuple[int, bytes, bytes]:
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        return int(head[9:12]), head, await self._reader.readexactly(length)

    async def sees_end(self) -> bool:
        """Wait until the gateway closes; say whether nothing more came."""
        try:
            return await self._reader.read() == b""
        except ConnectionResetError:
            return True

    async def leave(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


def document(origin: Origin | None = None, path: str = "/{rest...}", **settings: object) -> bytes:
    routes: tuple[Route, ...] = ()
    if origin is not None:
        routes = (Route(path, path, ("GET",), (Backend("http", "127.0.0.1", origin.port),)),)
    return Document(Settings(**settings), routes).encode()  # type: ignore[arg-type]


async def serve(gateway: Gateway, sock: socket.socket, config: bytes) -> None:
    gateway.commit(await gateway.prepare(config, 1))
    gateway.start([(Listener(), sock)])


async def becomes(expected: int, value: Callable[[int], int], index: int) -> None:
    """Wait until a number of a row has a value; the time limit of the test bounds it."""
    while value(index) != expected:
        await asyncio.sleep(0.01)


def test_serves_what_was_committed(
    run: Callable[..., Any], gateway: Gateway, zone: Zone, listening: socket.socket
) -> None:
    async def scenario() -> None:
        origin = await Origin().start()
        await serve(gateway, listening, document(origin))
        client = await Client(listening).connect()
        assert (await client.get("/some/path"))[::2] == (200, b"/some/path")
        status, _, body = await client.get("/ready")
        assert (status, orjson.loads(body)["status"]) == (200, "ready")
        assert orjson.loads((await client.get("/health"))[2])["uptime"] < 100
        await client.leave()
        await gateway.drain(PATIENCE)
        await origin.stop()

    run(scenario())

    assert zone.row(1).load(layout.LIVE_GENERATION) == 1
    assert zone.row(1).load(layout.REQUESTS) == 3
    assert zone.row(0).load(layout.REQUESTS) == 0
    age = time.clock_gettime_ns(time.CLOCK_MONOTONIC) - zone.row(1).load(layout.HEARTBEAT)
    assert 0 <= age < 100 * 10**9


def test_a_commit_changes_the_next_request_and_the_old_generation_goes(
    run: Callable[..., Any], gateway: Gateway, zone: Zone, listening: socket.socket
) -> None:
    async def scenario() -> None:
        origin = await Origin().start()
        await serve(gateway, listening, document(origin, "/old"))
        client = await Client(listening).connect()
        assert (await client.get("/old"))[0] == 200

        prepared = await gateway.prepare(document(origin, "/new"), 2)
        assert [(await client.get(path))[0] for path in ("/old", "/new")] == [200, 404]
        await becomes(2, zone.row(1).load, layout.LIVE_GENERATIONS)

        gateway.commit(prepared)
        assert [(await client.get(path))[0] for path in ("/old", "/new")] == [404, 200]
        await becomes(1, zone.row(1).load, layout.LIVE_GENERATIONS)
        assert zone.row(1).load(layout.LIVE_GENERATION) == 2

        await client.leave()
        await gateway.drain(PATIENCE)
        await origin.stop()

    run(scenario())


def test_a_prepared_snapshot_can_be_forgotten(run: Callable[..., Any], gateway: Gateway, zone: Zone) -> None:
    async def scenario() -> None:
        gateway.commit(await gateway.prepare(document(), 1))
        await gateway.prepare(document(), 2)
        await becomes(1, zone.row(1).load, layout.LIVE_GENERATIONS)
        await gateway.drain(NO_PATIENCE)

    run(scenario())

    assert zone.row(1).load(layout.LIVE_GENERATION) == 1


def test_requests_are_served_while_a_large_config_is_prepared(
    run: Callable[..., Any], gateway: Gateway, listening: socket.socket
) -> None:
    backend = (Backend("http", "127.0.0.1", 1),)
    routes = tuple(Route(f"/{i}/{{x}}", f"/{i}/{{x}}", ("GET",), backend) for i in range(3000))
    large = Document(Settings(), routes).encode()

    async def scenario() -> int:
        await serve(gateway, listening, document())
        client = await Client(listening).connect()
        preparing = asyncio.get_running_loop().create_task(gateway.prepare(large, 2))
        count = 0
        while not preparing.done():
            assert (await client.get("/live"))[0] == 200
            count += 1
        await client.leave()
        await gateway.drain(PATIENCE)
        return count

    assert run(scenario()) > 1


def test_a_config_that_this_machine_cannot_do_is_refused(
    run: Callable[..., Any], gateway: Gateway, listening: socket.socket, tmp_path: Path
) -> None:
    async def scenario() -> None:
        await serve(gateway, listening, document())
        with pytest.raises(ConfigNotApplicable, match=r"/logging/access_log: cannot open .*: No such file") as refused:
            await gateway.prepare(document(access_log=str(tmp_path / "no" / "file")), 2)
        assert refused.value.kind == "config"
        client = await Client(listening).connect()
        assert (await client.get("/live"))[0] == 200
        await client.leave()
        await gateway.drain(PATIENCE)

    run(scenario())


def test_the_access_log_follows_the_config(
    run: Callable[..., Any], gateway: Gateway, listening: socket.socket, tmp_path: Path
) -> None:
    first, second, moved = (tmp_path / name for name in ("first", "second", "moved"))

    def requests(path: Path) -> list[str]:
        return [orjson.loads(line)["path"] for line in path.read_bytes().splitlines()]

    async def scenario() -> None:
        await serve(gateway, listening, document(access_log=str(first)))
        client = await Client(listening).connect()
        await client.get("/live?1")
        gateway.commit(await gateway.prepare(document(access_log=str(first)), 2))
        await client.get("/health")
        first.rename(moved)
        gateway.reopen_logs()
        await client.get("/ready")
        gateway.commit(await gateway.prepare(document(access_log=str(second)), 3))
        await client.get("/a")
        gateway.commit(await gateway.prepare(document(), 4))
        await client.get("/b")
        gateway.reopen_logs()
        await client.leave()
        await gateway.drain(PATIENCE)

    run(scenario())

    assert [requests(path) for path in (moved, first, second)] == [["/live", "/health"], ["/ready"], ["/a"]]


def test_a_successor_joins_what_the_others_serve_and_opens_its_access_log_later(
    run: Callable[..., Any],
    gateway: Gateway,
    zone: Zone,
    listening: socket.socket,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = tmp_path / "folder"
    zone.cells.store(layout.GENERATION, 1)  # the supervisor says so when a generation is in force

    async def scenario() -> None:
        await serve(gateway, listening, document(access_log=str(folder / "access.log")))
        client = await Client(listening).connect()
        assert (await client.get("/live"))[0] == 200
        folder.mkdir()
        gateway.reopen_logs()
        await client.get("/ready")
        await client.leave()
        await gateway.drain(PATIENCE)

    run(scenario())

    assert "cannot be opened: No such file or directory; requests go on without" in caplog.text
    assert [orjson.loads(line)["path"] for line in (folder / "access.log").read_bytes().splitlines()] == ["/ready"]


def test_records_reach_the_file_without_a_flood(
    run: Callable[..., Any], gateway: Gateway, listening: socket.socket, tmp_path: Path
) -> None:
    path = tmp_path / "log"

    async def scenario() -> None:
        await serve(gateway, listening, document(access_log=str(path)))
        client = await Client(listening).connect()
        await client.get("/live")
        while not path.read_bytes():
            await asyncio.sleep(0.01)
        await client.leave()
        await gateway.drain(PATIENCE)

    run(scenario())


def test_an_unready_gateway_says_so_and_serves_on(
    run: Callable[..., Any], gateway: Gateway, listening: socket.socket
) -> None:
    async def scenario() -> None:
        await serve(gateway, listening, document())
        gateway.unready()
        client = await Client(listening).connect()
        status, head, body = await client.get("/ready")
        assert (status, orjson.loads(body)["status"]) == (503, "draining")
        assert b"Connection: close" not in head
        assert (await client.get("/live"))[0] == 200
        await client.leave()
        await gateway.drain(PATIENCE)

    run(scenario())


def test_a_drain_finishes_what_runs_and_takes_nothing_new(
    run: Callable[..., Any], gateway: Gateway, listening: socket.socket
) -> None:
    async def scenario() -> None:
        origin = await Origin().start()
        origin.may_answer.clear()
        address = listening.getsockname()
        await serve(gateway, listening, document(origin))
        idle, busy = await Client(listening).connect(), await Client(listening).connect()
        assert (await idle.get("/live"))[0] == 200
        busy.ask("/slow")
        await origin.is_asked.wait()

        draining = asyncio.get_running_loop().create_task(gateway.drain(PATIENCE))
        assert await idle.sees_end()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)
        assert not draining.done()

        origin.may_answer.set()
        status, head, body = await busy.answer()
        assert (status, body) == (200, b"/slow")
        assert b"Connection: close\r\n" in head
        assert await busy.sees_end()
        await draining
        await idle.leave()
        await busy.leave()
        await origin.stop()

    run(scenario())


def test_a_drain_breaks_off_what_is_not_finished_in_time(
    run: Callable[..., Any],
    gateway: Gateway,
    zone: Zone,
    listening: socket.socket,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)

    async def scenario() -> None:
        origin = await Origin().start()
        origin.may_answer.clear()
        await serve(gateway, listening, document(origin, access_log=str(tmp_path / "log")))
        client = await Client(listening).connect()
        client.ask("/slow")
        await origin.is_asked.wait()

        await gateway.drain(NO_PATIENCE)

        assert await client.sees_end()
        origin.may_answer.set()
        await client.leave()
        await origin.stop()

    run(scenario())

    row = zone.row(1)
    assert (row.load(layout.IN_FLIGHT), row.load(layout.CONNECTIONS_OPEN)) == (0, 0)
    assert orjson.loads((tmp_path / "log").read_bytes())["reason"] == "drain_deadline"
    assert "1 connections are broken off" in caplog.text


def test_a_gateway_drops_its_snapshots_by_counting_references(run: Callable[..., Any], gateway: Gateway) -> None:
    async def scenario() -> list[Snapshot]:
        for generation in range(1, 4):
            gateway.commit(await gateway.prepare(document(), generation))
        live = list(gateway._live)
        await gateway.drain(NO_PATIENCE)
        return live

    assert [snapshot.generation for snapshot in run(scenario())] == [3]
