"""The endpoints that a worker answers itself."""

import time
from datetime import datetime
from typing import cast

import orjson
import pytest

from kairos import __version__
from kairos.filters import Asked
from kairos.proxy.builtin import Health, Live, Ready, paths
from kairos.proxy.plane import DataPlane
from tests.proxy.messages import GET
from tests.proxy.world import World, body_of, status_of

ASKED = cast(Asked, None)  # nobody looks at what is asked


def test_health_tells_uptime_and_version(world: World) -> None:
    started = time.clock_gettime(time.CLOCK_MONOTONIC) - 100.5
    plane = DataPlane(world.loop, world.zone.row(0), started)

    reply = Health(plane).take(ASKED)

    fields = orjson.loads(reply.body)
    assert reply.status == 200
    assert sorted(fields) == ["status", "timestamp", "uptime", "uptime_seconds", "version"]
    assert (fields["status"], fields["version"]) == ("healthy", __version__)
    assert fields["uptime"] == fields["uptime_seconds"] >= 100
    assert datetime.fromisoformat(fields["timestamp"])


def test_ready_follows_the_state_of_the_gateway(world: World) -> None:
    ready = Ready(world.plane)
    world.plane.is_ready = True
    reply = ready.take(ASKED)
    assert (reply.status, orjson.loads(reply.body)["status"]) == (200, "ready")

    world.plane.is_ready = False
    reply = ready.take(ASKED)
    assert (reply.status, orjson.loads(reply.body)["status"]) == (503, "draining")


def test_live_says_that_the_worker_turns(world: World) -> None:
    reply = Live(world.plane).take(ASKED)

    assert (reply.status, orjson.loads(reply.body)["status"]) == (200, "alive")


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", ["/health", "/ready", "/live"]),
        ("/internal", ["/internal/health", "/internal/ready", "/internal/live"]),
        (None, []),
    ],
)
def test_where_the_endpoints_are(world: World, prefix: str | None, expected: list[str]) -> None:
    world.configure(builtin_prefix=prefix)
    client = world.client()
    asked = ["/health", "/ready", "/live", "/internal/health", "/internal/ready", "/internal/live"]

    assert paths(prefix) == expected
    for path in asked:
        client.sends(GET.replace(b"/a", path.encode()))
        assert (status_of(client.receives()) != 404) == (path in expected)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST"])
def test_the_endpoints_answer_get_and_head(world: World, method: bytes) -> None:
    client = world.client()

    client.sends(method + b" /live HTTP/1.1\r\nHost: a\r\n\r\n")

    answer = client.receives()
    assert status_of(answer) == (405 if method == b"POST" else 200)
    assert bool(body_of(answer)) == (method != b"HEAD")


def test_a_route_of_the_same_path_wins_and_a_wider_one_does_not(world: World) -> None:
    server = world.server()
    world.configure(world.route("/health", server), world.route("/{rest...}", server))
    client = world.client()

    client.sends(GET.replace(b"/a", b"/live"))
    assert status_of(client.receives()) == 200
    assert server.connections == []

    client.sends(GET.replace(b"/a", b"/health"))
    assert server.connection.receives().startswith(b"GET /health ")
