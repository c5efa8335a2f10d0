"""Averages of answers: slow ones count at once, and time and silence wear them off."""

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos._speedups import Cells
from kairos.balancing.latency import DECAY_SECONDS, MOST_SECONDS, Latency
from tests.balancing.backends import LOCKS, NOW, unmeasured


@pytest.fixture
def latency() -> Latency:
    return unmeasured(2)[1]


def near(seconds: float) -> object:
    return pytest.approx(seconds, rel=0.02, abs=2e-7)


def test_nothing_is_known_at_first(latency: Latency) -> None:
    assert latency.seconds(NOW) == 0.0


def test_the_first_answer_is_the_average(latency: Latency) -> None:
    latency.answered(0.25, NOW)

    assert latency.seconds(NOW) == near(0.25)


def test_a_slower_answer_counts_at_once_and_a_faster_one_bit_by_bit(latency: Latency) -> None:
    latency.answered(0.010, NOW)
    latency.answered(0.500, NOW)
    assert latency.seconds(NOW) == near(0.500)

    latency.answered(0.010, NOW)
    assert latency.seconds(NOW) == near(0.500)
    latency.answered(0.010, NOW + 1)
    assert latency.seconds(NOW + 1) == near(0.010 + 0.490 * exp(-0.1))


def test_a_backend_that_became_fast_is_known_for_it_after_some_seconds(latency: Latency) -> None:
    latency.answered(1.0, NOW)
    for step in range(1, 161):
        latency.answered(0.001, NOW + step / 4)

    assert latency.seconds(NOW + 40) < 0.025


def test_small_differences_add_up(latency: Latency) -> None:
    latency.answered(0.000_150, NOW)
    for step in range(1, 401):
        latency.answered(0.000_100, NOW + step / 4)

    assert latency.seconds(NOW + 100) == near(0.000_100)


@pytest.mark.parametrize("seconds", [0.25, 1, 5, 10, 20])
def test_silence_wears_off_what_was(latency: Latency, seconds: float) -> None:
    latency.answered(1.0, NOW)

    assert latency.seconds(NOW + seconds) == pytest.approx(exp(-seconds / DECAY_SECONDS), rel=0.05)


def test_who_was_silent_for_long_is_still_known(latency: Latency) -> None:
    latency.answered(1.0, NOW)

    assert 0.0 < latency.seconds(NOW + 86_400) < 1e-6


def test_an_error_makes_a_backend_slower_however_fast_it_comes(latency: Latency) -> None:
    latency.answered(0.010, NOW)
    latency.failed(0.001, NOW)
    assert latency.seconds(NOW) == near(1.010)
    latency.failed(0.001, NOW)
    assert latency.seconds(NOW) == near(2.010)
    latency.failed(30.0, NOW)
    assert latency.seconds(NOW) == near(31.0)


def test_an_error_is_the_first_that_may_be_known(latency: Latency) -> None:
    latency.failed(0.0, NOW)

    assert latency.seconds(NOW) == near(1.0)


def test_there_is_a_longest_time(latency: Latency) -> None:
    for _ in range(100):
        latency.failed(MOST_SECONDS, NOW)

    assert latency.seconds(NOW) == near(MOST_SECONDS)


def test_workers_share_what_they_have_seen() -> None:
    cells = Cells(bytearray(16), LOCKS)
    one, other, another_backend = Latency(cells, 0), Latency(cells, 0), Latency(cells, 1)

    one.answered(0.3, NOW)

    assert other.seconds(NOW) == near(0.3)
    assert another_backend.seconds(NOW) == 0.0


def test_a_worker_whose_clock_is_behind_takes_nothing_off(latency: Latency) -> None:
    latency.answered(0.3, NOW)

    assert latency.seconds(NOW - 0.25) == near(0.3)


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e4), st.booleans()), min_size=1, max_size=20),
    st.floats(0, 3e8),
)
def test_an_average_is_never_out_of_bounds(events: list[tuple[float, float, bool]], now: float) -> None:
    (latency,) = unmeasured(1)
    for seconds, pause, is_error in events:
        now += pause
        (latency.failed if is_error else latency.answered)(seconds, now)

        assert 0.0 < latency.seconds(now) <= MOST_SECONDS + 1e-6
