"""Very many streams live through reloads, and end cleanly at the end.

`KAIROS_SOAK=1` asks for the full numbers, which take minutes.
"""

from collections.abc import Callable, Iterator
from signal import SIGTERM

import pytest

from benchmarks.load.gateway import ZoneReader
from benchmarks.load.machine import allow_open_files
from kairos.shm import layout
from tests.conftest import is_set
from tests.e2e.configs import config, route
from tests.e2e.gateway import Gateway
from tests.e2e.peers import resident, wait_until, workers_of
from tests.e2e.streams import Streams

IS_SOAK = is_set("KAIROS_SOAK")
EVENT_STREAMS = 200
RELOADS = 100 if IS_SOAK else 5
WORKERS = 2
IN_FORCE = r"reload: generation \d+ of the config is in force"
MIB = 2**20
MAX_GROWTH = 8 * MIB
EVENTS = "/events/{id}"


@pytest.fixture
def streams() -> Iterator[Streams]:
    allow_open_files(10_000, at_least=2_000)
    with Streams() as running:
        yield running


def settings(streams: Streams, *, extra: int, with_events: bool = True) -> dict[str, object]:
    """Make a config with a route that differs from generation to generation."""
    backends = [streams.backend]
    other = route(f"/other/{extra}/{{id}}", backends=backends)
    return config(route(EVENTS, backends=backends), other) if with_events else config(other)


def test_streams_live_through_reloads(start_gateway: Callable[..., Gateway], streams: Streams) -> None:
    gateway = start_gateway(settings(streams, extra=0), workers=WORKERS)
    zone = ZoneReader(gateway.process.pid, WORKERS)
    streams.open(gateway.port, EVENT_STREAMS)
    gateway.reload(settings(streams, extra=1), IN_FORCE)
    streams.send()
    assert streams.fates() == {"open": EVENT_STREAMS}
    before = [resident(worker) for worker in workers_of(gateway)]

    for turn in range(2, RELOADS):
        streams.send()  # on its way while the config changes
        gateway.reload(settings(streams, extra=turn), IN_FORCE)
        streams.send()
        assert streams.fates() == {"open": EVENT_STREAMS}
    gateway.reload(settings(streams, extra=RELOADS, with_events=False), IN_FORCE)
    assert gateway.request("GET", "/events/1").status == 404
    streams.send()

    assert streams.fates() == {"open": EVENT_STREAMS}
    wait_until(lambda: zone.each(layout.LIVE_GENERATIONS) == [1] * WORKERS, gateway)
    growth = [resident(worker) - was for worker, was in zip(workers_of(gateway), before, strict=True)]
    assert max(growth) < MAX_GROWTH, f"the workers grew by {growth} bytes"


def test_event_streams_end_between_events_at_the_end(
    start_gateway: Callable[..., Gateway], streams: Streams
) -> None:
    gateway = start_gateway(settings(streams, extra=0), workers=WORKERS)
    streams.open(gateway.port, EVENT_STREAMS)
    streams.send()
    assert streams.fates() == {"open": EVENT_STREAMS}
    streams.begin_message(EVENT_STREAMS // 2)  # half of them are in the middle of an event

    gateway.send(SIGTERM)
    gateway.log.wait_for("draining")
    streams.end_message()

    assert streams.last_fates() == {"ended": EVENT_STREAMS}
    gateway.stop()
