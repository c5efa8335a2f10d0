"""The response cache: what a hit and a miss cost, over transports in memory."""

import re
from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.test_exchange import BODY
from benchmarks.test_head import REQUEST as WITH_CREDENTIALS
from kairos.config.policies import Cache
from tests.proxy.world import Peer, World

REQUEST = re.sub(rb"Authorization: [^\n]*\n", b"", WITH_CREDENTIALS)
RESPONSE = b"HTTP/1.1 200 OK\r\nServer: backend/1.0\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n"
STORED = RESPONSE + b'ETag: "0123456789abcdef"\r\nCache-Control: max-age=600\r\n\r\n' + BODY
VARIES = STORED.replace(b"Content-Length", b"Vary: Accept-Encoding\r\nContent-Length")
UNSTORED = RESPONSE + b"Cache-Control: no-store\r\n\r\n" + BODY


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.end()


@pytest.fixture
def client(world: World) -> Peer:
    pattern, internal = "/api/v1/users/{id}/{rest...}", "/users/{id}/{rest}"
    world.configure(world.route(pattern, world.server(), internal=internal, cache=Cache()))
    return world.client()


@pytest.mark.parametrize("response", [STORED, VARIES], ids=["plain", "vary"])
@pytest.mark.parametrize("extra", [b"", b"If-None-Match: *\r\n", b"Range: bytes=0-99\r\n"], ids=["get", "304", "206"])
def test_hit(benchmark: BenchmarkFixture, world: World, client: Peer, response: bytes, extra: bytes) -> None:
    client.sends(REQUEST)
    world.server().connection.sends(response)
    client.receives()
    request = REQUEST[:-2] + extra + b"\r\n"

    def exchange() -> bytes:
        client.protocol.data_received(request)
        return client.receives()

    assert b"Cache-Status: kairos; hit" in exchange()
    assert b"Cache-Status: kairos; hit" in benchmark.pedantic(exchange, rounds=20, iterations=400, warmup_rounds=1)
    assert len(world.server().connections) == 1


@pytest.mark.parametrize("response", [STORED, UNSTORED], ids=["stored", "not-stored"])
def test_miss(benchmark: BenchmarkFixture, world: World, client: Peer, response: bytes) -> None:
    client.sends(REQUEST)
    world.server().connection.sends(response)
    backend, number = world.server().connection, iter(range(1_000_000))
    before, after = REQUEST.split(b"/orders")

    def exchange() -> bytes:
        client.protocol.data_received(b"%b/orders/%d%b" % (before, next(number), after))
        backend.transport.written.clear()
        backend.protocol.data_received(response)
        return client.receives()

    answer = benchmark.pedantic(exchange, rounds=20, iterations=400, warmup_rounds=1)

    assert b"Cache-Status: kairos; fwd=uri-miss" in answer
