"""A steady load from several clients that keep their connections, and an account of what went wrong."""

import http.client
import threading
from collections.abc import Collection
from typing import Self

from tests.e2e.gateway import HOST
from tests.e2e.log import PATIENCE_SECONDS


class Load:
    """Request one path again and again for the time of a `with` block.

    A request that was sent and not answered with an `expected` status is a failure. That nobody listens any more is
    none: it ends the client.
    """

    def __init__(self, port: int, path: str, *, clients: int = 8, expected: Collection[int] = (200,)) -> None:
        self.failures: list[str] = []
        self.answered = 0
        self._address = (HOST, port)
        self._path = path
        self._expected = expected
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, name=f"client {i}", daemon=True) for i in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self.wait_until_over()

    def wait_for(self, more: int) -> None:
        """Wait until that many more requests have been answered."""
        with self._changed:
            wanted = self.answered + more
            assert self._changed.wait_for(lambda: self.answered >= wanted or self.failures, PATIENCE_SECONDS)

    def wait_until_over(self) -> None:
        """Wait until every client has stopped."""
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive(), "a request is never answered"

    def _run(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=PATIENCE_SECONDS)
        while not self._stop.is_set():
            try:
                connection.connect() if connection.sock is None else None
            except ConnectionRefusedError:
                return
            try:
                self._send(connection)
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException) as error:
                self._note(failure=repr(error))
                connection.close()
            else:
                self._note(failure="" if response.status in self._expected else f"status {response.status}")
        connection.close()

    def _send(self, connection: http.client.HTTPConnection) -> None:
        connection.request("GET", self._path)

    def _note(self, failure: str) -> None:
        with self._changed:
            if failure:
                self.failures.append(failure)
            else:
                self.answered += 1
            self._changed.notify_all()


class Posts(Load):
    """Send POST requests, each with a number of its own as the body; `sent` has them all."""

    def __init__(self, port: int, path: str, *, clients: int = 2, expected: Collection[int] = (200,)) -> None:
        super().__init__(port, path, clients=clients, expected=expected)
        self.sent = 0

    def _send(self, connection: http.client.HTTPConnection) -> None:
        with self._changed:
            self.sent += 1
            number = self.sent
        connection.request("POST", self._path, b"%d" % number)
