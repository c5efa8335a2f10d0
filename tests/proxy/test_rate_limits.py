"""Rate limits in the data plane."""

import logging

import pytest

from kairos.config.document import RateLimit
from kairos.shm import layout
from tests.proxy.messages import GET, OK, error_of
from tests.proxy.world import Peer, Server, World, status_of

WHOLE = RateLimit("PerIP", 3, 60, window="FixedWindow", is_global=True)


@pytest.fixture
def server(world: World) -> Server:
    server = world.server()
    world.configure(
        world.route("/a", server, rate_limits=(WHOLE, RateLimit("PerRoute", 2, 60, window="FixedWindow", group=1))),
        world.route("/b", server, rate_limits=(WHOLE,)),
    )
    return server


def answered(client: Peer, server: Server, path: bytes) -> bytes:
    """Let a client ask, and the backend answer if the question comes through."""
    client.sends(GET.replace(b"/a", path))
    if server.connections and server.connection.receives():
        server.connection.sends(OK)
    return client.receives()


def test_requests_over_the_limit_do_not_reach_a_backend(world: World, server: Server, client: Peer) -> None:
    answers = [answered(client, server, path) for path in (b"/a", b"/a", b"/a", b"/b", b"/b")]

    assert [status_of(answer) for answer in answers] == [200, 200, 429, 200, 429]
    assert client.is_open
    assert world.count(layout.RATE_LIMITED) == 2


def test_both_kinds_of_answers_tell_the_numbers(server: Server, client: Peer) -> None:
    allowed = answered(client, server, b"/b")
    assert b'\r\nRateLimit-Policy: "PerIP";q=3;w=60\r\nRateLimit: "PerIP";r=2;t=60\r\n' in allowed
    assert b"\r\nX-RateLimit-Remaining: 2\r\n" in allowed
    assert b"Retry-After" not in allowed

    answered(client, server, b"/b")
    answered(client, server, b"/b")
    refused = answered(client, server, b"/b")

    assert b"\r\nRetry-After: 60\r\n" in refused
    assert b"\r\nX-RateLimit-Remaining: 0\r\n" in refused
    assert refused.count(b"X-RateLimit-Limit") == 1
    error = error_of(refused)
    assert error["error"] == "Rate limit exceeded"
    assert error["message"] == "Too many requests. Please try again later."
    assert (error["type"], error["reason"]) == ("rate_limit_error", "rate_limited")


def test_time_lets_requests_through_again(world: World, server: Server, client: Peer) -> None:
    while status_of(answered(client, server, b"/b")) == 200:
        pass

    world.pass_time(59.75)
    assert status_of(answered(client, server, b"/b")) == 429
    world.pass_time(0.25)
    assert status_of(answered(client, server, b"/b")) == 200


def test_a_reload_forgets_nothing(world: World, server: Server, client: Peer) -> None:
    for _ in range(3):
        answered(client, server, b"/b")

    world.configure(world.route("/b", server, rate_limits=(WHOLE,)), world.route("/c", server, rate_limits=(WHOLE,)))

    assert status_of(answered(client, server, b"/b")) == 429
    assert status_of(answered(client, server, b"/c")) == 429


def test_refusals_are_logged(server: Server, client: Peer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "kairos.limits"):
        for _ in range(5):
            answered(client, server, b"/b")

    (record,) = caplog.records  # at most one in a second
    assert record.getMessage() == "192.0.2.1: 429 rate_limited, rate_limit is 3, measured 4"


def test_the_endpoints_of_the_gateway_have_no_limit(server: Server, client: Peer) -> None:
    assert {status_of(answered(client, server, b"/health")) for _ in range(10)} == {200}
