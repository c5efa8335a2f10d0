"""Two small HTTP backends, so that the example config answers at once."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler
from io import BufferedIOBase
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

HOST = "127.0.0.1"
PORTS = {"alpha": 9101, "beta": 9102}  # as in config.example.json
MAX_ECHO_BYTES = 64 * 1024
READ_BYTES = 64 * 1024


class DemoBackend(ThreadingMixIn, TCPServer):
    """A backend that tells what reached it. Its port is open from the start; `run` serves until the parent is gone."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self._parent = os.getpid()
        super().__init__((HOST, port), Answer)

    def run(self) -> None:
        """Serve in a child process, which the supervisor ends."""
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):  # meant for the gateway
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.serve_forever()

    def service_actions(self) -> None:
        """Leave with the supervisor, also when it was killed; called between requests, twice a second."""
        if os.getppid() != self._parent:
            raise SystemExit(0)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what went wrong, unless the other side merely left."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Answer(BaseHTTPRequestHandler):
    """Answer `/files/...` with a text, anything else with a JSON account of the request."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    timeout = 75  # seconds a connection may idle
    server: DemoBackend

    def answer(self) -> None:
        """Read the request to its end and describe it."""
        body = bytearray()
        size = 0
        for piece in read_body(self.rfile, self.headers):
            size += len(piece)
            body += piece[: MAX_ECHO_BYTES - len(body)]
        if self.path.startswith("/files/"):
            self.reply("text/plain; charset=utf-8", f"This is {self.path}, kept by {self.server.name}.\n")
            return
        account = {
            "backend": self.server.name,
            "method": self.command,
            "path": self.path,
            "headers": dict(self.headers.items()),
            "body": body.decode(errors="replace"),
            "body_bytes": size,
        }
        self.reply("application/json", json.dumps(account, indent=2) + "\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815 (named by the base class)

    def reply(self, content_type: str, text: str) -> None:
        """Send a response."""
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (likewise)
        """Say nothing: the gateway's log is what the user wants to read."""


def read_body(stream: BufferedIOBase, headers: Message) -> Iterator[bytes]:
    """Read a request body in pieces (RFC 9112 sections 6.2 and 7.1)."""
    if headers.get("Transfer-Encoding", "").lower() != "chunked":
        yield from read_exactly(stream, int(headers.get("Content-Length", "0")))
        return
    while size := int(stream.readline().split(b";")[0], 16):
        yield from read_exactly(stream, size)
        stream.readline()
    while stream.readline().strip():  # the trailer section
        pass


def read_exactly(stream: BufferedIOBase, size: int) -> Iterator[bytes]:
    """Read `size` bytes, or up to the end of the stream."""
    while size > 0 and (piece := stream.read(min(size, READ_BYTES))):
        size -= len(piece)
        yield piece


def backends() -> list[Callable[[], None]]:
    """Open the ports; each backend is a function to be run in a child process of its own.

    The ports are opened here, so that a taken one is known before anything starts, and stays open if a child dies.
    """
    servers: list[DemoBackend] = []
    for name, port in PORTS.items():
        try:
            servers.append(DemoBackend(name, port))
        except OSError as error:
            for server in servers:
                server.server_close()
            raise OSError(
                f"the demo backend {name} cannot listen on {HOST}:{port} ({error.strerror}); "
                "stop the program that uses the port, or start without --demo"
            ) from error
    return [server.run for server in servers]
