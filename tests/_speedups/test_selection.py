"""Cycles of turns are exact and smooth, and loads add up."""

from collections import Counter
from fractions import Fraction
from math import gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos._speedups import Cells
from kairos._speedups.selection import LONGEST_CYCLE, READY_ORDERS, Loads, Orders, by_cost, smooth_cycle

small = st.lists(st.integers(1, 20), min_size=1, max_size=10).map(tuple)
large = st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=60).map(tuple)


def test_the_cycle_is_that_of_nginx() -> None:
    assert "".join("abc"[index] for index in smooth_cycle((5, 1, 1))) == "aabacaa"


@given(small)
def test_small_weights_are_exact_and_as_short_as_may_be(weights: tuple[int, ...]) -> None:
    turns = Counter(smooth_cycle(weights))

    assert [turns[index] * gcd(*weights) for index in range(len(weights))] == list(weights)


@given(small)
def test_nobody_is_ever_a_whole_round_of_the_others_ahead_or_behind(weights: tuple[int, ...]) -> None:
    cycle = smooth_cycle(weights)
    taken = [0] * len(weights)
    for position, index in enumerate(cycle, 1):
        taken[index] += 1
        for other, weight in enumerate(weights):
            due = Fraction(position * weight, sum(weights))
            assert abs(taken[other] - due) < max(1, len(weights) - 1)


@given(small)
def test_turns_of_the_heaviest_do_not_come_in_blocks(weights: tuple[int, ...]) -> None:
    heaviest = max(weights)
    others = sum(weights) - heaviest
    if not others:
        return
    index = weights.index(heaviest)
    longest = max(map(len, "".join("x" if turn == index else " " for turn in smooth_cycle(weights) * 2).split()))

    assert longest <= 2 * -(-heaviest // others)


@given(large)
def test_large_weights_are_off_by_half_a_turn_at_most_and_nobody_goes_without(weights: tuple[int, ...]) -> None:
    cycle = smooth_cycle(weights)
    turns, divisor = Counter(cycle), gcd(*weights)
    if sum(weights) // divisor <= LONGEST_CYCLE:
        assert len(cycle) == sum(weights) // divisor
        return
    assert len(cycle) <= LONGEST_CYCLE + len(weights)
    for index, weight in enumerate(weights):
        due = Fraction(weight * LONGEST_CYCLE, sum(weights))
        assert turns[index] == 1 if due < Fraction(1, 2) else abs(turns[index] - due) <= Fraction(1, 2)


def test_equal_weights_are_one_turn_each_however_many_they_are() -> None:
    assert smooth_cycle((3,) * 3000) == tuple(range(3000))


def test_a_tiny_weight_beside_a_huge_one_gets_a_turn() -> None:
    assert Counter(smooth_cycle((2**32 - 1, 1))) == {0: LONGEST_CYCLE, 1: 1}


@pytest.mark.parametrize("length", [READY_ORDERS, READY_ORDERS + 1])
def test_orders_are_the_same_whether_they_are_ready_or_made(length: int) -> None:
    items = tuple(range(length))
    plain, walked = Orders(items), Orders(items, items)

    for position in (0, 1, length - 1, length, -1, 10**9):
        start = position % length
        assert plain.at(position) == walked.at(position) == items[start:] + items[:start]


def test_choosing_from_a_short_cycle_makes_nothing_new() -> None:
    orders = Orders("ab", (0, 0, 1))

    assert orders.at(0) is orders.at(3) is orders.at(1)


def test_nothing_to_choose_from() -> None:
    assert Orders(()).at(7) == ()
    assert Orders(()).least_loaded(Loads((), ()), 7) == ()


def test_a_load_is_the_sum_over_all_rows() -> None:
    rows = [Cells(bytearray(8 * 10), -1) for _ in range(3)]
    for number, row in enumerate(rows):
        row.store(7, 10**number)

    loads = Loads(rows, (2, 7))

    assert [loads.load(0), loads.load(1)] == [0, 111]
    with pytest.raises(IndexError):
        loads.load(2)


def test_the_cheapest_is_first_and_equal_ones_stay_as_they_stand() -> None:
    assert by_cost(("a", "b", "c", "d"), (2, 3, 0, 1), [1.0, 0.5, 1.0, 0.5]) == ("d", "b", "c", "a")
    assert by_cost((), (), []) == ()


@given(st.permutations(range(8)), st.lists(st.floats(0, 1e9), min_size=8, max_size=8))
def test_an_order_by_costs_is_that_of_a_stable_sort(turns: list[int], costs: list[float]) -> None:
    given_turns, given_costs = tuple(turns), list(costs)

    order = by_cost(tuple(range(8)), given_turns, costs)

    assert order == tuple(index for _, index in sorted(zip(costs, turns, strict=True), key=lambda pair: pair[0]))
    assert costs == given_costs
