"""Rate limits: what one check costs.

A round checks 1,000 times, so the figures of a round, read in microseconds, are nanoseconds per check: below 1,000 is
more than a million checks a second on one core.
"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from kairos._speedups import mark
from kairos._speedups.buckets import FIXED, LOG, PANES, TOKENS, Buckets, Limit
from kairos.config.document import RateLimit, Route
from kairos.filters import Identity
from kairos.shm import layout
from kairos.shm.zone import Zone
from kairos.traffic.rate_filters import rate_filters

CHECKS = 1_000
KINDS = {"fixed": FIXED, "log": LOG, "panes": PANES, "tokens": TOKENS}
KEY = bytes(16)


@pytest.fixture
def zone() -> Zone:
    return Zone(1, columns=64, words=64, guarded_bytes=64 << 20)


@pytest.fixture
def buckets(zone: Zone) -> Buckets:
    return Buckets(zone.guarded, zone.row(0), layout.RATE_FORGOTTEN)


@pytest.mark.parametrize("clients", [1, 50_000])
@pytest.mark.parametrize("kind", KINDS)
def test_count(benchmark: BenchmarkFixture, buckets: Buckets, kind: str, clients: int) -> None:
    """From the name of a client to the verdict."""
    limits = (Limit(KINDS[kind], 1_000, 0, 1),)
    names = [b"192.168.%d.%d" % divmod(number, 256) for number in range(clients)]
    state = {"at": 0, "now": 10**15}

    def check() -> None:
        now, at = state["now"], state["at"]
        for number in range(at, at + CHECKS):
            now += 1_000
            buckets.take(limits, (mark(KEY, names[number % clients]),), now)
        state["now"], state["at"] = now, at + CHECKS

    benchmark(check)


def test_flood(benchmark: BenchmarkFixture, buckets: Buckets) -> None:
    """Every check is for a client that was never seen, and the memory is full."""
    limits = (Limit(TOKENS, 1_000, 0, 60),)
    for number in range(1_000_000):
        buckets.take(limits, (mark(KEY, b"%d" % number),), 10**15)
    state = {"at": 1_000_000}

    def check() -> None:
        at = state["at"]
        for number in range(at, at + CHECKS):
            buckets.take(limits, (mark(KEY, b"%d" % number),), 10**15)
        state["at"] = at + CHECKS

    benchmark(check)


class Request:
    """What a limiter sees of an exchange."""

    __slots__ = ("client", "identity", "lines", "now")

    def __init__(self) -> None:
        self.client = "192.168.100.100"
        self.identity = Identity("ann", "jwt")
        self.lines = b""
        self.now = 1_000_000.0


LIMITS = {
    "address": (RateLimit("PerIP", 1_000, 1, window="TokenBucket"),),
    "user": (RateLimit("PerUser", 1_000, 1, window="TokenBucket"),),
    "route": (RateLimit("PerRoute", 1_000, 1, window="TokenBucket"),),
    "gateway_and_route": (
        RateLimit("PerIP", 1_000, 1, window="TokenBucket", is_global=True),
        RateLimit("PerIP", 1_000, 1, window="FixedWindow"),
    ),
    "dry_run": (RateLimit("PerIP", 1_000, 1, window="TokenBucket", dry_run=True),),
}


@pytest.mark.parametrize("what", LIMITS)
def test_filter(benchmark: BenchmarkFixture, zone: Zone, buckets: Buckets, what: str) -> None:
    """What a request pays, with the fields that its answer gets."""
    route = Route("/api", "/", ("GET",), (), rate_limits=LIMITS[what])
    before, after = rate_filters(route, buckets, KEY, zone.row(0))
    (limiter,) = (*before, *after)
    request = Request()

    def check() -> None:
        for _ in range(CHECKS):
            request.now += 0.01
            request.lines = b""
            limiter.take(request)

    benchmark(check)


def test_refuse(benchmark: BenchmarkFixture, zone: Zone, buckets: Buckets) -> None:
    """What a client costs that has used up its limit."""
    limits = (RateLimit("PerIP", 1, 3600),)
    ((limiter,), _) = rate_filters(Route("/api", "/", ("GET",), (), rate_limits=limits), buckets, KEY, zone.row(0))
    request = Request()
    limiter.take(request)

    def check() -> None:
        for _ in range(CHECKS):
            limiter.take(request)

    benchmark(check)
