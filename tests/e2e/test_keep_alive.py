"""Backends that close idle connections: what one worker sees of it, all workers know."""

import asyncio
import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import count

import pytest

from tests.e2e.configs import config, route
from tests.e2e.gateway import Gateway
from tests.e2e.log import PATIENCE_SECONDS
from tests.e2e.origin import Origin, Received, hello, read_body, read_head

ENOUGH = 3
NUMBERS = count()


class ClosingOrigin(Origin):
    """Answer `hello`, and close what has been idle for a while.

    `stale` counts the requests that came after that. Only one direction is closed at first, so that they can be seen.
    """

    def __init__(self, idle_seconds: float) -> None:
        super().__init__()
        self.idle_seconds = idle_seconds
        self.closes = 0
        self.stale = 0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        try:
            while head := await asyncio.wait_for(read_head(reader), self.idle_seconds):
                request = Received(connection, head, await read_body(reader, head))
                self._note(request)
                writer.write(hello(request))
        except TimeoutError:
            writer.write_eof()
            self.stale += bool(await reader.read())
            with self._changed:
                self.closes += 1  # the gateway has seen it, and closed its own end
                self._changed.notify_all()

    def wait_for_close(self, closes: int) -> None:
        """Wait until that many connections have been closed."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.closes >= closes, PATIENCE_SECONDS)


class Client:
    """A connection to one worker."""

    def __init__(self, gateway: Gateway, origin: Origin) -> None:
        self._connection = gateway.connect()
        self._origin = origin

    def asks(self, method: str = "POST") -> int:
        """Send a request, see that it was acted on once, and return the number of the connection that it came by."""
        path = f"/a/{next(NUMBERS)}"
        self._connection.request(method, path)
        assert _status(self._connection) == 200
        (received,) = [request for request in self._origin.received if request.target == path]
        return received.connection

    def close(self) -> None:
        """Leave."""
        self._connection.close()


def _status(connection: http.client.HTTPConnection) -> int:
    response = connection.getresponse()
    response.read()
    return response.status


@contextmanager
def clients_of_two_workers(gateway: Gateway, origin: Origin) -> Iterator[tuple[Client, Client]]:
    """Open two connections that do not share those to the backend."""
    with closing(Client(gateway, origin)) as one:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            with closing(Client(gateway, origin)) as other:
                if other.asks("GET") != one.asks("GET"):
                    yield one, other
                    return
        raise AssertionError("all connections came to the same worker")


@pytest.mark.parametrize("seconds", [0.5, 1, 2])
def test_a_timeout_that_one_worker_has_learned_holds_for_the_other(
    start_gateway: Callable[..., Gateway], seconds: float
) -> None:
    with ClosingOrigin(seconds) as origin, ExitStack() as opened:
        gateway = start_gateway(config(route("/a/{rest...}", origin)), workers=2)
        one, other = opened.enter_context(clients_of_two_workers(gateway, origin))
        for _ in range(ENOUGH):
            seen = origin.closes
            one.asks("GET")
            origin.wait_for_close(seen + 1)
        origin.stale = 0

        for client in (other, one):
            number = client.asks()
            time.sleep(0.95 * seconds)
            assert client.asks() != number  # it may still be open, but not for long

        for client in (other, one):
            began = time.monotonic()
            number = client.asks()
            time.sleep(0.5 * seconds)
            is_same = client.asks() == number
            assert is_same or time.monotonic() - began > 0.8 * seconds
        assert origin.stale == 0
