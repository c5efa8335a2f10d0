"""Both ends of the gateway in the hands of the test: sockets that do one thing at a time, when the test says so."""

import fcntl
import os
import select
import socket
import struct
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from signal import SIGSTOP
from time import monotonic
from typing import Self

from tests.e2e.gateway import Gateway
from tests.e2e.log import PATIENCE_SECONDS
from tests.e2e.origin import HOST

PIECE = bytes(256 * 1024)
NO_PROGRESS_SECONDS = 0.05


class Peer:
    """One end of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        """Send all."""
        self.sock.sendall(data)

    def receive_head(self) -> bytes:
        """Receive up to the blank line, and not a byte more."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.sock.recv(1)
            assert byte, f"the connection ended after {head!r}"
            head += byte
        return head

    def receive_request(self) -> bytes:
        """Receive a request with a body of a known length."""
        head = self.receive_head()
        _, _, after = head.lower().partition(b"content-length:")
        length = int(after.split(b"\r\n")[0] or b"0")
        body = b""
        while len(body) < length:
            body += self.sock.recv(length - len(body))
        return head + body

    def answer(self) -> None:
        """Answer `hello`."""
        self.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    def send_until_nobody_reads(self) -> int:
        """Send until all buffers on the way are full; return how much fitted."""
        sent = 0
        while select.select([], [self.sock], [], NO_PROGRESS_SECONDS)[1]:
            sent += self.sock.send(PIECE, socket.MSG_DONTWAIT)
        return sent

    def has_unsent(self) -> bool:
        """Say whether the other side has yet to take something of what was sent."""
        return fcntl.ioctl(self.sock, termios.TIOCOUTQ, bytes(4)) != bytes(4)

    def send_and_tell(self, count: int, stalled: threading.Event) -> None:
        """Send that many bytes; set the event again and again while nobody reads."""
        while count:
            while not select.select([], [self.sock], [], NO_PROGRESS_SECONDS)[1]:
                stalled.set()
            count -= self.sock.send(PIECE[:count], socket.MSG_DONTWAIT)

    def receive_to_the_end(self) -> int:
        """Receive until the other side ends the connection, in whatever way; return how much came."""
        received, buffer = 0, bytearray(len(PIECE))
        with suppress(ConnectionError):
            while count := self.sock.recv_into(buffer):
                received += count
        return received

    def close(self) -> None:
        """Leave. What was sent and not yet received still arrives, and before the end of the connection does."""
        self.sock.close()

    def reset(self) -> None:
        """Leave, and take back what was sent and not yet received."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Backend:
    """A socket that listens; the test accepts."""

    def __init__(self, backlog: int = 16) -> None:
        self.listener = socket.create_server((HOST, 0), backlog=backlog)
        self.listener.settimeout(PATIENCE_SECONDS)
        self.port: int = self.listener.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.listener.close()

    @property
    def entry(self) -> dict[str, object]:
        """The entry for this backend in a config."""
        return {"host": f"http://{HOST}", "port": self.port}

    def accept(self) -> Peer:
        """Wait for a connection."""
        return Peer(self.listener.accept()[0])


def client_of(gateway: Gateway) -> Peer:
    """Connect to a gateway."""
    return Peer(socket.create_connection((HOST, gateway.port), PATIENCE_SECONDS))


def workers_of(gateway: Gateway) -> list[int]:
    """Return the process numbers of the workers."""
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def resident(pid: int, field: str = "VmRSS") -> int:
    """Return the bytes of memory that a process has, or with `VmHWM` has had at most since `forget_peak`."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def forget_peak(pid: int) -> None:
    """Let `VmHWM` start anew from what the process has now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def wait_until(condition: Callable[[], bool], gateway: Gateway) -> None:
    """Let the gateway answer other requests until the condition holds."""
    end = monotonic() + PATIENCE_SECONDS
    while not condition():
        assert monotonic() < end, "it never came true"
        assert gateway.request("GET", "/live").status == 200


def stop(pid: int) -> None:
    """Let a process stand still until it gets SIGCONT."""
    os.kill(pid, SIGSTOP)
    end = monotonic() + PATIENCE_SECONDS
    while Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "T":
        assert monotonic() < end, "it goes on"


def is_connecting_to(port: int) -> bool:
    """Say whether somebody waits for that port to accept (the state SYN_SENT)."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    return any(line.split()[2:4] == [f"0100007F:{port:04X}", "02"] for line in lines)
