"""Very many streams with numbered messages: their origin and their clients, all in one event loop of a thread."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, Self, TypeVar

import httptools

from benchmarks.load.websocket import agreement
from tests.e2e.gateway import HOST
from tests.e2e.log import PATIENCE_SECONDS

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
CLOSE, TEXT = 8, 1  # RFC 6455 section 5.2
FINAL, MASKED = 0x80, 0x80
NO_MASK = bytes(4)  # a mask that changes nothing
AT_ONCE = 100  # connections that are opened at the same time

T = TypeVar("T")


class Frames:
    """Read short frames of a WebSocket, which nobody has cut into fragments."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the kind and the payload of each whole frame."""
        self._rest += data
        while len(self._rest) >= 2:
            has_mask, size = bool(self._rest[1] & MASKED), self._rest[1] & 0x7F
            start = 6 if has_mask else 2
            if len(self._rest) < start + size:
                return
            mask = self._rest[2:6] if has_mask else NO_MASK
            payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self._rest[start : start + size]))
            kind, self._rest = self._rest[0] & 0x0F, self._rest[start + size :]
            yield kind, payload


class Outlet(asyncio.Protocol):
    """The origin's end of a stream. The other end of a WebSocket sends every message back."""

    def __init__(self, streams: "Streams") -> None:
        self._streams = streams
        self._head = b""
        self._frames: Frames | None = None
        self.returned = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._streams.outlets.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._frames is not None:
            self._take(data)
            return
        self._head += data
        if self._head.endswith(b"\r\n\r\n"):
            if b"\r\nUpgrade: websocket\r\n" in self._head:
                self._frames = Frames()
            self.transport.write(HEAD if self._frames is None else agreement(self._head[:-4]))
            self._streams.outlets.add(self)
            self._streams.has_changed()

    def send(self, text: bytes) -> None:
        """Send a message, or on an event stream a piece of one."""
        if self._frames is None:
            self.transport.write(b"%x\r\n%b\r\n" % (len(text), text))
        else:
            self.transport.write(bytes((FINAL | TEXT, len(text))) + text)

    def has_all(self, sent: int) -> bool:
        """Say whether everything came back that should."""
        return self._frames is None or self.returned == sent

    def _take(self, data: bytes) -> None:
        for kind, payload in self._frames.feed(data):  # type: ignore[union-attr]
            if kind == CLOSE:
                self.transport.write(bytes((FINAL | CLOSE, len(payload))) + payload)
                self.transport.close()
            elif payload == text_of(self.returned + 1):
                self.returned += 1
        self._streams.has_changed()


class Inlet(asyncio.Protocol):
    """A client's end. Its fate is `open`, then how it has ended, or what went wrong."""

    fields = b""

    def __init__(self, streams: "Streams", number: int) -> None:
        self._number = number
        self._streams = streams
        self._parser = httptools.HttpResponseParser(self)
        self.seen = 0  # the number of the last message
        self.fate = "open"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.transport.write(b"GET /streams/%d HTTP/1.1\r\nHost: a\r\n%b\r\n" % (self._number, self.fields))

    def connection_lost(self, exc: Exception | None) -> None:
        self.ends("cut off")

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)
        self._streams.has_changed()

    @property
    def has_part(self) -> bool:
        """Say whether a message has begun and not ended."""
        return False

    def on_headers_complete(self) -> None:
        """Look at the answer; the parser calls."""
        if self._parser.get_status_code() not in (101, 200):
            self.ends(f"status {self._parser.get_status_code()}")

    def take(self, message: bytes) -> None:
        """Take the next message."""
        self.seen += 1
        if message != text_of(self.seen):
            self.ends(f"{message!r} instead of message {self.seen}")

    def ends(self, fate: str) -> None:
        """Remember the first thing that ended the stream."""
        if self.fate == "open":
            self.fate = fate
        self._streams.has_changed()


class EventInlet(Inlet):
    """A client of an event stream; it `ended` if the answer was complete after a whole event."""

    def __init__(self, streams: "Streams", number: int) -> None:
        super().__init__(streams, number)
        self._text = b""

    @property
    def has_part(self) -> bool:
        return bool(self._text)

    def on_body(self, piece: bytes) -> None:
        *events, self._text = (self._text + piece).split(b"\n\n")
        for event in events:
            self.take(event + b"\n\n")

    def on_message_complete(self) -> None:
        self.ends(f"ended within an event: {self._text!r}" if self._text else "ended")


class WebSocketInlet(Inlet):
    """A client of a WebSocket, which sends every message back; it ends with the code of a Close."""

    fields = UPGRADE

    def __init__(self, streams: "Streams", number: int) -> None:
        super().__init__(streams, number)
        self._frames: Frames | None = None

    def data_received(self, data: bytes) -> None:
        if self._frames is None:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data, self._frames = data[upgrade.args[0] :], Frames()
        for kind, payload in self._frames.feed(data) if self._frames else ():
            if kind == CLOSE:
                self.ends(f"closed with {int.from_bytes(payload[:2], 'big')}")
            else:
                self.take(payload)
            self.answer(kind, payload)
        self._streams.has_changed()

    def answer(self, kind: int, payload: bytes) -> None:
        """Send a frame back."""
        self.transport.write(bytes((FINAL | kind, MASKED | len(payload))) + NO_MASK + payload)


class SilentInlet(WebSocketInlet):
    """A client that does not answer, not even a Close."""

    def answer(self, kind: int, payload: bytes) -> None:
        """Send nothing."""


class Streams:
    """Origin and clients for the time of a `with` block; its methods are for the thread of the test."""

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

    def open(self, kind: type[Inlet], port: int, count: int) -> None:
        """Let that many more clients open a stream through a gateway, and wait until the origin has them all."""
        self._run(self._open(kind, port, count))

    def send(self) -> None:
        """Send the next message on all streams, and wait for none."""
        self.sent += 1
        self._run(self._send(list(self.outlets), text_of(self.sent)))

    def begin_message(self, count: int) -> None:
        """Send a part of a message on so many event streams, and wait until the clients have it."""
        self._begun = list(self.outlets)[:count]
        self._run(self._send(self._begun, text_of(self.sent + 1)[:-3]))
        self._run(self._wait_for(lambda: sum(inlet.has_part for inlet in self._inlets) == count))

    def end_message(self) -> None:
        """Send the rest of it."""
        self._run(self._send(self._begun, text_of(self.sent + 1)[-3:]))

    def fates(self) -> dict[str, int]:
        """Count the clients by what has become of their streams, as soon as all messages have arrived everywhere."""
        return self._run(self._settled(lambda inlet: inlet.seen == self.sent))

    def wait_for_ends(self, count: int) -> None:
        """Wait until so many streams have ended."""
        self._run(self._wait_for(lambda: sum(inlet.fate != "open" for inlet in self._inlets) == count))

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

    async def _open(self, kind: type[Inlet], port: int, count: int) -> None:
        for known in range(len(self._inlets), len(self._inlets) + count, AT_ONCE):
            for number in range(known, min(known + AT_ONCE, known + count)):
                inlet = kind(self, number)
                await self._loop.create_connection(lambda inlet=inlet: inlet, HOST, port)  # type: ignore[misc]
                self._inlets.append(inlet)
            await self._wait_for(lambda: len(self.outlets) == len(self._inlets))

    async def _send(self, outlets: Iterable[Outlet], text: bytes) -> None:
        for outlet in outlets:
            outlet.send(text)

    async def _settled(self, is_settled: Callable[[Inlet], bool]) -> dict[str, int]:
        await self._wait_for(
            lambda: all(is_settled(inlet) or inlet.fate != "open" for inlet in self._inlets)
            and all(outlet.has_all(self.sent) for outlet in self.outlets)
        )
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
