"""Very many streams with numbered messages: their origin and their clients, all in one event loop of a thread."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Self, TypeVar

import httptools

from tests.e2e.gateway import HOST
from tests.e2e.log import PATIENCE_SECONDS

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
AT_ONCE = 100  # connections that are opened at the same time

T = TypeVar("T")


class Outlet(asyncio.Protocol):
    """The origin's end of an event stream."""

    def __init__(self, streams: "Streams") -> None:
        self._streams = streams
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._streams.outlets.discard(self)

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self._head.endswith(b"\r\n\r\n"):
            self.transport.write(HEAD)
            self._streams.outlets.add(self)
            self._streams.has_changed()

    def send(self, text: bytes) -> None:
        """Send a piece of the stream."""
        self.transport.write(b"%x\r\n%b\r\n" % (len(text), text))


class Inlet(asyncio.Protocol):
    """A client's end. Its fate is `open`, then `ended` if the answer was complete, `cut off`, or what went wrong."""

    def __init__(self, streams: "Streams", number: int) -> None:
        self._streams = streams
        self._number = number
        self._parser = httptools.HttpResponseParser(self)
        self._text = b""
        self.seen = 0  # the number of the last message
        self.fate = "open"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.transport.write(b"GET /events/%d HTTP/1.1\r\nHost: a\r\n\r\n" % self._number)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.fate == "open":
            self.fate = "cut off"
        self._streams.has_changed()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    @property
    def has_part(self) -> bool:
        """Say whether a message has begun and not ended."""
        return bool(self._text)

    # What the parser calls.

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() != 200:
            self.fate = f"status {self._parser.get_status_code()}"
        self._streams.has_changed()

    def on_body(self, piece: bytes) -> None:
        *events, self._text = (self._text + piece).split(b"\n\n")
        for event in events:
            self.seen += 1
            if event + b"\n\n" != text_of(self.seen):
                self.fate = f"{event!r} instead of message {self.seen}"
        self._streams.has_changed()

    def on_message_complete(self) -> None:
        if self.fate == "open":
            self.fate = f"ended within an event: {self._text!r}" if self._text else "ended"
        self._streams.has_changed()


class Streams:
    """Origin and clients for the time of a `with` block; all methods are for the thread of the test."""

    def __init__(self) -> None:
        self.outlets: set[Outlet] = set()
        self.sent = 0  # messages on each stream
        self._begun: list[Outlet] = []
        self._inlets: list[Inlet] = []
        self._changed: asyncio.Event
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="streams", daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *error: object) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_SECONDS)
        self._loop.close()

    @property
    def backend(self) -> dict[str, object]:
        """The entry for the origin in a config."""
        return {"host": f"http://{HOST}", "port": self.port}

    def open(self, port: int, count: int) -> None:
        """Let that many more clients open an event stream at a gateway, and wait until all flow."""
        self._run(self._open(port, count))

    def send(self) -> None:
        """Send the next message on all streams, and wait for none."""
        self.sent += 1
        self._run(self._send(list(self.outlets), text_of(self.sent)))

    def begin_message(self, count: int) -> None:
        """Send a part of a message on so many streams, and wait until the clients have it."""
        self._begun = list(self.outlets)[:count]
        self._run(self._send(self._begun, text_of(self.sent + 1)[:-3]))
        self._run(self._wait_for(lambda: sum(inlet.has_part for inlet in self._inlets) == count))

    def end_message(self) -> None:
        """Send the rest of it."""
        self._run(self._send(self._begun, text_of(self.sent + 1)[-3:]))

    def fates(self) -> dict[str, int]:
        """Count the clients by what has become of their streams, as soon as all messages have arrived."""
        return self._run(self._settled(lambda inlet: inlet.seen == self.sent))

    def last_fates(self) -> dict[str, int]:
        """Count them when no stream is open any more."""
        return self._run(self._settled(lambda inlet: inlet.fate != "open"))

    def has_changed(self) -> None:
        """Wake who waits; for the ends of the streams."""
        self._changed.set()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(2 * PATIENCE_SECONDS)

    async def _listen(self) -> None:
        self._changed = asyncio.Event()
        self._server = await self._loop.create_server(lambda: Outlet(self), HOST, 0, backlog=4096)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _open(self, port: int, count: int) -> None:
        for known in range(len(self._inlets), len(self._inlets) + count, AT_ONCE):
            numbers = range(known, min(known + AT_ONCE, known + count))
            for number in numbers:
                inlet = Inlet(self, number)
                await self._loop.create_connection(lambda inlet=inlet: inlet, HOST, port)  # type: ignore[misc]
                self._inlets.append(inlet)
            await self._wait_for(lambda: len(self.outlets) == len(self._inlets))

    async def _send(self, outlets: Iterable[Outlet], text: bytes) -> None:
        for outlet in outlets:
            outlet.send(text)

    async def _settled(self, is_settled: Callable[[Inlet], bool]) -> dict[str, int]:
        await self._wait_for(lambda: all(is_settled(inlet) or inlet.fate != "open" for inlet in self._inlets))
        return dict(Counter(inlet.fate for inlet in self._inlets))

    async def _wait_for(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def _end(self) -> None:
        self._server.close()
        for end in (*self._inlets, *self.outlets):
            end.transport.abort()
        await asyncio.sleep(0)


def text_of(number: int) -> bytes:
    """Return a message."""
    return b"id: %d\ndata: message %d\n\n" % (number, number)
