"""One whole exchange over transports in memory: what a proxied request costs without the network and the event loop."""

from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.test_head import REQUEST, RESPONSE
from tests.proxy.world import Peer, World

BODY = b"x" * 1024
IN_CHUNKS = b"400\r\n" + BODY + b"\r\n0\r\n\r\n"
CHUNKED = RESPONSE.replace(b"Content-Length: 1024", b"Transfer-Encoding: chunked") + IN_CHUNKS
POST = REQUEST.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 1024\r\n\r\n") + BODY


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.end()


@pytest.fixture
def client(world: World) -> Peer:
    world.configure(world.route("/api/v1/users/{id}/{rest...}", world.server(), internal="/users/{id}/{rest}"))
    client = world.client()
    client.sends(REQUEST)
    world.server().connection.sends(RESPONSE + BODY)
    client.receives()
    return client


@pytest.mark.parametrize(
    ("request_", "response"),
    [(REQUEST, RESPONSE + BODY), (POST, RESPONSE + BODY), (REQUEST, CHUNKED)],
    ids=["get", "post", "chunked"],
)
def test_exchange(benchmark: BenchmarkFixture, world: World, client: Peer, request_: bytes, response: bytes) -> None:
    backend = world.server().connection

    def exchange() -> bytes:
        client.protocol.data_received(request_)
        backend.transport.written.clear()
        backend.protocol.data_received(response)
        return client.receives()

    # Fewer requests than a connection to a backend serves: nobody opens another while this runs.
    answer = benchmark.pedantic(exchange, rounds=20, iterations=400, warmup_rounds=1)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert BODY in answer
    assert len(world.server().connections) == 1


def test_local_reply(benchmark: BenchmarkFixture, client: Peer) -> None:
    request = REQUEST.replace(b"/api/v1/users/12345/orders", b"/nowhere")

    def exchange() -> bytes:
        client.protocol.data_received(request)
        return client.receives()

    assert benchmark(exchange).startswith(b"HTTP/1.1 404 Not Found\r\n")
