"""Who is measured, by what, and where requests go in consequence."""

import pytest

from kairos.balancing.latency import Latency
from tests.proxy.messages import ANSWER_SECONDS, GET, LATE, OK, POST
from tests.proxy.world import Peer, Server, World, status_of

SOON = 0.5  # seconds that no step of a test takes; an error costs one
ERROR = OK.replace(b"200 OK", b"500 Sorry")


@pytest.fixture
def server(world: World) -> Server:
    server = world.server()
    world.configure(world.route("/{rest...}", server, strategy="peak_ewma"))
    return server


def measured(world: World, port: int = 8080) -> float:
    """Return how long a backend takes, by what all workers know."""
    word = world.zone.word(f"latency http://10.0.0.1:{port}".encode())
    return Latency(world.zone.cells, word).seconds(world.plane.ticker.now)


def test_an_answer_is_measured(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    assert measured(world) == 0.0

    server.connection.sends(OK)

    assert 0.0 < measured(world) < SOON


def test_an_error_of_the_backend_is_slow(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(ERROR)

    assert 1.0 <= measured(world) < 1.0 + SOON


def test_a_connection_that_breaks_is_an_error(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.resets()

    assert 1.0 <= measured(world) < 1.0 + SOON


def test_an_answer_that_breaks_off_is_an_error_but_its_length_is_not_slowness(
    world: World, client: Peer, server: Server
) -> None:
    client.sends(GET)
    server.connection.sends(OK[:-1])
    world.pass_time(5)
    server.connection.resets()

    assert 1.0 <= measured(world) < 1.0 + SOON


def test_no_answer_is_an_error(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    world.pass_time(ANSWER_SECONDS + LATE)

    assert status_of(client.receives()) == 504
    assert measured(world) > 0.5


def test_no_connection_is_an_error(world: World, client: Peer, server: Server) -> None:
    server.error = ConnectionRefusedError
    client.sends(GET)

    assert 1.0 <= measured(world) < 1.0 + SOON


def test_a_stale_connection_says_nothing(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(OK)
    client.sends(GET)
    server.connection.resets()
    server.connection.sends(OK)

    assert measured(world) < SOON


def test_a_request_that_is_not_all_sent_is_not_measured(world: World, client: Peer, server: Server) -> None:
    client.sends(POST[:-1])
    server.connection.sends(OK)

    assert measured(world) == 0.0


def test_a_long_upload_is_not_the_backends_slowness(world: World, client: Peer, server: Server) -> None:
    client.sends(POST[:-1])
    world.pass_time(5)
    client.sends(POST[-1:])
    server.connection.sends(OK)

    assert 0.0 < measured(world) < SOON


def test_nothing_is_measured_that_nobody_asks_for(world: World, client: Peer) -> None:
    server = world.server(8081)
    world.configure(world.route("/{rest...}", server))
    client.sends(GET)
    server.connection.sends(OK)

    assert measured(world, 8081) == 0.0


def test_what_is_known_outlives_a_reload(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(ERROR)

    world.configure(world.route("/other", server, strategy="peak_ewma"))

    assert measured(world) >= 1.0


def test_requests_go_where_answers_come_soon(world: World, server: Server) -> None:
    other = world.server(8081)
    world.configure(world.route("/{rest...}", server, other, strategy="peak_ewma"))
    for answer in (ERROR, OK):
        client = world.client()
        client.sends(GET)
        for one in (server, other):
            if one.connections:
                one.connection.sends(answer)
        client.leaves()
    slow, fast = sorted((server, other), key=lambda one: -measured(world, one.backend.port))

    for _ in range(5):
        client = world.client()
        client.sends(GET)
        fast.connection.sends(OK)
        assert status_of(client.receives()) == 200

    assert len(slow.connections) == 1
