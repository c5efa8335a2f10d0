"""An attempt that fails, and what becomes of its request: retries, breakers, ejection, limits."""

import errno
import logging
from functools import partial
from typing import Any

import pytest

from kairos.config.document import Breaker, Concurrency, Outlier, Retry
from kairos.proxy.recovery import seconds_told
from kairos.shm import layout
from tests.proxy.messages import ANSWER_SECONDS, CONNECT_SECONDS, GET, LARGE, LATE, OK, OK_SENT, POST, PUT, error_of
from tests.proxy.world import Peer, Server, World, body_of, masked, status_of

refused = partial(OSError, errno.ECONNREFUSED, "no")
RETRY = Retry(jitter=False)
KEYED = POST.replace(b"\r\n\r\n", b"\r\nIdempotency-Key: 1\r\n\r\n")


def answer(status: int, *lines: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 %d Some" % status, b"Content-Length: 0", *lines, b"", b""])


@pytest.fixture
def servers(world: World) -> list[Server]:
    return [world.server(port) for port in (8001, 8002)]


def client_of(world: World, servers: list[Server], **options: Any) -> Peer:
    world.configure(world.route("/{rest...}", *servers, **{"retry": RETRY, **options}))
    return world.client()


def status_and_reason(client: Peer) -> tuple[int, str]:
    received = client.receives()
    return status_of(received), error_of(received)["reason"]


# Retries.


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_listed_status_is_tried_again_elsewhere(world: World, servers: list[Server], status: int) -> None:
    client = client_of(world, servers)
    client.sends(GET)
    servers[0].connection.sends(answer(status))
    assert client.receives() == b""
    assert not servers[1].connections  # not before the pause

    world.pass_time(0.25)
    servers[1].connection.sends(OK)

    assert masked(client.receives()) == OK_SENT
    assert world.responses() == [0, 1, 0, 0, 0]
    assert not servers[0].connection.is_open


@pytest.mark.parametrize("status", [200, 404, 429, 500, 501])
def test_other_statuses_are_passed_on(world: World, servers: list[Server], status: int) -> None:
    client = client_of(world, servers)
    client.sends(GET)
    servers[0].connection.sends(answer(status))

    assert status_of(client.receives()) == status


def test_the_last_answer_is_passed_on_when_no_retry_is_left(world: World, servers: list[Server]) -> None:
    client = client_of(world, servers, retry=Retry(retries=2, jitter=False))
    client.sends(GET)
    for server in (servers[0], servers[1], servers[0]):
        assert client.receives() == b""
        server.connection.sends(answer(503, b"X-From: %d" % server.backend.port))
        world.pass_time(0.5)

    received = client.receives()
    assert status_of(received) == 503
    assert b"\r\nX-From: 8001\r\n" in received
    assert world.count(layout.UPSTREAM_CONNECTS) == 3
    assert world.count(layout.RETRIES) == 2


@pytest.mark.parametrize(("request_", "is_repeated"), [(GET, True), (PUT, True), (POST, False), (KEYED, True)])
def test_what_was_answered_with_an_error_is_repeated_if_that_is_safe(
    world: World, servers: list[Server], request_: bytes, is_repeated: bool
) -> None:
    client = client_of(world, servers)
    client.sends(request_)
    servers[0].connection.sends(answer(503))
    world.pass_time(0.25)

    assert bool(servers[1].connections) is is_repeated
    if is_repeated:
        assert body_of(servers[1].connection.receives()) == body_of(request_)
    else:
        assert status_of(client.receives()) == 503


@pytest.mark.parametrize(("request_", "is_repeated"), [(GET, True), (PUT, True), (POST, False), (KEYED, True)])
def test_what_was_lost_is_repeated_if_that_is_safe(
    world: World, servers: list[Server], request_: bytes, is_repeated: bool
) -> None:
    client = client_of(world, servers)
    client.sends(request_)
    servers[0].connection.leaves()
    world.pass_time(0.25)

    assert bool(servers[1].connections) is is_repeated
    if not is_repeated:
        assert status_and_reason(client) == (502, "closed_before_head")


def test_a_route_may_say_that_post_is_safe(world: World, servers: list[Server]) -> None:
    client = client_of(world, servers, retry=Retry(jitter=False, any_method=True))
    client.sends(POST)
    servers[0].connection.leaves()
    world.pass_time(0.25)

    assert servers[1].connection.receives().endswith(b"body")


def test_what_was_lost_is_not_repeated_if_the_route_says_so(world: World, servers: list[Server]) -> None:
    client = client_of(world, servers, retry=Retry(on_lost=False))
    client.sends(GET)
    servers[0].connection.leaves()

    assert status_and_reason(client) == (502, "closed_before_head")


def test_without_retry_an_answer_is_an_answer(world: World, servers: list[Server]) -> None:
    client = client_of(world, servers, retry=None)
    client.sends(GET)
    servers[0].connection.sends(answer(503))

    assert status_of(client.receives()) == 503


def test_an_attempt_that_takes_too_long_is_made_again(world: World, servers: list[Server]) -> None:
    client = client_of(world, servers)
    client.sends(GET)
    world.pass_time(ANSWER_SECONDS + LATE)

    servers[1].connection.sends(OK)

    assert masked(client.receives()) == OK_SENT


def test_backends_that_refuse_are_tried_again_after_a_pause(world: World, servers: list[Server]) -> None:
    for server in servers:
        server.error = refused
    client = client_of(world, servers)
    client.sends(POST)
    assert client.receives() == b""
    assert world.count(layout.UPSTREAM_CONNECTS) == 2

    servers[0].error = None
    world.pass_time(0.25)
    servers[0].connection.sends(OK)

    assert masked(client.receives()) == OK_SENT


def test_a_single_backend_is_tried_again(world: World, server: Server) -> None:
    client = client_of(world, [server])
    client.sends(GET)
    server.connection.sends(answer(502))
    world.pass_time(0.25)
    server.connection.sends(OK)

    assert masked(client.receives()) == OK_SENT
    assert len(server.connections) == 2


def test_pauses_grow(world: World, server: Server) -> None:
    client = client_of(world, [server], retry=Retry(retries=3, initial=1.0, jitter=False))
    client.sends(GET)
    seen = []
    for _ in range(3):
        began = world.clock()
        connections = len(server.connections)
        server.connection.sends(answer(502))
        while len(server.connections) == connections:
            world.pass_time(0.25)
        seen.append(world.clock() - began)

    assert seen == [1, 2, 4]


def test_a_retry_that_would_come_too_late_is_not_made(world: World, servers: list[Server]) -> None:
    client = client_of(world, servers, retry=Retry(initial=100.0, longest=100.0, jitter=False))
    client.sends(GET)
    servers[0].connection.sends(answer(503))

    assert status_of(client.receives()) == 503


@pytest.mark.parametrize("status", [429, 503])
def test_a_single_backend_is_left_alone_for_as_long_as_it_asks(world: World, server: Server, status: int) -> None:
    client = client_of(world, [server])
    client.sends(GET)
    server.connection.sends(answer(status, b"Retry-After: 10"))
    world.pass_time(9.75)
    assert len(server.connections) == 1

    world.pass_time(0.5)
    server.connection.sends(OK)

    assert masked(client.receives()) == OK_SENT


def test_retry_after_that_does_not_fit_is_passed_on(world: World, server: Server) -> None:
    client = client_of(world, [server])
    client.sends(GET)
    server.connection.sends(answer(503, b"Retry-After: 100"))

    assert status_of(client.receives()) == 503


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"0", 0),
        (b"120", 120),
        (b"Thu, 01 Jan 1970 00:00:00 GMT", 0),
        (b"-1", None),
        (b"soon", None),
        (b"9" * 5000, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: bytes, seconds: float | None) -> None:
    assert seconds_told(answer(503, b"Retry-After: " + value)) == seconds
    assert seconds_told(answer(503)) is None


def test_retries_have_a_budget(world: World, server: Server) -> None:
    client_of(world, [server])
    clients = [world.client() for _ in range(5)]
    for client in clients:
        client.sends(GET)
    for connection in tuple(server.connections):
        connection.sends(answer(503))

    assert [status_of(client.receives() or b"HTTP/1.1 000") for client in clients] == [0, 0, 0, 503, 503]
    world.pass_time(0.25)
    for connection in server.connections[3:]:  # two had an answer that was passed on, and are used again
        connection.sends(OK)
    assert [masked(client.receives()) for client in clients[:3]] == [OK_SENT] * 3
    clients[0].sends(GET)
    for connection in server.connections[3:]:
        connection.sends(answer(503))
    assert clients[0].receives() == b""  # the budget is whole again


def test_a_client_that_leaves_in_a_pause_is_not_served(world: World, servers: list[Server]) -> None:
    client = client_of(world, servers)
    client.sends(GET)
    servers[0].connection.sends(answer(503))

    client.leaves()
    world.pass_time(1)

    assert not servers[1].connections
    assert world.plane.in_flight == 0


def test_a_body_that_is_too_large_to_keep_is_not_sent_again(world: World, servers: list[Server]) -> None:
    client = client_of(world, servers)
    client.sends(PUT[:-4].replace(b"Length: 4", b"Length: 200000"), LARGE)
    servers[0].connection.sends(answer(503))

    assert status_of(client.receives()) == 503


def test_an_answer_that_has_begun_is_never_repeated(world: World, servers: list[Server]) -> None:
    client = client_of(world, servers)
    client.sends(GET)
    servers[0].connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    servers[0].connection.leaves()
    world.pass_time(1)

    assert not servers[1].connections
    assert not client.is_open


# Whatever happens to a backend, a POST is executed at most once.


def executions(servers: list[Server]) -> int:
    """Count the backends' connections on which a whole POST has arrived."""
    return sum(
        b"".join(connection.transport.written).endswith(b"body") for one in servers for connection in one.connections
    )


@pytest.mark.parametrize("is_warm", [False, True], ids=["new", "reused"])
@pytest.mark.parametrize("how", ["leaves", "resets"])
def test_a_post_whose_backend_dies_after_any_byte_is_executed_once(
    how: str, is_warm: bool
) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    for offset in range(len(whole)):
        world = World()
        servers = [world.server(port) for port in (8001, 8002)]
        client = client_of(world, servers)
        for server in servers if is_warm else ():
            client.sends(GET)
            server.connection.sends(OK)
            server.connection.receives()
            client.receives()
        client.sends(POST)
        if offset:
            servers[0].connection.sends(whole[:offset])
        getattr(servers[0].connection, how)()
        world.pass_time(1)

        assert executions(servers) == 1, offset
        if client.is_open:
            assert status_of(client.receives()) == 502
        else:
            assert client.receives().startswith(b"HTTP/1.1 200 OK\r\n")
        world.end()


# Breakers.


def test_a_dead_backend_is_left_alone_after_five_failures(world: World, server: Server) -> None:
    server.error = refused
    client = client_of(world, [server], retry=None)
    for _ in range(5):
        client.sends(GET)
        assert status_and_reason(client) == (502, "connect_refused")

    for _ in range(2):
        client.sends(GET)
        received = client.receives()
        assert status_of(received) == 503
        assert b"\r\nRetry-After: 30\r\n" in received
        assert (error_of(received)["reason"], error_of(received)["type"]) == ("circuit_open", "circuit_open")
    assert world.count(layout.UPSTREAM_CONNECTS) == 5


def test_others_go_on_while_one_is_left_alone(world: World, servers: list[Server]) -> None:
    servers[0].error = refused
    client = client_of(world, servers, retry=None)
    for _ in range(20):
        client.sends(GET)
        servers[1].connection.sends(OK)
        assert masked(client.receives()) == OK_SENT

    assert world.count(layout.UPSTREAM_CONNECTS) == 5 + 1


def test_one_probe_finds_out_and_then_all_go_on(world: World, server: Server, client: Peer) -> None:
    server.error = refused
    for _ in range(5):
        client.sends(GET)
    client.receives()
    server.error = None
    world.pass_time(30)
    others = [world.client() for _ in range(3)]
    for other in (client, *others):
        other.sends(GET)

    assert [status_of(other.receives()) for other in others] == [503] * 3
    for _ in range(3):
        server.connection.sends(OK)
        assert masked(client.receives()) == OK_SENT
        client.sends(GET)
    for other in others:
        other.sends(GET)
        server.connection.sends(OK)
        assert masked(other.receives()) == OK_SENT


def test_a_probe_whose_client_leaves_makes_room(world: World, server: Server, client: Peer) -> None:
    server.error = refused
    for _ in range(5):
        client.sends(GET)
    server.error = None
    world.pass_time(30)
    probe = world.client()
    probe.sends(GET)
    probe.leaves()

    other = world.client()
    other.sends(GET)
    server.connection.sends(OK)

    assert masked(other.receives()) == OK_SENT


def test_answers_that_do_not_come_open_a_breaker(world: World, server: Server) -> None:
    client = client_of(world, [server], retry=None, breaker=Breaker(failures=2))
    for _ in range(2):
        client.sends(GET)
        world.pass_time(ANSWER_SECONDS + LATE)
        assert status_and_reason(client) == (504, "response_head_timeout")
    client.sends(GET)

    assert status_and_reason(client) == (503, "circuit_open")


def test_listed_statuses_open_a_breaker_and_others_do_not(world: World, server: Server) -> None:
    client = client_of(world, [server], retry=None, breaker=Breaker(failures=2, statuses=(500,)))
    for status in (503, 503, 503, 500, 200, 500, 500):
        client.sends(GET)
        server.connection.sends(answer(status))
        assert status_of(client.receives()) == status
    client.sends(GET)

    assert status_and_reason(client) == (503, "circuit_open")


def test_a_breaker_may_want_to_see_enough_requests(world: World, server: Server) -> None:
    server.error = refused
    client = client_of(world, [server], retry=None, breaker=Breaker(failures=2, minimum=4))
    seen = []
    for _ in range(5):
        client.sends(GET)
        seen.append(status_of(client.receives()))

    assert seen == [502, 502, 502, 502, 503]


def test_a_stale_connection_says_nothing_about_its_backend(world: World, server: Server) -> None:
    client = client_of(world, [server], retry=None, breaker=Breaker(failures=1))
    client.sends(GET)
    server.connection.sends(OK)
    client.receives()
    client.sends(POST)
    server.connection.leaves()
    assert status_and_reason(client) == (502, "stale_reuse")

    client.sends(GET)
    server.connection.sends(OK)
    assert masked(client.receives()) == OK_SENT


def test_routes_share_a_breaker_unless_they_have_their_own(world: World, server: Server) -> None:
    world.configure(
        world.route("/a", server),
        world.route("/b", server),
        world.route("/own", server, breaker=Breaker(is_own=True)),
        world.route("/none", server, breaker=None),
    )
    server.error = refused
    client = world.client()
    for _ in range(6):
        client.sends(GET)
    client.receives()

    def reason(path: bytes) -> str:
        client.sends(GET.replace(b"/a", path))
        return status_and_reason(client)[1]

    assert [reason(path) for path in (b"/b", b"/own", b"/none")] == ["circuit_open", *["connect_refused"] * 2]


def test_a_breaker_outlives_a_reload(world: World, server: Server, client: Peer) -> None:
    server.error = refused
    for _ in range(5):
        client.sends(GET)
    client.receives()

    world.configure(world.route("/a", server), world.route("/other", server))
    client.sends(GET)

    assert status_and_reason(client) == (503, "circuit_open")


def test_the_operator_hears_of_it_once(world: World, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.error = refused
    client = client_of(world, [server], retry=None)
    with caplog.at_level(logging.WARNING, "kairos.resilience"):
        for _ in range(8):
            client.sends(GET)

    (record,) = caplog.records
    assert record.getMessage() == "backend http://10.0.0.1:8080 is left alone: connect_refused"


# Ejection.


def fails(client: Peer, server: Server, times: int) -> None:
    """Let a backend answer with errors until it has done so `times` more; others answer well."""
    count = 0
    while count < times:
        client.sends(GET)
        for peer in client._world.peers:
            if peer is not client and peer.receives():
                is_bad = peer in server.connections
                count += is_bad
                peer.sends(answer(500) if is_bad else OK)
        client.receives()


def test_a_backend_that_errs_is_taken_out(world: World, servers: list[Server]) -> None:
    client = client_of(world, servers, retry=None)
    fails(client, servers[0], 5)

    for _ in range(10):
        client.sends(GET)
        servers[1].connection.sends(OK)
        assert masked(client.receives()) == OK_SENT

    world.pass_time(30)
    fails(client, servers[0], 1)  # it is asked again


def test_the_last_backend_that_is_well_is_never_taken_out(world: World, servers: list[Server]) -> None:
    client = client_of(world, servers, retry=None)
    fails(client, servers[0], 5)
    fails(client, servers[1], 20)


def test_where_none_is_well_all_are_asked(world: World, servers: list[Server]) -> None:
    client = client_of(world, servers, retry=None)
    for target in world.plane.snapshot.matcher.match(b"GET", b"", b"/a").endpoint.destination.targets:
        target.is_down = True

    client.sends(GET)
    servers[0].connection.sends(OK)

    assert masked(client.receives()) == OK_SENT


def test_a_single_backend_is_never_taken_out(world: World, server: Server) -> None:
    client = client_of(world, [server], retry=None, outlier=Outlier(errors=1))
    fails(client, server, 10)


# Limits.


def test_a_route_takes_a_bounded_number_of_requests(world: World, server: Server) -> None:
    client = client_of(world, [server], concurrency=Concurrency(requests=2))
    others = [world.client(), world.client()]
    for other in others:
        other.sends(GET)
    client.sends(GET)
    received = client.receives()
    assert status_of(received) == 503
    assert error_of(received)["reason"] == "route_busy"
    assert b"\r\nRetry-After: 1\r\n" in received

    server.connections[0].sends(OK)
    client.sends(GET)
    server.connections[0].sends(OK)
    assert masked(client.receives()) == OK_SENT


def test_a_full_backend_is_passed_over(world: World, servers: list[Server]) -> None:
    client_of(world, servers, concurrency=Concurrency(backend_requests=1))
    clients = [world.client() for _ in range(3)]
    for client in clients:
        client.sends(GET)

    assert [len(server.connections) for server in servers] == [1, 1]
    assert status_and_reason(clients[2]) == (503, "backends_busy")


def test_connections_to_a_backend_are_bounded(world: World, server: Server) -> None:
    client = client_of(world, [server], retry=None, concurrency=Concurrency(backend_connections=1))
    other = world.client()
    other.sends(GET)
    for _ in range(8):
        client.sends(GET)
        assert status_and_reason(client) == (503, "backend_connections_busy")  # and opens no breaker
    server.connection.sends(OK)

    client.sends(GET)
    server.connection.sends(OK)
    assert masked(client.receives()) == OK_SENT
    assert len(server.connections) == 1


@pytest.mark.parametrize(
    "limits", [Concurrency(requests=1, queue=2), Concurrency(backend_requests=1, queue=2)], ids=["route", "backend"]
)
def test_some_may_wait_for_room(world: World, server: Server, limits: Concurrency) -> None:
    client_of(world, [server], concurrency=limits)
    clients = [world.client() for _ in range(4)]
    for client in clients:
        client.sends(GET)
    assert status_of(clients[3].receives()) == 503
    assert len(server.connections) == 1

    for client in clients[:3]:
        server.connection.sends(OK)
        assert masked(client.receives()) == OK_SENT
    assert not world.plane.crowds or world.pass_time(0.25) is None
    assert not world.plane.crowds


def test_who_has_waited_too_long_is_refused(world: World, server: Server) -> None:
    client_of(world, [server], concurrency=Concurrency(requests=1, queue=2, queue_seconds=1.0))
    clients = [world.client() for _ in range(2)]
    for client in clients:
        client.sends(GET)
    world.pass_time(1.25)

    assert status_and_reason(clients[1]) == (503, "route_busy")
    assert not world.plane.crowds


def test_who_leaves_the_line_makes_room_in_it(world: World, server: Server) -> None:
    client_of(world, [server], concurrency=Concurrency(requests=1, queue=1))
    clients = [world.client() for _ in range(3)]
    clients[0].sends(GET)
    clients[1].sends(GET)
    clients[1].leaves()
    clients[2].sends(GET)
    server.connection.sends(OK)

    server.connection.sends(OK)

    assert masked(clients[2].receives()) == OK_SENT


def test_a_drained_backend_takes_nothing_new(world: World, servers: list[Server]) -> None:
    client = client_of(world, servers)
    targets = world.plane.snapshot.matcher.match(b"GET", b"", b"/a").endpoint.destination.targets
    targets[0].is_drained = True
    for _ in range(4):
        client.sends(GET)
        servers[1].connection.sends(OK)
        assert masked(client.receives()) == OK_SENT

    targets[1].is_drained = True
    client.sends(GET)
    assert status_and_reason(client) == (503, "no_backend")


def test_nothing_is_left_of_a_connection_that_came_too_late(world: World, servers: list[Server]) -> None:
    client = client_of(world, servers, retry=None)
    for server in servers:
        server.is_silent = True
    client.sends(GET)
    world.pass_time(2 * (CONNECT_SECONDS + LATE))

    assert status_and_reason(client) == (504, "connect_timeout")
    opened = {world.count(column) for name, column in world.zone.gauges().items() if name.startswith("open ")}
    assert opened == {0}
