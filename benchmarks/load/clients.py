"""Very many clients in one process, each with a connection that it keeps."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TypeVar, cast

import uvloop

from benchmarks.load.helper import Helper, orders
from benchmarks.load.programs import HOST

PER_ADDRESS = 10_000  # connections; the system has about 28,000 ports for each source address
ANSWER_SECONDS = 90.0
IP_BIND_ADDRESS_NO_PORT = 24  # of Linux: choose the port in connect, which is much faster when most are taken
REQUEST = "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n"

P = TypeVar("P", bound=asyncio.BaseProtocol)


@dataclass(frozen=True, slots=True)
class Account:
    """What came of one request by each client."""

    answered: int
    errors: dict[str, int]
    """What went wrong, and how often."""
    seconds: float


class Clients(Helper):
    """Clients of a port of this machine."""

    def __init__(self, port: int) -> None:
        super().__init__("clients", _run, port)

    def open(self, count: int, path: str, *, at_once: int) -> Account:
        """Let that many more clients connect and make one request, few at once."""
        return cast("Account", self.ask("open", count, path, at_once))

    def request(self, path: str) -> Account:
        """Let all make a request at the same time."""
        return cast("Account", self.ask("request", path))


class Client(asyncio.Protocol):
    """One connection with one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[str] | None = None
        self._reason = "closed while nothing was asked"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what waits, and all that follows."""
        self._transport = None
        if self._answer is not None:
            self._reason = f"closed without an answer{f' ({exc})' if exc else ''}"
            self._finish(self._reason)

    def data_received(self, data: bytes) -> None:
        """Collect the answer; the result is empty if it is 200."""
        self._received += data
        if is_complete(self._received):
            status = self._received.split(b" ", 2)[1].decode("latin-1")
            self._received = b""
            self._finish("" if status == "200" else f"status {status}")

    async def request(self, request: bytes) -> str:
        """Ask, and return what went wrong."""
        if self._transport is None:
            return self._reason
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await asyncio.wait_for(self._answer, ANSWER_SECONDS)
        except TimeoutError:
            self._transport.abort() if self._transport else None
            return f"no answer within {ANSWER_SECONDS:g} s"

    def _finish(self, result: str) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(result)


class Crowd:
    """All clients of the process."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._clients: list[Client] = []

    async def open(self, count: int, path: str, at_once: int) -> Account:
        """Add clients, each of which makes a request."""
        begun = time.monotonic()
        gate = asyncio.Semaphore(at_once)
        known = len(self._clients)
        results = await asyncio.gather(*(self._add(number, path, gate) for number in range(known, known + count)))
        return _account(results, begun)

    async def request(self, path: str) -> Account:
        """Let all ask at once."""
        begun = time.monotonic()
        return _account(await asyncio.gather(*(client.request(_text(path)) for client in self._clients)), begun)

    async def _add(self, number: int, path: str, gate: asyncio.Semaphore) -> str:
        async with gate:
            try:
                client = await connect(f"127.0.0.{1 + number // PER_ADDRESS}", self._port, Client)
            except OSError as error:
                return f"not connected ({error.strerror or error})"
            self._clients.append(client)
            return await client.request(_text(path))


async def connect(source: str, port: int, factory: Callable[[], P]) -> P:
    """Connect from an address of this machine; return the protocol that `factory` makes."""
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((source, 0))
        await loop.sock_connect(sock, (HOST, port))
        _, protocol = await loop.create_connection(factory, sock=sock)
    except BaseException:
        sock.close()
        raise
    return protocol


def is_complete(answer: bytes) -> bool:
    """Say whether a response with a Content-Length has arrived to its end."""
    head, blank_line, body = answer.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n") if blank_line else ():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(body) >= int(value)
    return False


def _text(path: str) -> bytes:
    return REQUEST.format(path=path, host=HOST).encode()


def _account(results: list[str], begun: float) -> Account:
    errors = Counter(result for result in results if result)
    return Account(len(results) - errors.total(), dict(errors), time.monotonic() - begun)


def _run(pipe: Connection, port: int) -> None:
    crowd = Crowd(port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        while order := orders(pipe):  # between orders nothing turns the loop: what arrives then waits
            name, *arguments = order
            pipe.send(runner.run(getattr(crowd, name)(*arguments)))
