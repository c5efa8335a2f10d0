"""Active health: what checks make of a backend."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.resilience.health import MOST_IN_A_ROW, Health, Thresholds, checked, record
from kairos.shm.zone import Zone

THRESHOLDS = Thresholds(unhealthy=3, healthy=2)
WORDS = st.builds(
    Health,
    st.booleans(),
    st.integers(0, MOST_IN_A_ROW),
    st.integers(0, (1 << 15) - 1),
    st.integers(0, (1 << 40) - 1).map(lambda milliseconds: milliseconds / 1000),
)


def after(results: str, thresholds: Thresholds = THRESHOLDS) -> Health:
    """Return the state after checks that passed (+) or failed (-), one a second."""
    health = Health()
    for now, result in enumerate(results, 1):
        health = checked(health, result == "+", float(now), thresholds)
    return health


@pytest.mark.parametrize(
    ("results", "state"),
    [
        ("", Health()),
        ("+", Health()),
        ("-", Health(streak=1)),
        ("--", Health(streak=2)),
        ("--+", Health()),
        ("--+--", Health(streak=2)),
        ("---", Health(True, 0, 1, 3.0)),
        ("----", Health(True, 0, 1, 3.0)),
        ("---+", Health(True, 1, 1, 3.0)),
        ("---+-", Health(True, 0, 1, 3.0)),
        ("---+-+", Health(True, 1, 1, 3.0)),
        ("---++", Health(False, 0, 2, 5.0)),
        ("---++--", Health(False, 2, 2, 5.0)),
        ("---++---", Health(True, 0, 3, 8.0)),
    ],
)
def test_so_many_checks_in_a_row_change_the_state(results: str, state: Health) -> None:
    assert after(results) == state


def test_with_thresholds_of_one_every_check_decides() -> None:
    once = Thresholds(1, 1)
    assert [after("+-+"[:count], once).is_down for count in range(4)] == [False, False, True, False]


def test_a_threshold_that_has_become_lower_is_met_by_the_next_check() -> None:
    assert checked(after("--"), False, 9.0, Thresholds(1, 1)) == Health(True, 0, 1, 9.0)


def test_nobody_has_checked_what_has_the_word_zero() -> None:
    assert Health().word == 0
    assert Health.of(0) == Health()


@given(WORDS)
def test_a_word_says_what_was_put_into_it_and_fits_a_cell(health: Health) -> None:
    assert Health.of(health.word) == health
    assert 0 <= health.word < 1 << 63


def test_the_number_of_changes_begins_again_after_the_last() -> None:
    last = Health(True, 1, (1 << 15) - 1, 1.0)
    assert Health.of(checked(last, True, 2.0, THRESHOLDS).word) == Health(False, 0, 0, 2.0)


def down_by_the_book(results: Sequence[bool], thresholds: Thresholds) -> bool:
    """Say whether a backend is down after all these checks, by looking at the whole past."""
    is_down, start = False, 0
    for end in range(1, len(results) + 1):
        needed = thresholds.healthy if is_down else thresholds.unhealthy
        latest = results[start:end][-needed:]
        if len(latest) == needed and all(passed is is_down for passed in latest):
            is_down, start = not is_down, end
    return is_down


@given(st.lists(st.booleans(), max_size=60), st.builds(Thresholds, st.integers(1, 6), st.integers(1, 6)))
def test_the_state_is_that_of_the_whole_past(results: list[bool], thresholds: Thresholds) -> None:
    zone = Zone(1, columns=1, words=2)
    word = zone.word(b"a")
    news = [record(zone.cells, word, passed, float(now), thresholds) for now, passed in enumerate(results, 1)]

    health = Health.of(zone.cells.load(word))
    changes = [now for now, new in enumerate(news, 1) if new]
    assert health.is_down is down_by_the_book(results, thresholds)
    assert health.changes == len(changes)
    assert health.changed_at == (changes[-1] if changes else 0)
    assert [new.is_down for new in news if new] == [index % 2 == 0 for index in range(len(changes))]
    zone.close()


class Contended:
    """A cell that another process changes just before each of the first exchanges."""

    def __init__(self, *others: Health) -> None:
        self.value = 0
        self._others = list(others)

    def load(self, _: int) -> int:
        return self.value

    def compare_exchange(self, _: int, expected: int, value: int) -> bool:
        if self._others:
            self.value = self._others.pop(0).word
        if self.value != expected:
            return False
        self.value = value
        return True


def test_a_check_counts_beside_those_of_others() -> None:
    cell = Contended(Health(streak=1), Health(streak=2))

    news = record(cell, 0, False, 7.0, THRESHOLDS)  # type: ignore[arg-type]

    assert news == Health.of(cell.value) == Health(True, 0, 1, 7.0)
