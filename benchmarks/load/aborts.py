"""Clients that leave in the middle of a request or of its answer."""

import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from benchmarks.load.programs import HOST

PAUSE_SECONDS = 0.01
PATIENCE_SECONDS = 10.0
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, and no time to say goodbye


class Aborts:
    """Let one client after the other come and leave, for the time of a `with` block."""

    def __init__(self, port: int) -> None:
        self.count = 0
        self.problem = ""
        self._port = port
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="aborts", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join(2 * PATIENCE_SECONDS)

    def _run(self) -> None:
        kinds = itertools.cycle(KINDS)
        while not self._end.wait(PAUSE_SECONDS):
            try:
                with self._connected() as sock:
                    next(kinds)(sock)
            except OSError as error:
                self.problem = f"a client that wanted to leave in the middle could not: {error}"
                return
            self.count += 1

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        with socket.create_connection((HOST, self._port), PATIENCE_SECONDS) as sock:
            yield sock
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def in_the_head(sock: socket.socket) -> None:
    """Leave before the request is complete."""
    sock.sendall(b"GET /items/42 HTTP/1.1\r\nHost: a")


def in_the_body(sock: socket.socket) -> None:
    """Leave with half of a body sent."""
    sock.sendall(b"POST /items/42 HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n" + bytes(32768))


def before_the_answer(sock: socket.socket) -> None:
    """Ask, and leave at once."""
    sock.sendall(b"GET /items/42 HTTP/1.1\r\nHost: a\r\n\r\n")


def in_the_answer(sock: socket.socket) -> None:
    """Leave with some of a large answer read."""
    sock.sendall(b"GET /files/1m HTTP/1.1\r\nHost: a\r\n\r\n")
    sock.recv(65536)


KINDS: tuple[Callable[[socket.socket], None], ...] = (in_the_head, in_the_body, before_the_answer, in_the_answer)
