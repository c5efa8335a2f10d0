"""Building snapshots of a large config: what each worker does at a start and at a reload, between requests."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from kairos.config.document import Backend, Document, Route, Settings
from kairos.proxy.plane import DataPlane
from kairos.proxy.snapshot import Snapshot, SnapshotBuilder
from kairos.shm.zone import Zone

ROUTES = 10_000


@pytest.fixture
def builder() -> Iterator[SnapshotBuilder]:
    loop = asyncio.new_event_loop()
    zone = Zone(1)
    yield SnapshotBuilder(DataPlane(loop, zone.row(0), time.monotonic()), zone)
    loop.close()


def document(changed: int = -1) -> bytes:
    """Make a document; the route number `changed` goes elsewhere than in the others."""
    routes = (
        Route(
            external_path=f"/api/service{number}" + ("/items/{id}" if number % 2 else ""),
            internal_path=("/changed" if number == changed else f"/service{number}") + ("/{id}" if number % 2 else ""),
            methods=("GET", "POST"),
            backends=(Backend("http", f"10.0.0.{number % 250}", 8080),),
        )
        for number in range(ROUTES)
    )
    return Document(Settings(), tuple(routes)).encode()


def build(builder: SnapshotBuilder, config: bytes, previous: Snapshot | None) -> Snapshot:
    """Take all steps at once."""
    steps = builder.steps(config, 1, previous)
    done: deque[Snapshot] = deque()

    def run() -> Iterator[None]:
        done.append((yield from steps))

    for _ in run():
        pass
    return done[0]


def test_build_10_000_routes(benchmark: BenchmarkFixture, builder: SnapshotBuilder) -> None:
    snapshot = benchmark.pedantic(build, (builder, document(), None), rounds=5, warmup_rounds=1)

    assert len(snapshot.entries) > ROUTES


def test_change_one_route_of_10_000(benchmark: BenchmarkFixture, builder: SnapshotBuilder) -> None:
    first = build(builder, document(), None)

    second = benchmark.pedantic(build, (builder, document(changed=7), first), rounds=10, warmup_rounds=1)

    kept = [line for line, entry in second.entries.items() if first.entries.get(line) is entry]
    assert len(kept) == len(first.entries) - 1
