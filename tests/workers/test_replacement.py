"""Replacement: at once, unless the worker keeps dying."""

import pytest

from kairos.workers.replacement import MAX_DELAY_SECONDS, Backoff


def delays(deaths: list[tuple[float, float]]) -> list[float]:
    backoff = Backoff()
    return [backoff.died(now, lived) for now, lived in deaths]


def crash_loop(count: int) -> list[float]:
    """Let a worker die one second after each start."""
    backoff, now, waits = Backoff(), 100.0, []
    for _ in range(count):
        now += 1
        waits.append(backoff.died(now, lived_seconds=1))
        now += waits[-1]
    return waits


def test_the_first_two_deaths_cost_no_time() -> None:
    assert delays([(100, 50), (101, 1)]) == [0, 0]


def test_from_the_third_death_in_ten_seconds_the_slot_stays_empty_twice_as_long_each_time() -> None:
    assert crash_loop(9) == [0, 0, 1, 2, 4, 8, 16, MAX_DELAY_SECONDS, MAX_DELAY_SECONDS]


@pytest.mark.parametrize(("third", "delay"), [(109.9, 1), (110.0, 0)])
def test_deaths_further_apart_are_chance(third: float, delay: float) -> None:
    assert delays([(100, 50), (105, 5), (third, 5)]) == [0, 0, delay]


def test_a_worker_that_has_lived_long_again_is_replaced_at_once() -> None:
    assert delays([(100, 50), (101, 1), (102, 1), (120, 17)]) == [0, 0, 1, 0]
