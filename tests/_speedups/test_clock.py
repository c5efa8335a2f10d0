"""The cheap clock: both twins tell the time of CLOCK_MONOTONIC, though not to the millisecond."""

from collections.abc import Callable
from time import monotonic

import pytest

from kairos import _speedups
from kairos._speedups import _clock_py

TWINS: list[Callable[[], float]] = [_clock_py.coarse_time]
if _speedups.COMPILED:
    from kairos._speedups import clock

    TWINS.append(clock.coarse_time)


@pytest.mark.parametrize("coarse_time", TWINS)
def test_it_tells_the_time_of_a_moment_ago(coarse_time: Callable[[], float]) -> None:
    before = monotonic()
    now = coarse_time()

    assert before - 0.1 < now <= monotonic()  # a kernel ticks at least 100 times a second


@pytest.mark.parametrize("coarse_time", TWINS)
def test_it_does_not_run_backwards(coarse_time: Callable[[], float]) -> None:
    times = [coarse_time() for _ in range(1000)]

    assert times == sorted(times)
