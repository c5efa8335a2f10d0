"""Where retries, health, queues and breakers meet."""

import errno
import logging
import ssl
from functools import partial

import pytest

from kairos.config.document import Breaker, Concurrency, Outlier, Retry, Timeouts
from kairos.proxy import unavailable
from kairos.proxy.generation import ProxyRoute, Snapshot
from kairos.proxy.recovery import seconds_told
from kairos.resilience.breaker import CLOSED, OPEN
from kairos.shm import layout
from tests.proxy.messages import GET, OK, POST, error_of
from tests.proxy.world import Server, World, status_of

refused = partial(OSError, errno.ECONNREFUSED, "no")
RETRY = Retry(jitter=False)
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata"


def answer(status: int) -> bytes:
    return b"HTTP/1.1 %d Some\r\nContent-Length: 0\r\n\r\n" % status


@pytest.fixture
def servers(world: World) -> list[Server]:
    return [world.server(port) for port in (8001, 8002)]


def route_of(snapshot: Snapshot) -> ProxyRoute:
    route = snapshot.matcher.match(b"GET", b"", b"/a").endpoint.destination
    assert isinstance(route, ProxyRoute)
    return route


def asked(servers: list[Server]) -> Server:
    """Return the backend that has just got a request."""
    (server,) = (one for one in servers if any(peer.receives() for peer in one.connections))
    return server


def test_only_errors_in_a_row_take_a_backend_out(
    world: World, servers: list[Server], caplog: pytest.LogCaptureFixture
) -> None:
    world.configure(world.route("/{rest...}", *servers, outlier=Outlier(errors=2)))
    client = world.client()
    with caplog.at_level(logging.WARNING, "kairos.resilience"):
        for turn in range(40):
            client.sends(GET)
            server = asked(servers)
            server.connection.sends(answer(500) if server is servers[0] and turn % 4 == 0 else OK)

    assert caplog.records == []


def test_a_backend_that_comes_back_slowly_is_better_than_one_that_is_down(world: World, servers: list[Server]) -> None:
    route = route_of(world.configure(world.route("/{rest...}", *servers, slow_start=30.0)))
    route.targets[0].is_down = True
    route.targets[1].came_up_at = world.plane.ticker.now
    client = world.client()
    for _ in range(50):
        client.sends(GET)
        assert asked(servers) is servers[1]
        servers[1].connection.sends(OK)


def test_a_retry_asks_the_same_backend_again_if_no_other_is_up(world: World, servers: list[Server]) -> None:
    route = route_of(world.configure(world.route("/{rest...}", *servers, retry=RETRY)))
    route.targets[1].is_down = True
    client = world.client()
    client.sends(GET)
    asked(servers).connection.sends(answer(503))
    world.pass_time(0.5)

    assert asked(servers) is servers[0]
    assert not servers[1].connections


def test_a_post_of_which_a_piece_has_left_is_not_sent_again(world: World, server: Server) -> None:
    client = world.client()
    client.sends(GET)
    server.connection.sends(OK)
    client.sends(POST[:-4], b"bo")
    server.connection._lose(BrokenPipeError())
    world.settle()
    client.sends(b"dy")

    assert len(server.connections) == 1


def alert(name: str) -> ssl.SSLError:
    """Return what a TLS connection meets when the other side ends it with an alert."""
    error = ssl.SSLError(1, name)
    error.reason = name
    return error


def test_what_a_new_connection_did_not_take_goes_elsewhere_at_once(world: World, servers: list[Server]) -> None:
    """Also a POST, and without `retry`, as if the backend could not be reached at all."""
    for error in (BrokenPipeError(), alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"), alert("TLSV1_ALERT_UNKNOWN_CA")):
        world.configure(world.route("/{rest...}", *servers))
        client = world.client()
        client.sends(POST)
        first = asked(servers)
        first.connection._lose(error)
        world.settle()

        second = asked(servers)
        assert second is not first
        second.connection.sends(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        assert status_of(client.receives()) == 200
        client.leaves()


def test_a_backend_that_refuses_our_certificate_late_is_told_as_if_it_had_at_once(world: World, server: Server) -> None:
    world.configure(world.route("/{rest...}", server))
    client = world.client()
    client.sends(POST)
    server.connection._lose(alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"))
    world.settle()

    answered = client.receives()
    assert status_of(answered) == 502
    assert error_of(answered)["reason"] == "tls_client_certificate_required"
    assert error_of(answered)["error"].endswith("TLS failed: the backend requires a client certificate")


def test_another_alert_says_nothing_about_what_the_backend_has_read(world: World, servers: list[Server]) -> None:
    world.configure(world.route("/{rest...}", *servers))
    client = world.client()
    client.sends(POST)
    asked(servers).connection._lose(alert("TLSV1_ALERT_INTERNAL_ERROR"))
    world.settle()

    answered = client.receives()
    assert (status_of(answered), error_of(answered)["reason"]) == (502, "closed_before_head")


def test_an_answer_that_streams_holds_no_place_for_retries(world: World, servers: list[Server]) -> None:
    world.configure(world.route("/{rest...}", *servers, retry=RETRY, breaker=None))
    for _ in range(5):
        client = world.client()
        client.sends(GET)
        asked(servers).connection.sends(answer(503))
        world.pass_time(0.5)
        asked(servers).connection.sends(STREAM)
        assert status_of(client.receives()) == 200


def test_a_backend_that_dies_in_the_middle_of_answers_is_left_alone(world: World, server: Server) -> None:
    route = route_of(world.configure(world.route("/{rest...}", server)))
    for _ in range(5):
        client = world.client()
        client.sends(GET)
        server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        server.connection.resets()

    breaker = route.targets[0].breaker
    assert breaker is not None
    assert breaker.state() == OPEN


def test_a_client_that_leaves_in_the_middle_of_an_answer_speaks_for_the_backend(world: World, server: Server) -> None:
    route = route_of(world.configure(world.route("/{rest...}", server)))
    breaker = route.targets[0].breaker
    assert breaker is not None
    breaker.failed(world.plane.ticker.now, False)
    client = world.client()
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    client.leaves()

    assert breaker.count() == 0


def test_a_slow_reader_of_hints_does_not_stop_the_clock_of_the_answer(world: World, server: Server) -> None:
    client = world.client()
    client.stops_reading()
    client.sends(GET)
    for _ in range(10):
        server.connection.sends(b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 8000 + b"\r\n\r\n")
    client.reads_on()
    client.receives()
    world.pass_time(35)

    assert status_of(client.receives()) == 504


def test_nothing_is_sent_again_after_a_hint_has_gone_to_the_client(world: World, servers: list[Server]) -> None:
    world.configure(world.route("/{rest...}", *servers, retry=RETRY))
    client = world.client()
    client.sends(GET)
    servers[0].connection.sends(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
    client.receives()
    servers[0].connection.resets()
    world.pass_time(0.5)

    assert not servers[1].connections
    assert status_of(client.receives()) == 502


@pytest.mark.parametrize("breaker", [None, Breaker()])
def test_room_that_is_made_as_the_wait_ends_is_used(world: World, server: Server, breaker: Breaker | None) -> None:
    limits = Concurrency(requests=1, queue=5, queue_seconds=1.0)
    world.configure(world.route("/{rest...}", server, breaker=breaker, concurrency=limits))
    (column,) = (at for name, at in world.zone.gauges().items() if name.startswith("in flight ") and "rest" in name)
    world.plane.row.add(column, 1)  # as if by another worker
    client = world.client()
    client.sends(GET)
    world.pass_time(0.75)
    world.plane.row.add(column, -1)
    world.pass_time(0.5)

    server.connection.sends(OK)
    assert status_of(client.receives()) == 200


def test_who_comes_later_does_not_overtake_the_line(world: World, server: Server) -> None:
    world.configure(world.route("/{rest...}", server, concurrency=Concurrency(requests=1, queue=5)))
    first, second, third = (world.client() for _ in range(3))
    first.sends(GET)
    second.sends(GET)
    server.connection.receives()
    server.connection.protocol.data_received(OK)  # room is made, and nobody has been let in yet
    third.protocol.data_received(GET.replace(b"/a", b"/third"))
    world.settle()

    assert server.connection.receives().startswith(b"GET /a ")


def test_room_that_another_worker_makes_meanwhile_is_no_open_breaker(world: World, server: Server) -> None:
    limits = Concurrency(backend_requests=1)
    route = route_of(world.configure(world.route("/{rest...}", server, breaker=None, concurrency=limits)))

    assert unavailable.reason(route.targets, 0.0).reason == "backends_busy"


def test_time_that_was_spent_in_the_line_is_not_held_against_the_backend(world: World, server: Server) -> None:
    limits = Concurrency(requests=1, queue=9, queue_seconds=10.0)
    timeouts = Timeouts(exchange=2.0, response_head=30.0)
    route = route_of(world.configure(world.route("/{rest...}", server, timeouts=timeouts, concurrency=limits)))
    first = world.client()
    first.sends(GET)
    server.connection.sends(STREAM)
    others = [world.client() for _ in range(5)]
    for other in others:
        other.sends(GET)
    world.pass_time(5)
    first.resets()
    world.pass_time(8)

    breaker = route.targets[0].breaker
    assert breaker is not None
    assert (breaker.state(), breaker.count()) == (CLOSED, 0)
    assert {status_of(other.receives()) for other in others} == {504}


def test_backends_whose_state_finds_no_room_share_none(world: World, servers: list[Server]) -> None:
    number = 0
    while not world.zone.cells.load(layout.WORDS_FOLDED):
        world.zone.word(b"filler %d" % number)
        number += 1
    servers[0].error = refused
    world.configure(world.route("/a", servers[0]), world.route("/b", servers[1]))
    for _ in range(6):
        world.client().sends(GET)
    client = world.client()
    client.sends(GET.replace(b"/a", b"/b"))
    servers[1].connection.sends(OK)

    assert status_of(client.receives()) == 200


def test_a_date_in_an_absurd_zone_says_nothing() -> None:
    value = b"Retry-After: Mon, 01 Jan 2024 00:00:00 +999999999999999999\r\n\r\n"
    assert seconds_told(b"HTTP/1.1 503 Some\r\n" + value) is None
