"""A connection from a client: how long it may take, and who waits for whom."""

import pytest

from kairos.proxy.downstream import LARGEST_BACKLOG
from tests.proxy.messages import (
    GET,
    GET_SENT,
    HEAD_SECONDS,
    LARGE,
    LARGE_OK,
    LATE,
    OK,
    OK_SENT,
    STALL_SECONDS,
    error_of,
)
from tests.proxy.world import Peer, Server, World, body_of, masked, status_of

# Deadlines.


def test_a_head_must_arrive_in_time_however_it_trickles(world: World, client: Peer) -> None:
    for byte in GET[: round(HEAD_SECONDS) - 1]:
        client.sends(bytes((byte,)))
        world.pass_time(1)
    assert client.receives() == b""

    world.pass_time(1 + LATE)

    answer = client.receives()
    assert status_of(answer) == 408
    assert error_of(answer)["reason"] == "request_head_timeout"
    assert world.responses() == [0, 0, 0, 1, 0]


def test_the_next_head_has_its_own_time(world: World, client: Peer, server: Server) -> None:
    client.sends(GET[:9])
    world.pass_time(HEAD_SECONDS - 1)
    client.sends(GET[9:])
    server.connection.sends(OK)
    client.receives()

    client.sends(GET[:9])
    world.pass_time(HEAD_SECONDS - 1)
    assert client.receives() == b""


def test_a_body_must_begin(world: World, client: Peer, server: Server) -> None:
    client.sends(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")

    world.pass_time(STALL_SECONDS + LATE)

    assert status_of(client.receives()) == 408


@pytest.mark.parametrize("body", [b"", b"begin"])
def test_a_body_must_go_on(world: World, client: Peer, server: Server, body: bytes) -> None:
    client.sends(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n" + body)
    world.pass_time(STALL_SECONDS - 1)
    client.sends(b"more" * 2500)
    world.pass_time(STALL_SECONDS - 1)
    assert client.receives() == b""

    world.pass_time(1 + LATE)

    answer = client.receives()
    assert status_of(answer) == 408
    assert error_of(answer)["reason"] == "request_body_timeout"
    assert server.connection.transport.is_aborted


def test_a_slow_upload_over_a_connection_that_was_idle_goes_on(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(OK)
    client.receives()

    client.sends(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 36000\r\n\r\n")
    for _ in range(4):
        world.pass_time(STALL_SECONDS / 2)
        client.sends(b"x" * 9000)
    server.connection.sends(OK)

    assert len(server.connections) == 1
    assert masked(client.receives()) == OK_SENT


def test_a_client_is_not_blamed_while_the_gateway_holds_it_back(world: World, client: Peer, server: Server) -> None:
    client.sends(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n")
    server.connection.stops_reading()
    client.sends(b"x" * 100_000)
    assert not client.transport.is_reading()

    world.pass_time(STALL_SECONDS + LATE)
    assert client.is_open

    server.connection.reads_on()
    assert client.transport.is_reading()
    world.pass_time(STALL_SECONDS + LATE)
    assert status_of(client.receives()) == 408


def test_a_client_that_does_not_read_is_given_up(world: World, client: Peer, server: Server) -> None:
    client.stops_reading()
    client.sends(GET)
    server.connection.sends(LARGE_OK)

    world.pass_time(STALL_SECONDS - 1)
    assert client.is_open
    world.pass_time(1 + LATE)

    assert client.transport.is_aborted
    assert server.connection.transport.is_aborted
    assert world.responses() == [0, 1, 0, 0, 0]


def test_a_client_that_reads_slowly_is_not_given_up(world: World, client: Peer, server: Server) -> None:
    client.stops_reading()
    client.sends(GET)
    server.connection.sends(LARGE_OK)

    for _ in range(5):
        world.pass_time(STALL_SECONDS - 2)
        client.reads(10_000)
    assert client.is_open


def test_a_client_that_sends_but_does_not_read_is_given_up(world: World, client: Peer, server: Server) -> None:
    client.stops_reading()
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + LARGE)
    client.sends(GET * (2 * LARGEST_BACKLOG // len(GET)))
    assert not client.transport.is_reading()
    assert len(server.connections) == 1

    world.pass_time(STALL_SECONDS + LATE)

    assert client.transport.is_aborted


def test_a_client_that_is_full_begins_no_other_exchange_until_it_reads(
    world: World, client: Peer, server: Server
) -> None:
    client.stops_reading()
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + LARGE)
    server.connection.receives()
    client.sends(GET)
    assert server.connection.receives() == b""

    client.reads_on()

    assert masked(server.connection.receives()) == GET_SENT
    server.connection.sends(OK)
    assert masked(client.receives()).endswith(OK_SENT)


def test_a_closing_connection_does_not_wait_for_ever_for_its_client(world: World, client: Peer, server: Server) -> None:
    client.stops_reading()
    client.sends(b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + LARGE)
    assert not client.is_open
    client.reads(190_000)

    world.pass_time(STALL_SECONDS - 2)
    client.reads(1_000)
    world.pass_time(STALL_SECONDS - 2)
    assert not client.transport.is_aborted

    world.pass_time(STALL_SECONDS + 2 + LATE)
    assert client.transport.is_aborted


# Back-pressure.


def test_a_client_that_reads_slowly_holds_the_backend_back(client: Peer, server: Server) -> None:
    client.stops_reading()
    client.sends(GET)
    server.connection.sends(LARGE_OK)
    assert not server.connection.transport.is_reading()

    client.reads_on()
    assert server.connection.transport.is_reading()

    server.connection.sends(LARGE)
    assert len(body_of(client.receives())) == 400_000


def test_a_backend_that_reads_slowly_holds_the_client_back(client: Peer, server: Server) -> None:
    client.sends(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n")
    server.connection.stops_reading()
    client.sends(LARGE)
    assert not client.transport.is_reading()

    server.connection.reads_on()
    assert client.transport.is_reading()

    client.sends(LARGE)
    assert len(body_of(server.connection.receives())) == 400_000


def test_a_client_waits_with_its_body_until_there_is_a_connection(world: World, client: Peer, server: Server) -> None:
    server.is_silent = True
    client.sends(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n", LARGE[:60_000])
    assert client.transport.is_reading()
    client.sends(LARGE[:10_000])
    assert not client.transport.is_reading()

    server.wakes_up()
    world.settle()

    assert client.transport.is_reading()
    assert body_of(server.connection.receives()) == LARGE[:70_000]


def test_a_client_waits_on_if_the_connection_takes_nothing(world: World, client: Peer, server: Server) -> None:
    server.is_silent = server.reads_nothing = True
    client.sends(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n", LARGE[:70_000])

    server.wakes_up()
    world.settle()
    assert not client.transport.is_reading()

    server.connection.reads_on()
    assert client.transport.is_reading()
