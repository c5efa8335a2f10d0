"""Balancing: what one choice costs.

A round chooses 1,000 times, so the figures of a round, read in microseconds, are nanoseconds per choice.
"""

import random
from functools import partial
from typing import get_args

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from kairos._speedups.selection import Loads, spread
from kairos.balancing.balancer import Balancer, Means, balancer
from kairos.balancing.latency import Latency
from kairos.balancing.sticky import Sticky, StickyCookie
from kairos.config.document import HashOn
from kairos.config.model.balancing import Strategy
from kairos.protocols.http1.head import RequestHead
from kairos.shm.zone import Zone

CHOICES = 1_000
NOW = 1000.0
CLIENT = "192.168.100.100"


HEAD = RequestHead(
    b"GET /api/users/42?full=1 HTTP/1.1\r\nHost: gateway.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
    b"Accept: */*\r\nAccept-Encoding: gzip, br\r\nX-User: ann\r\nCookie: theme=dark; sid=31d4d96e407aad42\r\n\r\n"
)


def choose(balancer: Balancer[str], head: RequestHead) -> None:
    for _ in range(CHOICES):
        balancer.choices(CLIENT, head)


def means_of(backends: int, hash_on: HashOn | None = None) -> tuple[list[str], Means]:
    """Return so many backends of which all is known that a balancer may ask, in a zone of four workers."""
    zone = Zone(4)
    names = [f"http://10.0.0.{number}:80" for number in range(backends)]
    latencies = [Latency(zone.cells, zone.word(name.encode())) for name in names]
    for number, latency in enumerate(latencies):
        latency.answered(0.01 + number / 1000, NOW)
    means = Means(
        weights=[1 + number % 3 for number in range(backends)],
        addresses=names,
        loads=Loads(zone.rows, [zone.gauge(name) for name in names]),
        next_position=partial(zone.cells.fetch_add, zone.word(b"turns"), 1),
        draw=random.randrange,
        now=lambda: NOW + 1,
        latencies=latencies,
        hash_on=hash_on,
    )
    return names, means


@pytest.mark.parametrize("backends", [3, 8, 100])
@pytest.mark.parametrize("strategy", get_args(Strategy))
def test_choose(benchmark: BenchmarkFixture, strategy: str, backends: int) -> None:
    names, means = means_of(backends)

    benchmark(choose, balancer(strategy, names, means), HEAD)


@pytest.mark.parametrize("hash_on", [HashOn("path"), HashOn("header", "X-User"), HashOn("cookie", "sid")], ids=str)
def test_choose_by_a_hash(benchmark: BenchmarkFixture, hash_on: HashOn) -> None:
    names, means = means_of(3, hash_on)

    benchmark(choose, balancer("consistent_hash", names, means), HEAD)


def test_choose_by_a_cookie(benchmark: BenchmarkFixture) -> None:
    names, means = means_of(3)
    cookie = StickyCookie("sid", b"k" * 32)
    head = RequestHead(HEAD.raw.replace(b"31d4d96e407aad42", cookie.token(names[1])))
    inner = balancer("round_robin", names, means)

    benchmark(choose, Sticky(cookie, names, names, inner, inner), head)


def test_measure_an_answer(benchmark: BenchmarkFixture) -> None:
    latency = means_of(3)[1].latencies[0]

    def measure() -> None:
        for number in range(CHOICES):
            latency.answered(0.02, NOW + number)

    benchmark(measure)


def test_spread_1024_turns_over_10_backends(benchmark: BenchmarkFixture) -> None:
    cycle = benchmark(spread, [997, 3, 3, 3, 3, 3, 3, 3, 3, 3])

    assert len(cycle) == 1024
