"""A real backend in a thread: it keeps what it received, and answers as the test says."""

import asyncio
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from tests.e2e.log import PATIENCE_SECONDS

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Received:
    """A request as it arrived."""

    connection: int
    head: bytes
    body: bytes

    @property
    def method(self) -> str:
        """The method of the request line."""
        return self.head.split(b" ", 1)[0].decode()

    @property
    def target(self) -> str:
        """The target of the request line."""
        return self.head.split(b" ", 2)[1].decode()

    def fields(self, name: str) -> list[str]:
        """Return the values of all fields of that name, in order."""
        lines = (line.decode("latin-1").partition(":") for line in self.head.split(b"\r\n")[1:])
        return [value.strip() for field, _, value in lines if field.lower() == name.lower()]


def hello(request: Received) -> bytes:
    """Answer `hello`."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + (b"" if request.method == "HEAD" else b"hello")


class Origin:
    """A backend for the time of a `with` block.

    `answer` makes the bytes of a response; empty ones close the connection. To speak byte by byte override `converse`.
    With `tls` it speaks HTTPS. `host` and `port` are where it listens; port 0 lets the system choose.
    """

    def __init__(
        self,
        answer: Callable[[Received], bytes] = hello,
        tls: ssl.SSLContext | None = None,
        *,
        host: str = HOST,
        port: int = 0,
    ) -> None:
        self.host = host
        self.port = port
        self.received: list[Received] = []
        self.connections = 0
        self._answer = answer
        self._tls = tls
        self._changed = threading.Condition()
        self._started = threading.Event()
        self._conversations: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="origin", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(PATIENCE_SECONDS)
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Be gone: the port is closed, and so are all connections."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(PATIENCE_SECONDS)

    @property
    def backend(self) -> dict[str, object]:
        """The entry for this backend in a config."""
        scheme = "https" if self._tls else "http"
        return {"host": f"{scheme}://{self.host}", "port": self.port}

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self._loop.call_soon_threadsafe(self._may_answer.clear)

    def release(self) -> None:
        """Answer what was held, and all that follows."""
        self._loop.call_soon_threadsafe(self._may_answer.set)

    def wait_for(self, count: int) -> list[Received]:
        """Wait until that many requests have arrived."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.received) >= count, PATIENCE_SECONDS)
        assert arrived, f"{len(self.received)} requests instead of {count}"
        return self.received

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        connection = self.connections
        while head := await read_head(reader):
            request = Received(connection, head, await read_body(reader, head))
            self._note(request)
            await self._may_answer.wait()
            response = self._answer(request)
            if not response:
                return
            writer.write(response)
            await writer.drain()

    def _note(self, request: Received) -> None:
        with self._changed:
            self.received.append(request)
            self._changed.notify_all()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._may_answer = asyncio.Event()
        self._may_answer.set()
        server = await asyncio.start_server(self._connected, self.host, self.port, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._end.wait()
        server.close()
        for _ in range(5):  # what has been accepted takes a few turns to become a conversation
            await asyncio.sleep(0)
        for task in self._conversations:
            task.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        try:
            await self.converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()  # the other side left, or the test is over
        finally:
            self._conversations.discard(task)
            writer.close()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """Read up to the blank line; nothing at the end of the connection."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return b""


async def read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """Read the body that a head announces (RFC 9112 section 6.3)."""
    request = Received(0, head, b"")
    if request.fields("Transfer-Encoding") != ["chunked"]:
        return await reader.readexactly(int((request.fields("Content-Length") or ["0"])[0]))
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    while (await reader.readline()).strip():  # the trailer section
        pass
    return body
