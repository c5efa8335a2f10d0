"""Balancing: what one choice costs.

A round chooses 1,000 times, so the figures of a round, read in microseconds, are nanoseconds per choice.
"""

import random
from functools import partial

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from kairos._speedups.selection import Loads, spread
from kairos.balancing.balancer import Balancer, balancer
from kairos.shm.zone import Zone

CHOICES = 1_000
CLIENT = "192.168.100.100"


def choose(balancer: Balancer[str]) -> None:
    for _ in range(CHOICES):
        balancer.choices(CLIENT)


@pytest.mark.parametrize("backends", [3, 100])
@pytest.mark.parametrize("strategy", ["round_robin", "weighted", "least_connections", "random", "ip_hash"])
def test_choose(benchmark: BenchmarkFixture, strategy: str, backends: int) -> None:
    zone = Zone(4)
    names = [f"http://10.0.0.{number}:80" for number in range(backends)]
    chosen = balancer(
        strategy,
        names,
        [1 + number % 3 for number in range(backends)],
        next_position=partial(zone.cells.fetch_add, zone.word(b"turns"), 1),
        draw=random.randrange,
        loads=Loads(zone.rows, [zone.gauge(name) for name in names]),
    )

    benchmark(choose, chosen)


def test_spread_1024_turns_over_10_backends(benchmark: BenchmarkFixture) -> None:
    cycle = benchmark(spread, [997, 3, 3, 3, 3, 3, 3, 3, 3, 3])

    assert len(cycle) == 1024
