"""Ratios are taken round by round, and the slope is that of the nearest line."""

import pytest

from benchmarks.load.figures import Spread, ratios, slope, spread


def test_a_spread_has_median_and_ends() -> None:
    assert spread([3.0, 1.0, 2.0, 10.0]) == Spread(2.5, 1.0, 10.0)


def test_a_spread_shows_in_short() -> None:
    assert str(Spread(1.255, 1.0, 2.0)) in ("1.25 (1.00-2.00)", "1.26 (1.00-2.00)")


def test_a_round_in_which_the_machine_was_slow_cancels() -> None:
    ours, theirs = [30.0, 90.0, 30.0], [20.0, 60.0, 20.0]

    assert ratios(ours, theirs) == Spread(1.5, 1.5, 1.5)


def test_ratios_need_the_same_rounds() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_the_slope_of_a_line() -> None:
    assert slope([(0, 5.0), (10, 25.0), (20, 45.0)]) == pytest.approx(2.0)


def test_the_slope_through_scattered_points() -> None:
    assert slope([(0, 0.0), (1, 2.0), (2, 1.0), (3, 3.0)]) == pytest.approx(0.8)


def test_what_does_not_grow_has_no_slope() -> None:
    assert slope([(1, 7.0), (2, 7.0), (9, 7.0)]) == 0
