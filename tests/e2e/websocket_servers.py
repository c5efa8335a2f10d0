"""Backends for WebSockets: the servers of `websockets` and of aiohttp, in a thread."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request
from websockets.typing import Subprotocol

from tests.e2e.log import PATIENCE_SECONDS
from tests.e2e.origin import HOST

Handler = Callable[[ServerConnection], Awaitable[None]]
SUBPROTOCOLS = [Subprotocol("chat.v2"), Subprotocol("chat")]


async def echo(connection: ServerConnection) -> None:
    """Send back what comes, in the same kind of frame; `close CODE` closes."""
    async for message in connection:
        if isinstance(message, str) and message.startswith("close "):
            await connection.close(int(message.split()[1]), "as you wish")
        else:
            await connection.send(message)


def chosen(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Choose the first subprotocol that is known; do without if there is none."""
    return next((one for one in offered if one in SUBPROTOCOLS), None)


class WebSocketServer:
    """A server for the time of a `with` block; it keeps the handshakes that it has got, and what the Closes said."""

    def __init__(self, handler: Handler = echo, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.closes: list[tuple[int | None, str | None]] = []
        self.port = 0
        self._handler = handler
        self._tls = tls
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="websockets", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(PATIENCE_SECONDS)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(PATIENCE_SECONDS)

    @property
    def backend(self) -> dict[str, object]:
        """The entry for this backend in a config."""
        return {"host": f"{'wss' if self._tls else 'ws'}://{HOST}", "port": self.port}

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        await self._run()

    async def _run(self) -> None:
        options = {"select_subprotocol": chosen, "max_size": None, "max_queue": 4, "ping_interval": None}
        async with serve(self._take, HOST, 0, ssl=self._tls, **options) as server:  # type: ignore[arg-type]
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._started.set()
            await self._end.wait()

    async def _take(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.requests.append(connection.request)
        try:
            await self._handler(connection)
        finally:
            await connection.wait_closed()
            self.closes.append((connection.close_code, connection.close_reason))


class AiohttpServer(WebSocketServer):
    """The same with aiohttp, whose handler is an echo."""

    @property
    def backend(self) -> dict[str, object]:
        """The entry for this backend in a config."""
        return {"host": f"http://{HOST}", "port": self.port}

    async def _run(self) -> None:
        application = web.Application()
        application.router.add_get("/{rest:.*}", self._echo)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._started.set()
        await self._end.wait()
        await runner.cleanup()

    async def _echo(self, request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse(compress=True, max_msg_size=0)
        await response.prepare(request)
        async for message in response:
            if isinstance(message.data, str):
                await response.send_str(message.data)
            else:
                await response.send_bytes(message.data)
        self.closes.append((response.close_code, None))
        return response
