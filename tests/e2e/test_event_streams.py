"""Server-sent events and long polls: what a backend sends is passed on before it sends more."""

from collections.abc import Iterator

import pytest

from benchmarks.load.policies import POLICIES, credentials, fields, together
from tests.e2e.configs import config, route
from tests.e2e.gateway import Gateway
from tests.e2e.peers import Backend, Peer, client_of

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = HEAD + b"\r\n"
EVENTS = [b"data: %d\n\n" % number for number in range(5)]


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with Backend() as listening:
        yield listening


@pytest.fixture(scope="module")
def gateway(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Run a gateway with a route without policies and one with all of them."""
    plain = route("/plain", backends=[backend.entry], timeouts={"exchange_seconds": 1, "response_stall_seconds": 1})
    policies = route("/items/{id}", backends=[backend.entry], **together(POLICIES))
    settings = config(plain, policies, **credentials())
    with Gateway(tmp_path_factory.mktemp("events"), settings, workers=2) as running:
        yield running


def ask(client: Peer, path: str, version: str = "1.1") -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields().items())
    client.send(f"GET {path} HTTP/{version}\r\nHost: a\r\nAccept: text/event-stream\r\n{lines}\r\n".encode())


def receive(client: Peer, expected: bytes) -> None:
    """Receive as much as is expected: if less comes, this fails after a while."""
    received = b""
    while len(received) < len(expected):
        received += client.sock.recv(len(expected) - len(received))
    assert received == expected


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize("path", ["/plain", "/items/1"])
def test_each_event_arrives_before_the_next_is_sent(gateway: Gateway, backend: Backend, path: str) -> None:
    with client_of(gateway) as client:
        ask(client, path)
        with backend.accept() as served:
            served.receive_head()
            served.send(CHUNKED)
            assert client.receive_head().startswith(b"HTTP/1.1 200 ")
            for event in EVENTS:
                served.send(chunk(event))
                receive(client, chunk(event))
            served.send(b"0\r\n\r\n")

            receive(client, b"0\r\n\r\n")


def test_a_stream_that_ends_with_the_connection(gateway: Gateway, backend: Backend) -> None:
    with client_of(gateway) as client:
        ask(client, "/plain")
        with backend.accept() as served:
            served.receive_head()
            served.send(UNTIL_CLOSE)
            client.receive_head()
            for event in EVENTS:
                served.send(event)
                receive(client, chunk(event))
        receive(client, b"0\r\n\r\n")


def test_an_old_client_gets_the_events_without_chunks(gateway: Gateway, backend: Backend) -> None:
    with client_of(gateway) as client:
        ask(client, "/plain", version="1.0")
        with backend.accept() as served:
            served.receive_head()
            served.send(CHUNKED)
            head = client.receive_head()
            assert b"Connection: close\r\n" in head
            assert b"Transfer-Encoding" not in head
            for event in EVENTS:
                served.send(chunk(event))
                receive(client, event)
            served.send(b"0\r\n\r\n")

            assert client.sock.recv(1) == b""


def test_the_word_about_buffering_is_for_the_gateway(gateway: Gateway, backend: Backend) -> None:
    with client_of(gateway) as client:
        ask(client, "/plain")
        with backend.accept() as served:
            served.receive_head()
            served.send(CHUNKED)

            assert b"x-accel-buffering" not in client.receive_head().lower()


def test_the_backend_learns_at_once_that_the_client_has_left(gateway: Gateway, backend: Backend) -> None:
    with client_of(gateway) as client:
        ask(client, "/plain")
        with backend.accept() as served:
            served.receive_head()
            served.send(CHUNKED + chunk(EVENTS[0]))
            client.receive_head()
            receive(client, chunk(EVENTS[0]))

            client.close()

            assert served.receive_to_the_end() == 0
