"""Very many streams live through reloads, and end cleanly at the end. `make soak-streams` asks for more of it."""

from collections.abc import Callable, Iterator
from signal import SIGTERM
from time import monotonic

import pytest

from benchmarks.load.gateway import ZoneReader
from benchmarks.load.machine import allow_open_files
from kairos.shm import layout
from tests.conftest import is_set
from tests.e2e.configs import config, route
from tests.e2e.gateway import Gateway
from tests.e2e.peers import resident, wait_until, workers_of
from tests.e2e.streams import EventInlet, SilentInlet, Streams, WebSocketInlet

WEBSOCKETS, EVENT_STREAMS = 1000, 200
ALL_OPEN = {"open": WEBSOCKETS + EVENT_STREAMS}
IS_SOAK = is_set("KAIROS_SOAK")
RELOADS = 100 if IS_SOAK else 5
FAREWELLS = WEBSOCKETS if IS_SOAK else 100  # they are spread over time
DRAIN_SECONDS, KILL_SECONDS = 25, 1
GRACE_SECONDS = 3600
WORKERS = 2
IN_FORCE = r"reload: generation \d+ of the config is in force"
MIB = 2**20
MAX_GROWTH = 8 * MIB

pytestmark = [pytest.mark.timeout(900)] if IS_SOAK else []


@pytest.fixture
def streams() -> Iterator[Streams]:
    allow_open_files(10_000, at_least=4_000)
    with Streams() as running:
        yield running


def settings(streams: Streams, *, extra: int, with_streams: bool = True) -> dict[str, object]:
    """Make a config with a route that differs from generation to generation."""
    backends = [streams.backend]
    other = route(f"/other/{extra}/{{id}}", backends=backends)
    grace = {"close_after_removal_seconds": GRACE_SECONDS}
    either = route("/streams/{id}", backends=backends, upgrade=True, websocket=grace)
    return config(either, other) if with_streams else config(other)


def open_all(streams: Streams, gateway: Gateway) -> None:
    streams.open(EventInlet, gateway.port, EVENT_STREAMS)
    streams.open(WebSocketInlet, gateway.port, WEBSOCKETS)


def test_streams_live_through_reloads(start_gateway: Callable[..., Gateway], streams: Streams) -> None:
    gateway = start_gateway(settings(streams, extra=0), workers=WORKERS)
    zone = ZoneReader(gateway.process.pid, WORKERS)
    open_all(streams, gateway)
    gateway.reload(settings(streams, extra=1), IN_FORCE)
    streams.send()
    assert streams.fates() == ALL_OPEN
    before = [resident(worker) for worker in workers_of(gateway)]

    for turn in range(2, RELOADS):
        streams.send()  # on its way while the config changes
        gateway.reload(settings(streams, extra=turn), IN_FORCE)
        streams.send()
        assert streams.fates() == ALL_OPEN
    gateway.reload(settings(streams, extra=RELOADS, with_streams=False), IN_FORCE)
    assert gateway.request("GET", "/streams/1").status == 404
    streams.send()

    assert streams.fates() == ALL_OPEN
    wait_until(lambda: zone.each(layout.LIVE_GENERATIONS) == [1] * WORKERS, gateway)
    growth = [resident(worker) - was for worker, was in zip(workers_of(gateway), before, strict=True)]
    assert max(growth) < MAX_GROWTH, f"the workers grew by {growth} bytes"


def test_streams_end_cleanly_at_the_end(start_gateway: Callable[..., Gateway], streams: Streams) -> None:
    gateway = start_gateway(settings(streams, extra=0), workers=WORKERS)
    streams.open(EventInlet, gateway.port, EVENT_STREAMS)
    streams.send()
    assert streams.fates() == {"open": EVENT_STREAMS}
    streams.begin_message(EVENT_STREAMS // 2)  # half of them are in the middle of an event
    streams.open(WebSocketInlet, gateway.port, FAREWELLS)

    gateway.send(SIGTERM)
    streams.wait_for_ends(EVENT_STREAMS // 2 + FAREWELLS)
    streams.end_message()

    assert streams.last_fates() == {"ended": EVENT_STREAMS, "closed with 1001": FAREWELLS}
    gateway.stop()
    assert "broken off" not in str(gateway.log)


@pytest.mark.skipif(not IS_SOAK, reason="takes as long as a drain may; `make soak-streams` runs it")
def test_streams_that_do_not_end_are_broken_off_in_time(
    start_gateway: Callable[..., Gateway], streams: Streams
) -> None:
    gateway = start_gateway(settings(streams, extra=0), workers=WORKERS)
    streams.open(EventInlet, gateway.port, EVENT_STREAMS)
    streams.begin_message(EVENT_STREAMS)  # and never end it
    streams.open(SilentInlet, gateway.port, WEBSOCKETS)

    began = monotonic()
    gateway.stop()  # with a single signal: a second one would end them at once

    assert DRAIN_SECONDS - 0.5 < monotonic() - began < DRAIN_SECONDS + KILL_SECONDS
    assert streams.last_fates() == {"cut off": EVENT_STREAMS, "closed with 1001": WEBSOCKETS}
