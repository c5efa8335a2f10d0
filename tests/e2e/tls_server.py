"""A backend on blocking sockets: unlike the servers of asyncio it tells in an alert why a handshake has failed."""

import socket
import ssl
import threading
from contextlib import suppress
from typing import Self

from tests.e2e.log import PATIENCE_SECONDS
from tests.e2e.origin import HOST

HELLO = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class TlsServer:
    """Answer one request per connection for the time of a `with` block, and keep what came.

    Without a context it speaks HTTP alone. `is_hasty` makes it close before it has said anything.
    """

    def __init__(self, context: ssl.SSLContext | None = None, *, is_hasty: bool = False) -> None:
        self.received: list[bytes] = []
        self._context = context
        self._is_hasty = is_hasty
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE_SECONDS)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                with suppress(OSError):
                    self._converse(sock)
                sock.close()

    def _converse(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE_SECONDS)
        if self._is_hasty:
            sock.recv(1)
        elif self._context is None:
            sock.recv(65536)
            sock.sendall(BAD_REQUEST)
        else:
            with self._context.wrap_socket(sock, server_side=True) as secure:
                data = b""
                while not data.endswith(b"body"):
                    data += secure.recv(65536)
                self.received.append(data)
                secure.sendall(HELLO)
