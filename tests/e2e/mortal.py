"""A backend that can be killed, in a process of its own. It writes every POST into a ledger before it answers.

SIGTERM lets it finish what runs. SIGUSR1 makes it slow, SIGUSR2 fast again.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM, SIGUSR1, SIGUSR2

HOST = "127.0.0.1"
SLOW_SECONDS = 0.2


class Mortal:
    """The process, seen from the test. It keeps its port when it is started again."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self.port = 0
        self.process: subprocess.Popen[str]
        self.start()

    @property
    def backend(self) -> dict[str, object]:
        """The entry for this backend in a config."""
        return {"host": f"http://{HOST}", "port": self.port}

    def start(self) -> None:
        """Start, and wait until it listens."""
        command = [sys.executable, __file__, str(self.port), str(self._ledger)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def end(self, number: int = SIGTERM) -> None:
        """Send a signal, and wait until it is gone."""
        self.process.send_signal(number)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def mortals(count: int, ledger: Path) -> Iterator[list[Mortal]]:
    """Start so many, and kill them at the end."""
    started: list[Mortal] = []
    try:
        started += (Mortal(ledger) for _ in range(count))
        yield started
    finally:
        for one in started:
            one.end(SIGKILL)


class Server:
    """The process, seen from inside."""

    def __init__(self, ledger: str) -> None:
        self._ledger = os.open(ledger, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self._is_ending = False
        self._is_slow = False
        self._busy = 0
        self._idle: set[asyncio.StreamWriter] = set()
        self._ended = asyncio.Event()

    async def run(self, port: int) -> None:
        """Serve until SIGTERM."""
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._converse, HOST, port, backlog=1024)
        loop.add_signal_handler(SIGTERM, self._end, server)
        loop.add_signal_handler(SIGUSR1, setattr, self, "_is_slow", True)
        loop.add_signal_handler(SIGUSR2, setattr, self, "_is_slow", False)
        print(server.sockets[0].getsockname()[1], flush=True)
        await self._ended.wait()

    def _end(self, server: asyncio.Server) -> None:
        self._is_ending = True
        server.close()
        for writer in self._idle:
            writer.close()
        if not self._busy:
            self._ended.set()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while not self._is_ending:
                self._idle.add(writer)
                head = await reader.readuntil(b"\r\n\r\n")
                self._idle.discard(writer)
                self._busy += 1
                await self._answer(head, reader, writer)
                self._busy -= 1
        self._idle.discard(writer)
        writer.close()
        if self._is_ending and not self._busy:
            self._ended.set()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_slow:
            await asyncio.sleep(SLOW_SECONDS)
        if head.startswith(b"POST "):
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            os.write(self._ledger, await reader.readexactly(length) + b"\n")
        close = b"Connection: close\r\n" if self._is_ending else b""
        writer.write(b"HTTP/1.1 200 OK\r\n" + close + b"Content-Length: 5\r\n\r\nhello")
        await writer.drain()


if __name__ == "__main__":
    asyncio.run(Server(sys.argv[2]).run(int(sys.argv[1])))
