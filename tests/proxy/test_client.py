"""Who the client is, and what backends and clients are told."""

from asyncio import Protocol
from typing import cast

from kairos.protocols.proxy_protocol import UNKNOWN, Endpoint, ProxyHeader
from kairos.proxy.downstream import Downstream
from tests.proxy.messages import GET, OK
from tests.proxy.world import Peer, Server, World

TOLD = (
    b"GET /a HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n"
    b"X-Forwarded-Host: shop.test\r\nX-Forwarded-Port: 443\r\nForwarded: for=203.0.113.9\r\n"
    b"X-Request-ID: their-id\r\n\r\n"
)


def received(server: Server, client: Peer, request: bytes) -> bytes:
    """Send a request, answer it, and return what the backend has received."""
    client.sends(request)
    data = server.connection.receives()
    server.connection.sends(OK)
    return data


def test_what_an_untrusted_peer_says_is_replaced(client: Peer, server: Server) -> None:
    data = received(server, client, TOLD)

    assert b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a.test\r\n" in data
    for word in (b"203.0.113.9", b"shop.test", b"443", b"their-id", b"https"):
        assert word not in data
    assert b"their-id" not in client.receives()


def test_what_a_trusted_peer_says_is_passed_on(world: World, server: Server) -> None:
    world.configure(world.route("/{rest...}", server), trusted_proxies=("192.0.2.0/24",), forwarded=True)
    client = world.client()

    data = received(server, client, TOLD)

    assert b"X-Forwarded-For: 203.0.113.9, 192.0.2.1\r\nX-Forwarded-Proto: https\r\n" in data
    assert b"X-Forwarded-Host: shop.test\r\nForwarded: for=203.0.113.9, for=192.0.2.1;proto=http" in data
    assert b"X-Forwarded-Port: 443\r\n" in data
    assert b"X-Request-ID: their-id\r\n" in data
    assert b"X-Request-ID: their-id\r\n" in client.receives()


def test_trust_is_that_of_the_newest_config_also_on_an_old_connection(world: World, server: Server) -> None:
    client = world.client()
    assert b"203.0.113.9" not in received(server, client, TOLD)

    world.configure(world.route("/{rest...}", server), trusted_proxies=("192.0.2.1/32",))

    assert b"X-Forwarded-For: 203.0.113.9, 192.0.2.1\r\n" in received(server, client, TOLD)


def test_a_trusted_peer_that_says_nothing_is_the_client(world: World, server: Server) -> None:
    world.configure(world.route("/{rest...}", server), trusted_proxies=("192.0.2.1/32",))

    data = received(server, world.client(), GET)

    assert b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: example.com\r\n" in data


def test_each_request_of_a_connection_has_its_own_host(client: Peer, server: Server) -> None:
    for host in (b"a.test", b"b.test", b"a.test"):
        data = received(server, client, GET.replace(b"example.com", host))
        assert b"X-Forwarded-Host: " + host + b"\r\n" in data


def test_the_host_is_kept_where_the_route_says_so(world: World, server: Server) -> None:
    world.configure(world.route("/{rest...}", server, preserve_host=True))

    data = received(server, world.client(), GET)
    assert data.startswith(b"GET /a HTTP/1.1\r\nHost: example.com\r\n")

    without = received(server, world.client(), b"GET /a HTTP/1.0\r\n\r\n")
    assert without.startswith(b"GET /a HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n")


def test_via_is_told_both_ways(world: World, server: Server) -> None:
    world.configure(world.route("/{rest...}", server), via="edge")
    client = world.client()

    assert b"Via: 1.1 edge\r\n" in received(server, client, GET)
    assert b"Via: 1.1 edge\r\n" in client.receives()


def test_the_client_that_a_trusted_peer_speaks_for_decides_by_its_address(world: World) -> None:
    servers = [world.server(port) for port in (8001, 8002)]
    world.configure(world.route("/{rest...}", *servers, strategy="ip_hash"), trusted_proxies=("192.0.2.1/32",))
    client = world.client()

    # The vectors of kairos-rs: 127.0.0.1 is 0 modulo 2, 192.168.1.100 is 1.
    for address, server in ((b"127.0.0.1", servers[0]), (b"192.168.1.100", servers[1])):
        client.sends(GET.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: " + address + b"\r\n\r\n"))
        assert server.connection.receives()
        server.connection.sends(OK)


def test_least_connections_counts_what_is_in_flight(world: World) -> None:
    servers = [world.server(port) for port in (8001, 8002)]
    world.configure(world.route("/{rest...}", *servers, strategy="least_connections"))
    busy = world.client()
    busy.sends(GET)
    (first,) = (server for server in servers if server.connections)
    (other,) = (server for server in servers if server is not first)

    for _ in range(3):
        client = world.client()
        client.sends(GET)
        other.connection.sends(OK)
    first.connection.sends(OK)

    assert [len(server.connections) for server in (first, other)] == [1, 1]
    in_flight = {column for name, column in world.zone.gauges().items() if name.startswith("in flight ")}
    assert [world.count(column) for column in in_flight] == [0, 0]


def test_a_peer_on_a_unix_socket_has_no_address(world: World, server: Server) -> None:
    world.configure(world.route("/{rest...}", server), forwarded=True)
    for name in ("", "/run/client.sock", b"\0abcde"):
        client = world.client(peername=name)
        data = received(server, client, TOLD)

        assert b"X-Forwarded-For" not in data
        assert b"\r\nForwarded: for=unknown;proto=http" in data


def test_a_peer_on_a_unix_socket_may_be_trusted(world: World, server: Server) -> None:
    world.configure(world.route("/{rest...}", server), trusted_proxies=("unix:",))

    data = received(server, world.client(peername=""), TOLD)

    assert b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n" in data


def test_the_word_of_a_proxy_header_goes_before_the_address_of_the_peer(world: World, server: Server) -> None:
    connection = Downstream(world.plane)
    connection.introduce(ProxyHeader(Endpoint("2001:db8::9", 1), Endpoint("2001:db8::1", 443), is_secure=True))

    data = received(server, Peer(world, cast("Protocol", connection)), GET)

    assert b"X-Forwarded-For: 2001:db8::9\r\nX-Forwarded-Proto: https\r\n" in data


def test_a_proxy_header_that_tells_no_address_leaves_that_of_the_peer(world: World, server: Server) -> None:
    connection = Downstream(world.plane)
    connection.introduce(UNKNOWN)

    assert b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n" in received(
        server, Peer(world, cast("Protocol", connection)), GET
    )
