"""A backend that can answer very many requests late: all at once, some time after the last of them has come."""

import asyncio
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Self, cast

import uvloop

from benchmarks.load.helper import Helper
from benchmarks.load.programs import HOST

BACKLOG = 16384
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LATE = b"GET /wait "


class Origin(Helper):
    """Answer at once, but `/wait` only `delay` seconds after `together` requests for it have come."""

    def __init__(self, *, together: int = 1, delay: float = 0.0) -> None:
        super().__init__("origin", _run, together, delay)
        self.port = 0

    def __enter__(self) -> Self:
        super().__enter__()
        self.port = self.answer()
        return self


class Gate:
    """Keep those who wait until enough have come and the delay is over."""

    def __init__(self, together: int, delay: float) -> None:
        self._together = together
        self._delay = delay
        self._waiting: list[asyncio.Transport] = []

    def wait(self, transport: asyncio.Transport) -> None:
        """Answer this one later."""
        self._waiting.append(transport)
        if len(self._waiting) == self._together:
            waiting, self._waiting = self._waiting, []
            asyncio.get_running_loop().call_later(self._delay, self._answer, waiting)

    @staticmethod
    def _answer(waiting: list[asyncio.Transport]) -> None:
        for transport in waiting:
            transport.write(ANSWER)


class Conversation(asyncio.Protocol):
    """One connection; requests have no body."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer when the head is complete; proxies do not send the next request before."""
        self._head += data
        if not self._head.endswith(b"\r\n\r\n"):
            return
        head, self._head = self._head, b""
        if head.startswith(LATE):
            self._gate.wait(self._transport)
        else:
            self._transport.write(ANSWER)


def _run(pipe: Connection, together: int, delay: float) -> None:
    gate = Gate(together, delay)
    uvloop.run(serve(pipe, lambda: Conversation(gate)))


async def serve(pipe: Connection, protocol: Callable[[], asyncio.BaseProtocol]) -> None:
    """Serve on a port of this machine, which is sent over the pipe, until the pipe is closed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, HOST, 0, backlog=BACKLOG)
    end = asyncio.Event()
    loop.add_reader(pipe.fileno(), end.set)  # nobody orders anything: what can be read is the end
    pipe.send(server.sockets[0].getsockname()[1])
    await end.wait()
