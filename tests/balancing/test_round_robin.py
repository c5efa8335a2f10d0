"""Round robin: every backend in turn, and after it the others."""

from itertools import count

from kairos.balancing.round_robin import RoundRobin


def test_every_backend_is_the_first_choice_in_turn() -> None:
    balancer = RoundRobin("abc", count().__next__)

    assert ["".join(balancer.choices("")) for _ in range(4)] == ["abc", "bca", "cab", "abc"]


def test_balancers_that_share_a_position_share_the_turns() -> None:
    position = count().__next__
    one, other = RoundRobin("ab", position), RoundRobin("ab", position)

    assert [balancer.choices("")[0] for balancer in (one, other, other, one)] == ["a", "b", "a", "b"]


def test_a_single_backend_takes_no_turn() -> None:
    position = count()

    assert list(RoundRobin("a", position.__next__).choices("")) == ["a"]
    assert list(RoundRobin("", position.__next__).choices("")) == []
    assert next(position) == 0


def test_a_large_position_is_a_turn_like_any_other() -> None:
    assert list(RoundRobin("abc", lambda: 2**62).choices("")) == ["b", "c", "a"]
