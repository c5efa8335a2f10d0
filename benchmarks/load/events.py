"""How late the gateway passes on server-sent events, with no policy and with all of them."""

import argparse
import asyncio
import re
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self, cast

import uvloop

from benchmarks.load import table
from benchmarks.load.errors import LoadError
from benchmarks.load.gateway import Gateway, router
from benchmarks.load.helper import Helper, orders
from benchmarks.load.options import positive
from benchmarks.load.origin import serve
from benchmarks.load.policies import POLICIES, credentials, fields, together
from benchmarks.load.programs import HOST

PERIOD_SECONDS = 0.05  # of each stream
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
STAMP = re.compile(rb"data: (\d+)\n\n")
HEADER = ("events", "number", "median ms", "p99 ms", "most ms")


class Source(Helper):
    """An origin whose events say when they were sent."""

    def __init__(self) -> None:
        super().__init__("source", _run_source)
        self.port = 0

    def __enter__(self) -> Self:
        super().__enter__()
        self.port = self.answer()
        return self


class Listeners(Helper):
    """Clients that look how long events took."""

    def __init__(self) -> None:
        super().__init__("listeners", _run_listeners)

    def listen(self, port: int, path: str, streams: int, seconds: int) -> list[int]:
        """Open so many streams for a while; return the nanoseconds that each event took, in order."""
        delays = cast("list[int]", self.ask(port, path, dict(fields()), streams, seconds))
        if not delays:
            raise LoadError(f"no event came from {path}")
        return delays


class Stream(asyncio.Protocol):
    """One stream of the origin: an event every `PERIOD_SECONDS`, until the other side leaves."""

    def __init__(self) -> None:
        self._head = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer a request."""
        self._head += data
        if self._head.endswith(b"\r\n\r\n"):
            self._transport.write(HEAD)
            self._send()

    def _send(self) -> None:
        event = b"data: %d\n\n" % time.monotonic_ns()
        self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))
        self._timer = asyncio.get_running_loop().call_later(PERIOD_SECONDS, self._send)


class Listener(asyncio.Protocol):
    """One client."""

    def __init__(self, request: bytes, delays: list[int]) -> None:
        self._request = request
        self._delays = delays
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Look at the stamps of the events that have come."""
        now = time.monotonic_ns()
        text = self._rest + data
        self._delays += [now - int(stamp) for stamp in STAMP.findall(text)]
        self._rest = text.rpartition(b"\n\n")[2]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--streams", type=positive, default=50, help="how many at the same time (%(default)s)")
    parser.add_argument("--seconds", type=positive, default=5, help="how long each kind is looked at (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Measure, and print a table."""
    with TemporaryDirectory(prefix="kairos-load-") as name:
        found = measure(Path(name), options.streams, options.seconds)
    print(f"{options.streams} streams with {round(1 / PERIOD_SECONDS)} events per second each, {options.seconds} s\n")
    print(table.markdown(HEADER, [row(what, delays) for what, delays in found.items()]))
    return 0


def measure(folder: Path, streams: int, seconds: int) -> Mapping[str, list[int]]:
    """Listen to the origin itself, then through the gateway without and with policies."""
    with Source() as source, Listeners() as listeners:
        routers = [router("/plain", source.port), router("/items/{id}", source.port, **together(POLICIES))]
        with Gateway(folder, source.port, routers=routers, **credentials()) as gateway:
            return {
                "from the origin itself": listeners.listen(source.port, "/", streams, seconds),
                "through the gateway": listeners.listen(gateway.port, "/plain", streams, seconds),
                "with all policies": listeners.listen(gateway.port, "/items/1", streams, seconds),
            }


def row(what: str, delays: list[int]) -> list[str]:
    """Make a row of the table."""
    shown = [delays[len(delays) // 2], delays[len(delays) * 99 // 100], delays[-1]]
    return [what, f"{len(delays):,}", *(f"{delay / 1e6:.2f}" for delay in shown)]


def _run_source(pipe: Connection) -> None:
    uvloop.run(serve(pipe, Stream))


def _run_listeners(pipe: Connection) -> None:
    while order := orders(pipe):
        pipe.send(uvloop.run(_listen(*order)))


async def _listen(port: int, path: str, sent: Mapping[str, str], streams: int, seconds: int) -> list[int]:
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n".encode()
    delays: list[int] = []
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(streams):
        _, client = await loop.create_connection(lambda: Listener(request, delays), HOST, port)
        clients.append(client)
        await asyncio.sleep(PERIOD_SECONDS / streams)  # so that they do not all speak at the same moment
    await asyncio.sleep(seconds)
    for client in clients:
        client.transport.abort()
    return sorted(delays)
