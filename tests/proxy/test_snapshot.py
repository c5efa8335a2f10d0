"""Snapshots: what a config generation builds, and what it takes over from the one before."""

from dataclasses import replace

import pytest

from kairos.config.document import Backend, Document, HealthCheck, Settings
from kairos.protocols.http1.head import RequestHead
from kairos.proxy.snapshot import ProxyRoute, Snapshot
from kairos.routing.pattern import PatternError
from tests.proxy.messages import GET
from tests.proxy.world import Server, World, finished, status_of


@pytest.fixture
def server(world: World) -> Server:
    return world.server()


def entries(snapshot: Snapshot) -> dict[str, object]:
    return {entry.pattern: entry for entry in snapshot.entries.values()}


def pools(snapshot: Snapshot, pattern: str) -> list[str]:
    """Return the addresses behind a route."""
    destination = snapshot.router.match(b"GET", b"", pattern.encode()).destination
    assert isinstance(destination, ProxyRoute)
    return [target.pool.address for target in destination.balancer.choices("", RequestHead(GET))]


def test_routes_lead_to_their_backends(world: World, server: Server) -> None:
    snapshot = world.configure(world.route("/a", server, world.server(9090)), world.route("/b", server))

    assert sorted(pools(snapshot, "/a")) == ["http://10.0.0.1:8080", "http://10.0.0.1:9090"]
    assert pools(snapshot, "/b") == ["http://10.0.0.1:8080"]


def test_what_did_not_change_is_taken_over(world: World, server: Server) -> None:
    kept, removed = world.route("/kept", server), world.route("/removed", server)
    changed = world.route("/changed", server)
    before = entries(world.configure(kept, removed, changed))

    after = entries(world.configure(replace(changed, internal_path="/other"), kept, world.route("/added", server)))

    assert after["/kept"] is before["/kept"]
    assert after["/changed"] is not before["/changed"]
    assert [after[path] is before[path] for path in ("/health", "/ready", "/live")] == [True] * 3
    assert after.keys() - before.keys() == {"/added"}
    assert before.keys() - after.keys() == {"/removed"}


def test_a_removed_route_is_no_longer_served(world: World, server: Server) -> None:
    client = world.client()
    for routes, status in (([world.route("/a", server, protocol="ftp")], 501), ([], 404)):
        world.configure(*routes)

        client.sends(GET)

        assert status_of(client.receives()) == status


def test_the_snapshot_before_stays_as_it_is(world: World, server: Server) -> None:
    first = world.configure(world.route("/a", server))

    world.configure(world.route("/a", world.server(9090)))

    assert pools(first, "/a") == ["http://10.0.0.1:8080"]


def test_connections_outlive_a_reload(world: World, server: Server) -> None:
    world.configure(world.route("/a", server))
    client = world.client()
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 204 No Content\r\n\r\n")

    world.configure(world.route("/{new}", server))
    client.sends(GET)

    assert len(server.connections) == 1


def test_built_in_endpoints_move_with_their_prefix(world: World) -> None:
    world.configure()
    moved = entries(world.configure(builtin_prefix="/internal"))
    gone = entries(world.configure(builtin_prefix=None))

    assert sorted(moved) == ["/internal/health", "/internal/live", "/internal/ready"]
    assert gone == {}


def test_a_snapshot_is_built_in_steps(world: World, server: Server) -> None:
    document = Document(Settings(), tuple(world.route(f"/{i}", server) for i in range(100))).encode()

    steps = list(world.builder.steps(document, 7, None))

    assert len(steps) >= 200
    assert finished(world.builder.steps(document, 7, None)).generation == 7


def test_a_snapshot_that_cannot_be_built_changes_nothing(world: World, server: Server) -> None:
    world.configure(world.route("/a", server))
    before = world.plane.snapshot

    with pytest.raises(PatternError):
        world.configure(world.route("/a/{x}/{x}", server))

    assert world.plane.snapshot is before
    assert pools(before, "/a") == ["http://10.0.0.1:8080"]


def test_a_closed_filter_stands_before_every_backend(world: World, server: Server) -> None:
    snapshot = world.configure(world.route("/a", server, auth_required=True, protocol="dns"))

    destination = snapshot.router.match(b"GET", b"", b"/a").destination

    assert isinstance(destination, ProxyRoute)
    replies = [step.look(None) for step in destination.filters]  # type: ignore[arg-type]
    assert [reply and reply.status for reply in replies] == [401, 501]


def test_targets_know_whether_they_take_requests_and_how_they_are_checked(world: World, server: Server) -> None:
    checked = Backend("http", "10.0.0.1", 9090, health_check=HealthCheck())
    aside = [Backend("http", "10.0.0.1", port, state=state) for port, state in ((1, "drain"), (2, "maintenance"))]
    plain = world.route("/plain", server)
    snapshot = world.configure(plain, replace(plain, external_path="/a", backends=(checked, *aside), slow_start=5.0))

    (route,) = snapshot.checked
    assert route.pattern == "/a"
    assert [target.checked_as for target in route.targets] == [checked, None, None]
    assert [target.is_drained for target in route.targets] == [False, True, True]
    assert [target.slow_start for target in route.targets] == [5.0, 5.0, 5.0]
    assert len({target.key for target in route.targets}) == 3


def test_a_route_that_is_taken_over_is_still_checked(world: World) -> None:
    checked = Backend("http", "10.0.0.1", 9090, health_check=HealthCheck())
    route = replace(world.route("/a", world.server()), backends=(checked,))
    before = world.configure(route)

    after = world.configure(route, world.route("/b", world.server()))

    assert after.checked == before.checked
