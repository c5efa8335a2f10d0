"""WebSocket messages at a fixed rate, an origin that echoes them, and connections that are silent."""

import asyncio
import os
import time
from base64 import b64encode
from collections import deque
from hashlib import sha1
from multiprocessing.connection import Connection
from typing import Self, cast

import uvloop

from benchmarks.load.clients import PER_ADDRESS, connect
from benchmarks.load.errors import LoadError
from benchmarks.load.gateway import ECHO_PATH
from benchmarks.load.helper import Helper, orders
from benchmarks.load.origin import serve
from benchmarks.load.programs import HOST
from benchmarks.load.wrk import Report

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x37\xfa\x21\x3d"
TEXT = b"x" * 100
MESSAGE = b"\x81" + bytes([0x80 | len(TEXT)]) + MASK + bytes(c ^ MASK[i % 4] for i, c in enumerate(TEXT))
ECHO = b"\x81" + bytes([len(TEXT)]) + TEXT
UPGRADE = (
    f"GET {ECHO_PATH} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY.decode()}\r\n\r\n"
).encode()
AT_ONCE = 64  # connections that are opened at the same time
TICK_SECONDS = 0.001
PATIENCE_SECONDS = 10.0


class Echo(Helper):
    """An origin that sends every message back. It counts bytes: all messages are as long as `MESSAGE`."""

    def __init__(self, *, cpu: int | None = None) -> None:
        super().__init__("echo", _run_origin, cpu)
        self.port = 0

    def __enter__(self) -> Self:
        super().__enter__()
        self.port = self.answer()
        return self


class WebSockets(Helper):
    """Clients of a port of this machine."""

    def __init__(self, port: int, *, cpu: int | None = None) -> None:
        super().__init__("WebSocket clients", _run_clients, port, cpu)

    def open(self, count: int) -> None:
        """Let that many more connect. LoadError if one cannot."""
        self._require(self.ask("open", count))

    def exchange(self, rate: int, seconds: int) -> Report:
        """Send that many messages per second, one connection after the other. LoadError if not all come back."""
        problem, report = self.ask("exchange", rate, seconds)
        self._require(problem)
        return cast("Report", report)

    @staticmethod
    def _require(problem: str) -> None:
        if problem:
            raise LoadError(problem)


class Conversation(asyncio.Protocol):
    """One connection of the origin."""

    def __init__(self) -> None:
        self._head = b""
        self._is_open = False
        self._rest = 0  # bytes of a message that is not complete

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Agree to the upgrade, then send back what comes."""
        if not self._is_open:
            self._head += data
            head, blank_line, data = self._head.partition(b"\r\n\r\n")
            if not blank_line:
                return
            self._is_open = True
            self._transport.write(agreement(head))
        count, self._rest = divmod(self._rest + len(data), len(MESSAGE))
        if count:
            self._transport.write(ECHO * count)


class Client(asyncio.Protocol):
    """One connection with messages on their way."""

    def __init__(self) -> None:
        self.problem = ""
        self.opened = asyncio.get_running_loop().create_future()
        self.seconds: list[float] = []  # that each message took
        self._sent: deque[float] = deque()  # when those on their way left
        self._head = b""
        self._rest = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(UPGRADE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember that it has ended."""
        self.problem = self.problem or f"a WebSocket was closed{f' ({exc})' if exc else ''}"
        self._settle()

    def data_received(self, data: bytes) -> None:
        """Take the answer to the upgrade, then echoes."""
        if not self.opened.done():
            self._head += data
            head, blank_line, data = self._head.partition(b"\r\n\r\n")
            if not blank_line:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self.problem = f"the upgrade was refused: {head.splitlines()[0].decode()}"
            self._settle()
        if self.problem:
            return
        count, self._rest = divmod(self._rest + len(data), len(ECHO))
        now = time.perf_counter()
        for _ in range(count):
            self.seconds.append(now - self._sent.popleft())

    def send(self) -> None:
        """Send a message."""
        self._sent.append(time.perf_counter())
        self._transport.write(MESSAGE)

    def _settle(self) -> None:
        if not self.opened.done():
            self.opened.set_result(None)


class Crowd:
    """All clients of the process."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._clients: list[Client] = []

    async def open(self, count: int) -> str:
        """Connect; return what went wrong."""
        gate = asyncio.Semaphore(AT_ONCE)
        known = len(self._clients)
        await asyncio.gather(*(self._add(number, gate) for number in range(known, known + count)))
        return self._problem()

    async def exchange(self, rate: int, seconds: int) -> tuple[str, Report | None]:
        """Send at that rate; return what went wrong, and what came back."""
        for client in self._clients:
            client.seconds.clear()
        await self._send(rate, seconds)
        for _ in range(round(PATIENCE_SECONDS / TICK_SECONDS)):
            if self._problem() or self._echoed() == rate * seconds:
                break
            await asyncio.sleep(TICK_SECONDS)
        took = sorted(one for client in self._clients for one in client.seconds)
        if problem := self._problem():
            return problem, None
        if len(took) < rate * seconds:
            return f"{rate * seconds - len(took):,} of {rate * seconds:,} messages did not come back", None
        return "", Report(len(took), len(took) / seconds, took[len(took) * 99 // 100] * 1000, 0, {})

    async def _send(self, rate: int, seconds: int) -> None:
        begun, sent = time.perf_counter(), 0
        while sent < rate * seconds and not self._problem():
            due = min(int((time.perf_counter() - begun) * rate), rate * seconds)
            for number in range(sent, due):
                self._clients[number % len(self._clients)].send()
            sent = max(sent, due)
            await asyncio.sleep(TICK_SECONDS)

    async def _add(self, number: int, gate: asyncio.Semaphore) -> None:
        async with gate:
            client = await connect(f"127.0.0.{1 + number // PER_ADDRESS}", self._port, Client)
            self._clients.append(client)
            await client.opened

    def _echoed(self) -> int:
        return sum(len(client.seconds) for client in self._clients)

    def _problem(self) -> str:
        return next((client.problem for client in self._clients if client.problem), "")


def agreement(head: bytes) -> bytes:
    """Answer the head of an upgrade (RFC 6455 section 4.2.2)."""
    key = next(
        line.partition(b":")[2].strip()
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key:")
    )
    accept = b64encode(sha1(key + GUID).digest())
    return b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + (
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
    )


def _run_origin(pipe: Connection, cpu: int | None) -> None:
    _pin(cpu)
    uvloop.run(serve(pipe, Conversation))


def _run_clients(pipe: Connection, port: int, cpu: int | None) -> None:
    _pin(cpu)
    crowd = Crowd(port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop()
        while order := orders(pipe):
            name, *arguments = order
            pipe.send(runner.run(getattr(crowd, name)(*arguments)))


def _pin(cpu: int | None) -> None:
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
