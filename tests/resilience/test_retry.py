"""When a request may be sent again: every cell of the table; pauses and the budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.resilience.retry import BUDGET_LEAST, Backoff, Budget, Outcome, Verdict, verdict

NO, COUNTED, FREE = Verdict.NO, Verdict.COUNTED, Verdict.FREE

# What happened: with an idempotent method, with POST or PATCH, with those where the client or the route vouches for it.
TABLE = {
    Outcome.NOT_CONNECTED: (COUNTED, COUNTED, COUNTED),
    Outcome.STALE_UNSENT: (FREE, FREE, FREE),
    Outcome.STALE_SENT: (FREE, NO, FREE),
    Outcome.LOST: (COUNTED, NO, COUNTED),
    Outcome.LISTED: (COUNTED, NO, COUNTED),
    Outcome.RETRY_LATER: (COUNTED, NO, COUNTED),
    Outcome.BEGUN: (NO, NO, NO),
}


def test_the_table_has_every_outcome() -> None:
    assert set(TABLE) == set(Outcome)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_cell_of_the_table(outcome: Outcome) -> None:
    idempotent, other, repeatable = TABLE[outcome]

    assert verdict(outcome, is_idempotent=True) is idempotent
    assert verdict(outcome, is_idempotent=False) is other
    assert verdict(outcome, is_idempotent=False, is_repeatable=True) is repeatable
    assert verdict(outcome, is_idempotent=True, is_repeatable=True) is idempotent


def test_bare_pauses_are_those_of_kairos_rs() -> None:
    backoff = Backoff(0.1, 5.0, 2.0, has_jitter=False)

    assert [backoff.pause(retry, 0.3) for retry in range(7)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert backoff.pause(10, 0.0) == 5.0
    assert Backoff(0.1, 5.0, 1.5, has_jitter=False).pause(3, 0.0) == 0.337  # whole milliseconds
    assert Backoff(0.1, 5.0, 2.0, has_jitter=False).pause(5000, 0.0) == 5.0


@given(
    initial=st.integers(0, 100_000), longest=st.integers(0, 1_000_000), multiplier=st.floats(1, 50),
    retry=st.integers(0, 10), chance=st.floats(0, 1),
)  # fmt: skip
def test_jitter_takes_anything_up_to_the_bare_pause(
    initial: int, longest: int, multiplier: float, retry: int, chance: float
) -> None:
    bare = Backoff(initial / 1000, longest / 1000, multiplier, has_jitter=False).pause(retry, chance)

    assert Backoff(initial / 1000, longest / 1000, multiplier).pause(retry, chance) == bare * chance
    assert bare <= longest / 1000


def test_the_budget_always_has_room_for_a_few() -> None:
    budget = Budget()

    assert [budget.enter(4, 20) for _ in range(BUDGET_LEAST + 1)] == [True] * BUDGET_LEAST + [False]
    budget.leave()
    assert budget.enter(4, 20)


def test_the_budget_is_a_share_of_what_is_in_flight() -> None:
    budget = Budget()

    assert sum(budget.enter(100, 20) for _ in range(100)) == 20
    assert budget.enter(105, 20)
    assert not budget.enter(100, 0)
