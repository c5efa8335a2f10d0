"""A connection to a backend: when it is used again, and how long it may take."""

import pytest

from kairos.config.document import Timeouts
from kairos.shm import layout
from tests.proxy.messages import (
    ANSWER_SECONDS,
    GET,
    GET_SENT,
    IDLE_SECONDS,
    LARGE,
    LATE,
    OK,
    OK_SENT,
    POST,
    PUT,
    RESPONSES,
    SILENCE_SECONDS,
    error_of,
)
from tests.proxy.world import Peer, Server, World, body_of, masked, status_of


def reuse(client: Peer, server: Server) -> Peer:
    """Let a connection serve one exchange; return it, idle."""
    client.sends(GET)
    server.connection.sends(OK)
    client.receives()
    server.connection.receives()
    return server.connection


def test_a_clean_connection_is_used_again(world: World, client: Peer, server: Server) -> None:
    for framing in ("length", "chunked", "interim"):
        client.sends(GET)
        server.connection.sends(RESPONSES[framing])

    assert len(server.connections) == 1
    assert world.count(layout.UPSTREAM_CONNECTS) == 1
    assert world.count(layout.UPSTREAM_REUSES) == 2
    assert world.count(layout.UPSTREAM_OPEN) == 1


def test_a_connection_that_speaks_unasked_is_not_used_again(client: Peer, server: Server) -> None:
    idle = reuse(client, server)

    idle.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
    assert not idle.is_open

    client.sends(GET)
    server.connection.sends(OK)
    assert len(server.connections) == 2
    assert masked(client.receives()) == OK_SENT


@pytest.mark.parametrize("fields", [b"Content-Length: 0\r\nConnection: close\r\n", b""])
def test_a_connection_that_is_to_end_is_not_used_again(client: Peer, server: Server, fields: bytes) -> None:
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n")
    server.connection.leaves()

    client.sends(GET)
    assert len(server.connections) == 2


def test_an_idle_connection_ages_out(world: World, server: Server) -> None:
    learns_nothing = Timeouts(learn_keep_alive=False)
    world.configure(world.route("/{rest...}", server), timeouts=learns_nothing)
    idle = reuse(world.client(), server)

    world.pass_time(IDLE_SECONDS - 1)
    assert idle.is_open
    world.pass_time(1 + LATE)
    assert not idle.is_open


@pytest.mark.parametrize("request_", [GET, PUT, GET.replace(b"GET", b"HEAD"), GET.replace(b"GET", b"DELETE")])
@pytest.mark.parametrize("how", ["leaves", "resets"])
def test_an_idempotent_request_that_met_a_stale_connection_is_sent_again(
    world: World, client: Peer, server: Server, request_: bytes, how: str
) -> None:
    idle = reuse(client, server)
    client.sends(request_)
    sent = masked(idle.receives())
    assert sent

    getattr(idle, how)()

    assert masked(server.connection.receives()) == sent
    server.connection.sends(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert status_of(client.receives()) == 204
    assert world.count(layout.UPSTREAM_FAILURES) == 0
    assert world.responses() == [0, 2, 0, 0, 0]


def test_a_request_is_sent_again_until_no_stale_connection_is_left(world: World, server: Server) -> None:
    clients = [world.client() for _ in range(3)]
    for client in clients:
        client.sends(GET)
    idle = list(server.connections)
    for client, connection in zip(clients, idle, strict=True):
        connection.sends(OK)
        client.receives()

    clients[0].sends(GET)
    for connection in reversed(idle):
        connection.leaves()
    server.connection.sends(OK)

    assert len(server.connections) == 4
    assert masked(clients[0].receives()) == OK_SENT


def test_a_request_that_may_have_been_acted_on_is_not_sent_again(client: Peer, server: Server) -> None:
    idle = reuse(client, server)
    client.sends(POST)

    idle.leaves()

    answer = client.receives()
    assert status_of(answer) == 502
    assert error_of(answer)["reason"] == "stale_reuse"
    assert len(server.connections) == 1


def test_what_has_come_of_a_body_is_sent_again(client: Peer, server: Server) -> None:
    idle = reuse(client, server)
    client.sends(PUT[:-4], b"bo")

    idle.leaves()
    client.sends(b"dy")

    assert server.connection is not idle
    assert server.connection.receives().endswith(b"\r\n\r\nbody")
    server.connection.sends(OK)
    assert masked(client.receives()) == OK_SENT


@pytest.mark.parametrize("size", [64 << 10, 65 << 10])
def test_a_body_is_kept_up_to_64_kib(client: Peer, server: Server, size: int) -> None:
    idle = reuse(client, server)
    client.sends(PUT[:-4].replace(b"Length: 4", b"Length: 100000"), b"x" * (size - 200))
    client.sends(b"x" * 100)

    idle.leaves()

    if size > 64 << 10:
        assert status_of(client.receives()) == 502
    else:
        assert server.connection is not idle
        client.leaves()


@pytest.mark.parametrize("begun", [b"HTTP/1.1 200", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_a_request_that_was_partly_answered_is_not_sent_again(client: Peer, server: Server, begun: bytes) -> None:
    idle = reuse(client, server)
    client.sends(GET)
    idle.sends(begun)

    idle.leaves()

    assert status_of(client.receives().removeprefix(b"HTTP/1.1 103 Early Hints\r\n\r\n")) == 502
    assert len(server.connections) == 1


def test_a_connection_whose_end_is_already_known_is_not_taken(client: Peer, server: Server) -> None:
    idle = reuse(client, server)
    idle.protocol.eof_received()

    client.sends(GET)

    assert masked(server.connection.receives()) == GET_SENT
    assert len(server.connections) == 2


# Deadlines.


def test_a_backend_must_answer_in_time(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    world.pass_time(ANSWER_SECONDS - 1)
    server.connection.sends(b"HTTP/1.1 200 O")
    assert client.receives() == b""

    world.pass_time(1 + LATE)

    answer = client.receives()
    assert status_of(answer) == 504
    assert error_of(answer) | {"request_id": "", "timestamp": ""} == {
        "error": "Request timeout after 30s",
        "reason": "response_head_timeout",
        "request_id": "",
        "timestamp": "",
        "type": "timeout",
    }
    assert server.connection.transport.is_aborted
    assert client.is_open


def test_the_clock_of_the_response_starts_when_the_request_is_sent(world: World, client: Peer, server: Server) -> None:
    client.sends(PUT[:-4])
    world.pass_time(ANSWER_SECONDS * 0.9)
    client.sends(b"bo")
    world.pass_time(ANSWER_SECONDS * 0.9)
    client.sends(b"dy")
    world.pass_time(ANSWER_SECONDS - 1)
    assert client.receives() == b""

    world.pass_time(1 + LATE)
    assert status_of(client.receives()) == 504


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_response_must_go_on(world: World, client: Peer, server: Server, framing: str) -> None:
    client.sends(GET)
    server.connection.sends(RESPONSES[framing][:-10])
    world.pass_time(SILENCE_SECONDS - 1)
    server.connection.sends(RESPONSES[framing][-10:-9])
    world.pass_time(SILENCE_SECONDS - 1)
    assert client.is_open

    world.pass_time(1 + LATE)

    assert client.transport.is_aborted
    assert server.connection.transport.is_aborted


def test_a_backend_is_not_blamed_for_a_slow_client(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    client.stops_reading()
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + LARGE)
    for _ in range(3):
        world.pass_time(SILENCE_SECONDS - 2)
        client.reads(10_000)
    client.reads_on()
    assert client.is_open

    world.pass_time(SILENCE_SECONDS + LATE)
    assert client.transport.is_aborted


def test_a_connection_is_free_for_others_while_its_last_client_reads_slowly(world: World, server: Server) -> None:
    slow, other = world.client(), world.client()
    slow.stops_reading()
    slow.sends(GET)
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + LARGE)

    other.sends(GET)
    server.connection.sends(OK)
    assert masked(other.receives()) == OK_SENT
    assert len(server.connections) == 1

    slow.reads_on()
    assert body_of(slow.receives()) == LARGE


@pytest.mark.parametrize("request_", [GET, POST], ids=["get", "post"])
def test_an_answer_that_was_there_before_the_request_answers_nobody(
    client: Peer, server: Server, request_: bytes
) -> None:
    """It comes in the same turn of the loop in which the request is written, and before it."""
    poisoned = reuse(client, server)
    poisoned.stops_reading()
    client.sends(request_)

    poisoned.sends(OK.replace(b"ok", b"no"))

    assert client.receives() == b""
    assert poisoned.transport.is_aborted
    server.connection.sends(OK)
    assert masked(client.receives()) == OK_SENT
