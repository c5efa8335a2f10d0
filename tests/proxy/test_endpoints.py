"""A route goes where the names of its backends lead, and moves with them."""

import gc
import weakref

import pytest

from kairos.config.document import Backend, Route
from kairos.protocols.http1.head import RequestHead
from kairos.proxy.exchange import Exchange
from kairos.proxy.generation import ProxyRoute
from tests.proxy.messages import GET
from tests.proxy.world import METHODS, Peer, Server, World, status_of

A, B, C, SIX = "10.0.1.1", "10.0.1.2", "10.0.1.3", "2001:db8::1"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(autouse=True)
def servers(world: World) -> dict[str, Server]:
    """Servers at all addresses."""
    for address in (A, B, C, SIX):
        world.servers[address, 80] = Server(Backend("http", address, 80))
    return {address: world.servers[address, 80] for address in (A, B, C, SIX)}


def at(address: str) -> str:
    """Return what a backend is called that is at this address of its name."""
    return f"http://app.test at {address}"


def route(*backends: Backend, **options: object) -> Route:
    return Route("/{rest...}", "/{rest...}", METHODS, backends or (Backend("http", "app.test", 80),), **options)  # type: ignore[arg-type]


def configure(world: World, *routes: Route) -> None:
    """Put a config into effect as a gateway does: names are learned first."""
    world.configure(*routes or (route(),))
    world.plane.hosts.refresh(world.clock())
    world.settle()


def led_to(world: World) -> list[str]:
    destination = world.plane.snapshot.router.match(b"GET", b"", b"/a").destination
    assert isinstance(destination, ProxyRoute)
    return sorted(choice.pool.address for choice in destination.balancer.choices("", RequestHead(GET)))


def ask(world: World, client: Peer, server: Server) -> int:
    """Send a request that this server has to get, and return the status of the answer."""
    client.sends(GET)
    server.connection.sends(OK)
    return status_of(client.receives())


def test_every_address_of_a_name_is_a_backend(world: World) -> None:
    world.names["app.test"] = [A, B]
    configure(world, route(Backend("http", "app.test", 80), Backend("http", C, 80)))
    assert led_to(world) == [f"http://{C}", at(A), at(B)]


def test_every_address_has_the_weight_of_its_name(world: World) -> None:
    world.names["app.test"] = [A, B]
    backends = (Backend("http", "app.test", 80, weight=2), Backend("http", C, 80, weight=1))
    configure(world, route(*backends, strategy="weighted"))

    destination = world.plane.snapshot.router.match(b"GET", b"", b"/a").destination
    assert isinstance(destination, ProxyRoute)
    firsts = [destination.balancer.choices("", RequestHead(GET))[0].pool.address for _ in range(50)]

    assert [firsts.count(address) for address in (at(A), at(B), f"http://{C}")] == [20, 20, 10]


def test_backends_are_spoken_to_by_their_name(world: World, servers: dict[str, Server]) -> None:
    world.names["app.test"] = [A]
    configure(world)
    client = world.client()
    client.sends(GET)
    assert b"\r\nHost: app.test\r\n" in servers[A].connection.receives()


def test_a_route_moves_with_its_name(world: World, servers: dict[str, Server]) -> None:
    world.names["app.test"] = [A]
    configure(world)
    client = world.client()
    assert ask(world, client, servers[A]) == 200
    world.names["app.test"] = [B]

    world.pass_time(31)

    assert led_to(world) == [at(B)]
    assert ask(world, client, servers[B]) == 200
    assert not servers[A].connection.is_open


def test_what_runs_ends_where_it_is_and_its_connection_is_not_kept(world: World, servers: dict[str, Server]) -> None:
    world.names["app.test"] = [A]
    world.ttl = 1.0
    configure(world)
    client = world.client()
    client.sends(GET)
    world.names["app.test"] = [B]
    world.pass_time(2)
    assert led_to(world) == [at(B)]

    servers[A].connection.sends(OK)

    assert status_of(client.receives()) == 200
    assert not servers[A].connection.is_open


def test_an_address_that_comes_back_is_used_as_before(world: World, servers: dict[str, Server]) -> None:
    world.ttl = 1.0
    world.names["app.test"] = [A]
    configure(world)
    running, client = world.client(), world.client()
    running.sends(GET)
    for addresses in ([B], [A]):
        world.names["app.test"] = addresses
        world.pass_time(2)

    servers[A].connection.sends(OK)
    assert ask(world, client, servers[A]) == 200

    assert len(servers[A].connections) == 1


def test_a_name_that_is_not_known_yet_is_resolved_by_who_needs_it(world: World, servers: dict[str, Server]) -> None:
    world.names["app.test"] = [A, B]
    world.configure(route())
    assert led_to(world) == ["http://app.test"]

    assert ask(world, world.client(), servers[A]) == 200

    assert led_to(world) == [at(A), at(B)]


def test_a_name_that_nobody_knows_is_answered_at_once(world: World) -> None:
    configure(world)
    client = world.client()
    client.sends(GET)
    answer = client.receives()
    assert status_of(answer) == 502
    assert b"app.test" not in answer

    world.names["app.test"] = [A]
    world.pass_time(2)
    assert led_to(world) == [at(A)]


def test_a_request_follows_a_backend_that_has_moved(world: World, servers: dict[str, Server]) -> None:
    world.names["app.test"] = [A]
    configure(world)
    world.pass_time(2)
    world.names["app.test"] = [B]
    servers[A].error = ConnectionRefusedError

    assert ask(world, world.client(), servers[B]) == 200
    assert led_to(world) == [at(B)]


def test_one_refused_connection_asks_for_the_name_and_uses_the_other_address(
    world: World, servers: dict[str, Server]
) -> None:
    world.names["app.test"] = [A, B]
    configure(world)
    world.pass_time(2)
    world.names["app.test"] = [B, C]
    servers[A].error = ConnectionRefusedError
    client = world.client()

    assert ask(world, client, servers[B]) == 200  # A was the first choice

    world.settle()
    assert led_to(world) == [at(B), at(C)]
    assert world.asked == ["app.test"] * 2


def test_a_backend_that_does_not_answer_any_more_may_have_moved(world: World, servers: dict[str, Server]) -> None:
    world.names["app.test"] = [A]
    world.ttl = 60.0
    configure(world)
    world.pass_time(2)
    world.names["app.test"] = [B]
    servers[A].is_silent = True
    client = world.client()
    client.sends(GET)

    world.pass_time(4)

    assert status_of(client.receives()) == 504
    assert led_to(world) == [at(B)]


def test_a_backend_that_stays_keeps_what_is_known_of_it_and_a_new_one_is_warmed_up(world: World) -> None:
    world.names["app.test"] = [A, B]
    world.ttl = 1.0
    configure(world)
    destination = world.plane.snapshot.router.match(b"GET", b"", b"/a").destination
    assert isinstance(destination, ProxyRoute)
    before = {target.pool.address: target for target in destination.targets}
    assert [target.came_up_at for target in destination.targets] == [0.0, 0.0]
    world.names["app.test"] = [B, C]

    world.pass_time(2)

    after = {target.pool.address: target for target in destination.targets}
    assert after[at(B)] is before[at(B)]
    assert after[at(B)].came_up_at == 0.0 < after[at(C)].came_up_at
    assert [target.ejection is None for target in destination.targets] == [False, False]

    world.names["app.test"] = [B]
    world.pass_time(2)
    assert [target.ejection for target in destination.targets] == [None]  # the only one is never taken out


def test_a_service_that_listens_on_one_family_only_is_found(world: World, servers: dict[str, Server]) -> None:
    world.names["app.test"] = [A, SIX]
    servers[A].error = ConnectionRefusedError
    configure(world)
    assert led_to(world) == [at(A)]

    assert ask(world, world.client(), servers[SIX]) == 200

    assert led_to(world) == [at(SIX)]


def test_the_last_addresses_are_kept_while_no_name_server_answers(world: World, servers: dict[str, Server]) -> None:
    world.names["app.test"] = [A]
    configure(world)
    del world.names["app.test"]
    world.pass_time(100)
    assert led_to(world) == [at(A)]
    assert ask(world, world.client(), servers[A]) == 200


def test_addresses_are_never_resolved(world: World) -> None:
    configure(world, route(Backend("http", A, 80), Backend("http", SIX, 80)))
    assert world.asked == []


def test_a_reload_keeps_what_is_known(world: World) -> None:
    world.names["app.test"] = [A]
    configure(world)
    del world.names["app.test"]
    world.configure(route(Backend("http", "app.test", 80, weight=2)))
    assert led_to(world) == [at(A)]


def test_a_removed_route_is_freed_and_its_names_are_asked_for_no_more(world: World) -> None:
    world.names["app.test"] = [A]
    configure(world)
    destination = weakref.ref(world.plane.snapshot.router.match(b"GET", b"", b"/a").destination)
    gc.disable()
    try:
        world.configure()
        assert destination() is None
    finally:
        gc.enable()
    world.pass_time(100)
    assert world.asked == ["app.test"]


@pytest.mark.parametrize("addresses", [[], [A], [A, SIX], [A, B]])
def test_a_request_that_finds_nobody_leaves_nothing_to_collect(
    world: World, servers: dict[str, Server], addresses: list[str]
) -> None:
    world.names["app.test"] = addresses
    for server in servers.values():
        server.error = ConnectionRefusedError
    configure(world)
    world.pass_time(2)
    client = world.client()
    gc.collect()
    gc.disable()
    try:
        client.sends(GET)
        assert status_of(client.receives()) == 502
        exchanges = [found for found in gc.get_objects() if isinstance(found, Exchange)]
        assert not [found for found in exchanges if found.downstream is client.protocol]
    finally:
        gc.enable()
