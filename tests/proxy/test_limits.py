"""Limits and timeouts of requests: what is refused, with which words, and what the operator hears of it."""

import logging
from typing import Any

import pytest

from kairos.config.document import Limits, Timeouts
from kairos.shm import layout
from tests.proxy.messages import CONNECT_SECONDS, GET, LARGEST_HEAD, LATE, OK, OK_SENT, POST, error_of
from tests.proxy.world import Peer, Server, World, body_of, masked, status_of

SMALL = Limits(body_bytes=100, head_bytes=400, fields=10, target_bytes=50, requests=2)


def refused(client: Peer, *pieces: bytes) -> tuple[int, str]:
    """Send a request; return the status and the reason of the refusal."""
    client.sends(*pieces)
    answer = client.receives()
    return status_of(answer), error_of(answer)["reason"]


def request(target: bytes = b"/a", *fields: bytes) -> bytes:
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"Host: a", *fields, b"", b""])


@pytest.fixture
def small(world: World, server: Server) -> Peer:
    """A client of a gateway with small limits."""
    route = world.route("/{rest...}", server, limits=SMALL)
    world.configure(route, limits=SMALL)
    return world.client()


@pytest.mark.parametrize(
    ("raw", "status", "reason"),
    [
        (request(b"/" + b"a" * 50), 414, "target_too_long"),
        (request(b"/a?" + b"a" * 50), 414, "target_too_long"),
        (b"GET /" + b"a" * 60, 414, "target_too_long"),
        (request(b"/a", b"X: " + b"x" * 400), 431, "request_head_too_large"),
        (request(b"/a", b"X: " + b"x" * 400)[:-2], 431, "request_head_too_large"),
        (request(b"/a", *[b"X: y"] * 10), 431, "request_head_too_large"),
        (POST.replace(b"Length: 4", b"Length: 101"), 413, "payload_too_large"),
    ],
    ids=["path", "query", "unfinished line", "head", "unfinished head", "fields", "body"],
)
def test_what_is_over_a_limit_is_refused(small: Peer, raw: bytes, status: int, reason: str) -> None:
    assert refused(small, raw) == (status, reason)


@pytest.mark.parametrize(
    "raw",
    [request(b"/" + b"a" * 49), request(b"/a", b"X: " + b"x" * 300), request(b"/a", *[b"X: y"] * 9)],
    ids=["target", "head", "fields"],
)
def test_what_is_just_within_the_limits_passes(small: Peer, server: Server, raw: bytes) -> None:
    small.sends(raw)
    server.connection.sends(OK)

    assert masked(small.receives()) == OK_SENT


def test_a_route_may_have_smaller_limits_than_the_gateway(world: World, server: Server) -> None:
    strict = world.route("/strict/{rest...}", server, limits=SMALL)
    world.configure(strict, world.route("/{rest...}", server))

    assert refused(world.client(), request(b"/strict/" + b"a" * 50)) == (414, "target_too_long")
    assert refused(world.client(), request(b"/strict/a", *[b"X: y"] * 10)) == (431, "request_head_too_large")
    long_body = POST.replace(b"/a", b"/strict/a").replace(b"Length: 4", b"Length: 101")
    assert refused(world.client(), long_body) == (413, "payload_too_large")

    client = world.client()
    client.sends(request(b"/" + b"a" * 50))
    server.connection.sends(OK)
    assert masked(client.receives()) == OK_SENT


def test_a_route_keeps_its_limits_when_those_of_the_gateway_grow(world: World, server: Server) -> None:
    """The route's line in the document stays the same, and yet it has to be looked at anew."""
    route = world.route("/{rest...}", server, limits=SMALL)
    world.configure(route, limits=SMALL)
    world.configure(route)

    assert refused(world.client(), request(b"/" + b"a" * 50)) == (414, "target_too_long")


def test_a_worker_takes_a_bounded_number_of_requests(world: World, small: Peer, server: Server) -> None:
    clients = [world.client(), world.client()]
    for client in clients:
        client.sends(GET)

    small.sends(GET)
    answer = small.receives()
    assert status_of(answer) == 503
    assert b"\r\nRetry-After: 1\r\n" in answer
    assert error_of(answer)["reason"] == "too_many_requests_in_flight"
    assert small.is_open

    for connection in server.connections:
        connection.sends(OK)
    small.sends(GET)
    server.connection.sends(OK)
    assert masked(small.receives()).endswith(OK_SENT)
    assert world.plane.in_flight == 0
    assert all(masked(client.receives()) == OK_SENT for client in clients)


def test_a_worker_has_a_bounded_number_of_connections(world: World, server: Server) -> None:
    world.configure(world.route("/{rest...}", server), limits=Limits(connections=2))
    clients = [world.client() for _ in range(2)]
    late = world.client()

    answer = late.receives()
    assert status_of(answer) == 503
    assert error_of(answer)["reason"] == "too_many_connections"
    assert b"\r\nRetry-After: 1\r\n" in answer
    assert b"\r\nConnection: close\r\n" in answer
    late.sends(GET)
    late.leaves()

    clients[0].leaves()
    other = world.client()
    other.sends(GET)
    server.connection.sends(OK)
    assert masked(other.receives()) == OK_SENT


def test_the_operator_hears_of_the_limit_and_what_was_measured(
    world: World, small: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "kairos.limits"):
        refused(small, request(b"/" + b"a" * 50))
        refused(world.client(), request(b"/" + b"a" * 50))
        world.pass_time(2)
        refused(world.client(), request(b"/a", *[b"X: y"] * 10))

    first, second = (record.getMessage() for record in caplog.records)
    assert first == "192.0.2.1: 414 target_too_long, limits.max_target_bytes is 50, measured 51"
    assert second.startswith("192.0.2.1: 431 request_head_too_large, limits.max_headers is 10, measured 11 (1 more")


def told(caplog: pytest.LogCaptureFixture) -> str:
    (record,) = caplog.records
    return record.getMessage().partition(": ")[2]


def test_the_operator_hears_of_limits_that_a_backend_meets(
    world: World, client: Peer, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kairos.limits")
    server.is_silent = True
    client.sends(GET)
    world.pass_time(CONNECT_SECONDS + LATE)

    assert status_of(client.receives()) == 504
    assert told(caplog) == "504 connect_timeout, timeouts.connect_seconds is 3, measured no connection"

    caplog.clear()
    world.pass_time(2)
    server.is_silent = False
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 200 OK\r\nX: " + b"x" * LARGEST_HEAD)

    assert status_of(client.receives()) == 502
    assert told(caplog).startswith(
        f"502 response_head_too_large, limits.max_response_header_bytes is {LARGEST_HEAD}, measured "
    )


def test_the_operator_hears_of_a_client_that_does_not_read(
    world: World, client: Peer, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kairos.limits")
    client.sends(GET)
    client.transport.stall()
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x" * 500_000)
    world.pass_time(125)

    assert client.transport.is_aborted
    setting = "timeouts.body_stall_seconds, min_body_rate is 60 s, 128 bytes/s"
    assert told(caplog).startswith(f"408 client_stalled, {setting}, measured ")


# Timeouts.


def configured(world: World, server: Server, **timeouts: Any) -> Peer:
    """Return a client of a gateway with these timeouts."""
    values = Timeouts(**timeouts)
    world.configure(world.route("/{rest...}", server, timeouts=values), timeouts=values)
    return world.client()


def test_timeouts_come_from_the_config(world: World, server: Server) -> None:
    client = configured(world, server, request_head=3, client_idle=5)
    client.sends(GET[:5])
    world.pass_time(3 + LATE)
    assert status_of(client.receives()) == 408

    idle = world.client()
    world.pass_time(4)
    assert idle.is_open
    world.pass_time(1 + LATE)
    assert not idle.is_open


def test_the_answer_must_begin_in_time(world: World, server: Server) -> None:
    client = configured(world, server, response_head=7)
    client.sends(GET)
    world.pass_time(6)
    assert client.receives() == b""

    world.pass_time(1 + LATE)

    answer = client.receives()
    assert status_of(answer) == 504
    assert error_of(answer)["error"] == "Request timeout after 7s"


def test_all_attempts_together_must_be_in_time(world: World, server: Server) -> None:
    client = configured(world, server, response_head=0, exchange=9)
    client.sends(GET)

    world.pass_time(9 + LATE)

    assert error_of(client.receives())["error"] == "Request timeout after 9s"


def test_a_timeout_of_zero_never_ends(world: World, server: Server) -> None:
    client = configured(world, server, response_head=0, exchange=0, client_idle=0, response_stall=0)
    world.pass_time(1000)
    client.sends(GET)
    world.pass_time(1000)
    server.connection.sends(OK[:-1])
    world.pass_time(1000)
    server.connection.sends(OK[-1:])

    assert masked(client.receives()) == OK_SENT


def test_an_event_stream_may_be_silent(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in client.receives()

    world.pass_time(10_000)
    server.connection.sends(b"data: x\n\n")

    assert client.receives() == b"9\r\ndata: x\n\n\r\n"


def test_a_body_that_trickles_is_refused(world: World, client: Peer, server: Server) -> None:
    client.sends(POST.replace(b"Length: 4", b"Length: 1000000"))
    for _ in range(59):
        world.pass_time(1)
        client.sends(b"x" * 100)
    assert client.receives() == b""

    world.pass_time(1 + LATE)

    assert error_of(client.receives())["reason"] == "request_body_timeout"
    assert world.count(layout.IN_FLIGHT) == 0


def test_the_gateway_answers_what_is_asked_about_itself(client: Peer) -> None:
    client.sends(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")

    answer = client.receives()
    assert status_of(answer) == 200
    assert b"\r\nAllow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE\r\n" in answer
    assert body_of(answer) == b""
    assert client.is_open
