"""Connections that begin with a PROXY header serve the client connection that it names, and no other."""

from asyncio import Protocol
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos.config.policies import Cache
from kairos.protocols.proxy_protocol import Endpoint, ProxyHeader, parse
from kairos.proxy.downstream import Downstream
from kairos.proxy.pool import Pools
from tests.proxy.messages import IDLE_SECONDS
from tests.proxy.world import Peer, Server, World, body_of

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
GATEWAY = ("192.0.2.2", 5900)


@pytest.fixture(params=["v1", "v2"])
def server(request: pytest.FixtureRequest, world: World) -> Server:
    server = world.server()
    server.backend = replace(server.backend, send_proxy_protocol=request.param)
    world.configure(world.route("/a", server), trusted_proxies=("10.0.0.0/8",))
    return server


def client(world: World, port: int = 50000, address: str = "198.51.100.7") -> Peer:
    return world.client(peername=(address, port), sockname=GATEWAY)


def asks(client: Peer, server: Server, *fields: bytes) -> None:
    """Let a client send a request, which the backend answers."""
    client.sends(b"\r\n".join((b"GET /a HTTP/1.1", b"Host: a", *fields, b"\r\n")))
    server.connection.sends(HELLO)
    assert body_of(client.receives()) == b"hello"


def named(server: Server) -> list[ProxyHeader]:
    """Return whom the headers name, with which the connections have begun."""
    found = [parse(greeting) for greeting in server.greetings]
    return [header for header, _ in filter(None, found)]


def test_the_backend_is_told_who_the_client_is(world: World, server: Server) -> None:
    asks(client(world), server)
    assert named(server) == [ProxyHeader(Endpoint("198.51.100.7", 50000), Endpoint(*GATEWAY))]


def test_a_client_is_served_on_one_connection(world: World, server: Server) -> None:
    one = client(world)
    for _ in range(3):
        asks(one, server)
    assert len(server.connections) == 1


@pytest.mark.parametrize(("address", "port"), [("198.51.100.8", 50000), ("198.51.100.7", 50001)])
def test_another_client_never_gets_it(world: World, server: Server, address: str, port: int) -> None:
    asks(client(world), server)
    asks(client(world, port, address), server)
    assert [header.source for header in named(server)] == [Endpoint("198.51.100.7", 50000), Endpoint(address, port)]


def test_a_connection_ends_with_its_client(world: World, server: Server) -> None:
    one, other = client(world, 1), client(world, 2)
    asks(one, server)
    asks(other, server)

    one.leaves()

    assert [connection.is_open for connection in server.connections] == [False, True]
    asks(other, server)
    assert len(server.connections) == 2


def test_clients_of_a_trusted_proxy_are_told_apart(world: World, server: Server) -> None:
    proxy = client(world, 1, "10.0.0.9")
    asks(proxy, server, b"X-Forwarded-For: 203.0.113.1")
    asks(proxy, server, b"X-Forwarded-For: 203.0.113.1")
    asks(proxy, server, b"X-Forwarded-For: 203.0.113.2")

    assert [header.source for header in named(server)] == [Endpoint("203.0.113.1", 0), Endpoint("203.0.113.2", 0)]
    assert [connection.is_open for connection in server.connections] == [False, True]


def test_a_client_of_another_family_stands_in_ipv6(world: World, server: Server) -> None:
    asks(client(world, 7, "2001:db8::1"), server)
    (header,) = named(server)
    assert header == ProxyHeader(Endpoint("2001:db8::1", 7), Endpoint(*GATEWAY))


def test_a_client_without_an_address_is_not_known(world: World, server: Server) -> None:
    asks(world.client(peername=None, sockname="/run/kairos.sock"), server)
    assert named(server) == [ProxyHeader()]


def test_what_a_proxy_before_us_has_told_is_told_on(world: World, server: Server) -> None:
    told = ProxyHeader(Endpoint("203.0.113.5", 4711), Endpoint("203.0.113.80", 443))
    connection = Downstream(world.plane)
    connection.introduce(told)

    asks(Peer(world, cast("Protocol", connection)), server)

    assert named(server) == [told]


def test_a_connection_that_was_idle_too_long_is_closed(world: World, server: Server) -> None:
    one = client(world)
    asks(one, server)
    world.pass_time(IDLE_SECONDS + 1)
    assert not server.connection.is_open
    asks(one, server)
    assert len(server.connections) == 2


def test_a_connection_that_the_backend_closes_is_forgotten(world: World, server: Server) -> None:
    one = client(world)
    asks(one, server)
    server.connection.leaves()
    asks(one, server)
    assert len(server.connections) == 2


def test_a_drain_closes_them(world: World, server: Server) -> None:
    asks(client(world), server)
    world.builder.close()
    world.settle()
    assert not server.connection.is_open


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from((None, "203.0.113.1", "203.0.113.2")), st.sampled_from("aaal")),
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_a_backend_never_takes_a_request_for_that_of_another_client(steps: list[tuple[int, str | None, str]]) -> None:
    """Two clients, and two trusted proxies that speak for several, ask in any order and leave."""
    world = World()
    server = world.server()
    server.backend = replace(server.backend, send_proxy_protocol="v2")
    world.configure(world.route("/a", server), trusted_proxies=("10.0.0.0/8",))
    peers: dict[int, Peer] = {}
    for number, told, action in steps:
        address = f"10.0.0.{number}" if number > 1 else f"198.51.100.{number}"
        if number not in peers:
            peers[number] = client(world, 1000 + number, address)
        if action == "l":
            peers.pop(number).leaves()
            continue
        field = [b"X-Forwarded-For: " + told.encode()] if told else []
        peers[number].sends(b"\r\n".join((b"GET /a HTTP/1.1", b"Host: a", *field, b"\r\n")))
        ((at, connection),) = [(at, one) for at, one in enumerate(server.connections) if one.receives()]
        source = named(server)[at].source
        is_proxied = number > 1 and told is not None
        assert source == (Endpoint(str(told), 0) if is_proxied else Endpoint(address, 1000 + number))
        connection.sends(HELLO)
        assert sum(one.is_open for one in server.connections) <= len(peers)
    world.end()


@pytest.fixture
def pools(world: World) -> Callable[[], Pools]:
    return lambda: Pools(world.plane, world.zone)


def test_backends_without_a_header_have_a_pool_of_their_own(world: World, pools: Callable[[], Pools]) -> None:
    of, plain = pools().of, world.server().backend
    v1, v2 = (replace(plain, send_proxy_protocol=version) for version in ("v1", "v2"))
    kept = of(plain), of(v1), of(v2)
    assert len(set(kept)) == 3
    assert of(v1) is kept[1]


def test_a_connection_for_what_is_asked_in_the_background_is_not_kept(world: World, server: Server) -> None:
    world.configure(world.route("/a", server, cache=Cache(stale_while_revalidate=60)))
    one = client(world)
    one.sends(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
    server.connection.sends(HELLO[:17] + b"Cache-Control: max-age=1\r\n" + HELLO[17:])
    world.pass_time(2)

    one.sends(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
    server.connection.sends(HELLO)

    assert len(server.connections) == 2
    assert not server.connection.is_open
