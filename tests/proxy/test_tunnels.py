"""The tunnels of a worker together: what becomes of them when their route is gone, or the gateway ends."""

import pytest

from kairos.proxy.tunnels import TOLD_PER_SECOND, Farewell, code_name
from kairos.shm import layout
from tests.proxy.messages import LATE
from tests.proxy.websockets import AGREED, GOING_AWAY, HANDSHAKE, OTHER, OTHER_AGREED, Pair, configure
from tests.proxy.world import Server, World


@pytest.fixture
def server(world: World) -> Server:
    return world.server()


def remove_route(world: World, server: Server) -> None:
    snapshot = world.configure(world.route("/other", server))
    world.builder.groups.follow(snapshot.tunnels)


def test_a_route_that_is_removed_leaves_its_connections_alone(world: World, server: Server) -> None:
    configure(world, server)
    pair = Pair(world, server)
    remove_route(world, server)
    world.pass_time(1000)
    assert pair.client.is_open


@pytest.mark.parametrize("seconds", [0.0, 30.0])
def test_or_gives_them_so_long(world: World, server: Server, seconds: float) -> None:
    configure(world, server, removal=seconds)
    pair = Pair(world, server)
    world.pass_time(100)
    remove_route(world, server)
    if seconds:
        world.pass_time(seconds - 1)
        assert pair.client_sees() == []
    world.pass_time(1 + LATE)
    assert pair.client_sees() == [GOING_AWAY]
    assert pair.backend_sees() == [GOING_AWAY]


def test_a_route_that_comes_back_keeps_them(world: World, server: Server) -> None:
    configure(world, server, removal=30.0)
    pair = Pair(world, server)
    remove_route(world, server)
    world.pass_time(20)
    configure(world, server, removal=5.0, idle=1000.0)
    world.pass_time(100)
    assert pair.client.is_open


def test_a_route_without_upgrades_is_another(world: World, server: Server) -> None:
    configure(world, server, removal=30.0)
    pair = Pair(world, server)
    world.builder.groups.follow(world.configure(world.route("/chat", server)).tunnels)
    world.pass_time(30 + LATE)
    assert pair.client_sees() == [GOING_AWAY]


def test_a_handshake_that_outlives_its_route_has_the_same_time(world: World, server: Server) -> None:
    configure(world, server, removal=10.0, ping=1000.0)
    client = world.client()
    client.sends(HANDSHAKE)
    remove_route(world, server)
    server.connection.sends(AGREED)
    client.receives()
    assert client.is_open
    world.pass_time(10 + LATE)
    assert client.receives() == b"\x88\x02\x03\xe9"


def test_the_count_of_a_route_outlives_reloads(world: World, server: Server) -> None:
    configure(world, server, connections=5)
    pair = Pair(world, server)
    configure(world, server, connections=5, idle=1.0)
    gauge = next(at for name, at in world.zone.gauges().items() if name.startswith("websockets "))
    assert world.count(gauge) == 1
    assert world.count(layout.WEBSOCKETS_OPEN) == 1
    pair.client.resets()
    assert world.count(gauge) == 0


def test_the_end_is_told_to_one_after_the_other(world: World, server: Server) -> None:
    configure(world, server)
    pairs = [Pair(world, server) for _ in range(20)]
    farewell = Farewell(world.plane, 10.0)
    told = 0

    for passed in (0.0, 0.1, 0.2, 0.3):
        farewell.tell(passed)
        told += sum(pair.client_sees() == [GOING_AWAY] for pair in pairs)
        assert told == min(round(passed * TOLD_PER_SECOND), 20)
    farewell.tell(20 / TOLD_PER_SECOND)

    assert told + sum(pair.client_sees() == [GOING_AWAY] for pair in pairs) == 20


def test_many_are_told_faster(world: World, server: Server) -> None:
    configure(world, server)
    pairs = [Pair(world, server) for _ in range(20)]
    Farewell(world.plane, 0.1).tell(0.1)
    assert all(pair.client_sees() == [GOING_AWAY] for pair in pairs)


def test_tunnels_of_other_bytes_cannot_be_told(world: World, server: Server) -> None:
    configure(world, server, protocol="http")
    raw = Pair(world, server, OTHER, OTHER_AGREED)
    Farewell(world.plane, 0.0).tell(1.0)
    assert raw.client.is_open


def test_one_that_opens_too_late_is_told_at_once(world: World, server: Server) -> None:
    configure(world, server)
    client = world.client()
    client.sends(HANDSHAKE)
    world.plane.is_draining = True
    server.connection.sends(AGREED)
    assert client.receives().endswith(b"\r\n\r\n\x88\x02\x03\xe9")


def test_codes_are_counted_by_name_or_by_range() -> None:
    assert [code_name(code) for code in (1000, 1015, 1016, 3999, 4000, 5000, 0)] == [
        *("1000", "1015", "other", "3000-3999", "4000-4999", "other", "other")
    ]
