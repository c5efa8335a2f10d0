"""WebSockets between clients and servers that others wrote, through two workers."""

import asyncio
import random
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from pathlib import Path
from signal import SIGTERM
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.e2e.certificates import Authority
from tests.e2e.configs import config, route
from tests.e2e.gateway import HOST, Gateway
from tests.e2e.log import PATIENCE_SECONDS
from tests.e2e.peers import Backend, client_of
from tests.e2e.test_authentication import SECRET, bearer, token
from tests.e2e.websocket_servers import AiohttpServer, WebSocketServer

CLOSED_PORT = 1
MOST = 6


def websocket(path: str, *servers: WebSocketServer, **more: Any) -> dict[str, object]:
    """Make a router for WebSockets."""
    more = {"backends": [server.backend for server in servers], **more}
    return route(path, protocol="websocket", **{**more, "methods": ["GET"]})


class Site:
    """A gateway with two workers, and the servers behind it."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        authority = Authority(folder)
        self.server = running.enter_context(WebSocketServer())
        self.secure = running.enter_context(WebSocketServer(tls=authority.server("IP:127.0.0.1")))
        self.aiohttp = running.enter_context(AiohttpServer())
        self.raw = running.enter_context(Backend())
        refuses = {"host": f"ws://{HOST}", "port": CLOSED_PORT}
        secure = {**self.secure.backend, "tls": {"ca_file": str(authority.ca_file)}}
        self.routers = [
            {**websocket("/ws/{room}", self.server), "internal_path": "/rooms/{room}?via=gateway"},
            websocket("/aiohttp", self.aiohttp),
            websocket("/secure", backends=[secure]),
            websocket("/private", self.server, auth_required=True),
            websocket("/retried", backends=[refuses, self.server.backend]),
            websocket("/few", self.server, websocket={"max_connections": MOST}),
            websocket("/small", self.server, websocket={"max_frame_bytes": 1000, "max_message_bytes": 1500}),
            websocket("/pinged", self.server, websocket={"ping_interval_seconds": 0.5, "pong_timeout_seconds": 5}),
            websocket("/origin", self.server, cors={"allowed_origins": ["https://app.example"]}),
            route("/raw", backends=[self.raw.entry], upgrade=True),
        ]
        tls = {"cert_file": "server.pem", "key_file": "server.key"}
        listeners = [{"host": HOST, "port": 0}, {"host": HOST, "port": 0, "tls": tls}]
        self.config = config(*self.routers, jwt={"secret": SECRET}, server={"listeners": listeners})
        self.gateway = running.enter_context(Gateway(folder, self.config, workers=2))
        self.tls_port = int(self.gateway.log.wait_for(rf", https://{HOST}:(\d+)")[1])
        self.trust = ssl.create_default_context(cafile=str(authority.ca_file))

    def url(self, path: str) -> str:
        return f"ws://{HOST}:{self.gateway.port}{path}"

    def connect(self, path: str, **more: Any) -> connect:
        """Connect with the client of `websockets`."""
        options = {"ping_interval": None, "max_size": None, "open_timeout": PATIENCE_SECONDS, "proxy": None, **more}
        return connect(self.url(path), **options)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as running:
        yield Site(tmp_path_factory.mktemp("websockets"), running)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, PATIENCE_SECONDS))


async def echoes(connection: ClientConnection, text: str = "hello") -> bool:
    await connection.send(text)
    return await connection.recv() == text


def test_all_that_a_client_says_arrives(site: Site) -> None:
    async def scenario() -> None:
        headers = {"Cookie": "a=b", "X-Own": "1"}
        subprotocols = [Subprotocol("other"), Subprotocol("chat")]
        async with site.connect("/ws/7?x=y", additional_headers=headers, subprotocols=subprotocols) as connection:
            assert connection.subprotocol == "chat"
            assert connection.response is not None
            assert "permessage-deflate" in connection.response.headers["Sec-WebSocket-Extensions"]
            assert await echoes(connection)

    run(scenario())
    request = site.server.requests[-1]
    assert request.path == "/rooms/7?via=gateway&x=y"
    assert request.headers["Cookie"] == "a=b"
    assert request.headers["X-Own"] == "1"
    assert request.headers["X-Forwarded-For"] == HOST


@pytest.mark.parametrize("compression", ["deflate", None])
def test_messages_of_all_sizes(site: Site, compression: str | None) -> None:
    async def scenario() -> None:
        async with site.connect("/ws/1", compression=compression) as connection:
            for size in (0, 1, 125, 126, 65_535, 65_536, 5_000_000):
                data = random.Random(size).randbytes(size)
                await connection.send(data)
                assert await connection.recv() == data
            await connection.send(["in ", "several ", "pieces"])
            assert await connection.recv() == "in several pieces"
            await (await connection.ping(b"are you there"))

    run(scenario())


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1008, 1011, 3000, 4999])
def test_codes_pass_both_ways(site: Site, code: int) -> None:
    async def scenario() -> None:
        async with site.connect("/ws/1") as connection:
            await connection.send(f"close {code}")
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            assert (connection.close_code, connection.close_reason) == (code, "as you wish")
        async with site.connect("/ws/1") as connection:
            assert await echoes(connection)
            await connection.close(code, "bye")
            assert connection.close_code == code
        while (code, "bye") not in site.server.closes:
            await asyncio.sleep(0.01)

    run(scenario())


def test_aiohttp_on_both_sides(site: Site) -> None:
    async def scenario() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(site.url("/aiohttp"), compress=15, max_msg_size=0) as connection:
                for data in ("text", "x" * 1_000_000):
                    await connection.send_str(data)
                    assert await connection.receive_str() == data
                await connection.send_bytes(b"\0" * 100_000)
                assert await connection.receive_bytes() == b"\0" * 100_000
                await connection.close(code=4001)
            async with session.get(site.url("/aiohttp").replace("ws", "http")) as response:
                assert response.status == 426
        while (4001, None) not in site.aiohttp.closes:
            await asyncio.sleep(0.01)

    run(scenario())


def test_a_backend_with_tls(site: Site) -> None:
    async def scenario() -> None:
        async with site.connect("/secure") as connection:
            for text in ("hello", "x" * 300_000):
                assert await echoes(connection, text)
        while (1000, "") not in site.secure.closes:
            await asyncio.sleep(0.01)

    run(scenario())


def test_a_client_with_tls(site: Site) -> None:
    async def scenario() -> None:
        for path, closes in (("/ws/1", site.server.closes), ("/secure", site.secure.closes)):
            url = f"wss://{HOST}:{site.tls_port}{path}"
            async with connect(url, ssl=site.trust, proxy=None, max_size=None) as connection:
                for text in ("hello", "x" * 3_000_000):
                    assert await echoes(connection, text)
                await connection.send("close 4321")
                with pytest.raises(ConnectionClosed):
                    await connection.recv()
                assert connection.close_code == 4321
            while (4321, "as you wish") not in closes:
                await asyncio.sleep(0.01)
        assert site.server.requests[-1].headers["X-Forwarded-Proto"] == "https"

    run(scenario())


def test_policies_come_first(site: Site) -> None:
    async def status(path: str, **headers: str) -> int:
        try:
            async with site.connect(path, additional_headers=headers) as connection:
                assert await echoes(connection)
        except InvalidStatus as error:
            return error.response.status_code
        return 101

    async def scenario() -> None:
        assert await status("/private") == 401
        assert await status("/private", **bearer(token())) == 101
        assert await status("/origin", Origin="https://evil.example") == 403
        assert await status("/origin", Origin="https://app.example") == 101
        assert await status("/nowhere") == 404
        for _ in range(4):
            assert await status("/retried") == 101

    run(scenario())


def test_the_limit_of_connections_is_exact(site: Site) -> None:
    async def scenario() -> None:
        attempts = await asyncio.gather(*(site.connect("/few") for _ in range(3 * MOST)), return_exceptions=True)
        opened = [one for one in attempts if isinstance(one, ClientConnection)]
        refused = [one.response.status_code for one in attempts if isinstance(one, InvalidStatus)]
        assert (len(opened), refused) == (MOST, [503] * 2 * MOST)
        await asyncio.gather(*(one.close() for one in opened))
        while True:
            try:
                async with site.connect("/few") as connection:
                    assert await echoes(connection)
                return
            except InvalidStatus:
                await asyncio.sleep(0.01)

    run(scenario())


def test_too_large_messages_end_the_connection(site: Site) -> None:
    async def closes(*pieces: str) -> int | None:
        async with site.connect("/small", compression=None) as connection:
            assert await echoes(connection, "x" * 1000)
            try:
                await connection.send(pieces if len(pieces) > 1 else pieces[0])
                await connection.recv()
            except ConnectionClosed:
                return connection.close_code
        return None

    async def scenario() -> None:
        assert await closes("x" * 1001) == 1009
        assert await closes("x" * 500_000) == 1009
        assert await closes("x" * 1000, "y" * 501) == 1009

    run(scenario())


def test_a_client_that_answers_pings_stays(site: Site) -> None:
    async def scenario() -> None:
        url = site.url("/pinged")
        async with aiohttp.ClientSession() as session, session.ws_connect(url, autoping=False) as connection:
            for text in ("one", "two"):
                ping = await connection.receive()
                assert ping.type is aiohttp.WSMsgType.PING
                await connection.pong(ping.data)
                await connection.send_str(text)
                assert await connection.receive_str() == text

    run(scenario())


def test_another_protocol(site: Site) -> None:
    with client_of(site.gateway) as client:
        client.send(b"GET /raw HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: own/1\r\n\r\nearly")
        with site.raw.accept() as served:
            assert b"\r\nConnection: Upgrade\r\nUpgrade: own/1\r\n" in served.receive_head()
            served.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: own/1\r\n\r\ntoo")
            assert client.receive_head().startswith(b"HTTP/1.1 101 ")
            assert (client.sock.recv(3), served.sock.recv(5)) == (b"too", b"early")

            client.sock.shutdown(socket.SHUT_WR)
            assert served.sock.recv(1) == b""
            served.send(b"the answer")
            served.sock.shutdown(socket.SHUT_WR)
            assert client.receive_to_the_end() == len(b"the answer")


def test_a_slow_reader_holds_the_sender_back(site: Site) -> None:
    with client_of(site.gateway) as client:
        client.send(b"GET /raw HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: own/1\r\n\r\n")
        with site.raw.accept() as served:
            served.receive_head()
            served.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: own/1\r\n\r\n")
            client.receive_head()
            sent = served.send_until_nobody_reads()
            served.sock.shutdown(socket.SHUT_WR)
            assert 0 < sent < 64 << 20
            client.sock.shutdown(socket.SHUT_WR)
            assert client.receive_to_the_end() == sent


def test_it_outlives_reloads_and_the_end_is_told(tmp_path: Path, start_gateway: Callable[..., Gateway]) -> None:
    async def keep(connection: ClientConnection, seen: list[int]) -> None:
        seen.extend([int(message) async for message in connection])

    async def count(connection: Any) -> None:
        stop = asyncio.get_running_loop().create_future()
        number = 0
        while not stop.done():
            await connection.send(str(number))
            number += 1
            await asyncio.sleep(0.01)

    with WebSocketServer(count) as server:
        leaving = websocket("/leaving", server, websocket={"close_after_removal_seconds": 1})
        staying = websocket("/staying", server)

        def others(number: int, *routers: dict[str, object]) -> dict[str, object]:
            return config(*routers, route("/other", backends=[{"host": f"http://{HOST}", "port": 1000 + number}]))

        gateway = start_gateway(others(0, leaving, staying), workers=2)

        async def scenario() -> None:
            options: dict[str, Any] = {"ping_interval": None, "proxy": None}
            urls = [f"ws://{HOST}:{gateway.port}/{path}" for path in ("leaving", "staying") for _ in range(20)]
            connections = [await connect(url, **options) for url in urls]
            seen: list[list[int]] = [[] for _ in connections]
            keeping = [asyncio.create_task(keep(one, got)) for one, got in zip(connections, seen, strict=True)]
            for number in range(3):
                await asyncio.to_thread(gateway.reload, others(number + 1, leaving, staying))
            assert not any(task.done() for task in keeping)

            await asyncio.to_thread(gateway.reload, others(0, staying))
            assert not any(task.done() for task in keeping)
            await asyncio.wait(keeping[:20])
            assert {one.close_code for one in connections[:20]} == {1001}
            assert not any(task.done() for task in keeping[20:])

            gateway.send(SIGTERM)
            await asyncio.wait(keeping[20:])
            assert {one.close_code for one in connections[20:]} == {1001}
            assert all(numbers == list(range(len(numbers))) and numbers for numbers in seen)

        run(scenario())
        assert gateway.process.wait(PATIENCE_SECONDS) == 0
