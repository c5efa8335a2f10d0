"""Active health: whether a backend is up, by what its checks found. All workers share the state.

How it works
------------
The state of one backend of one route is one word of the zone, so that it changes at once for everybody and survives a
reload. A backend that nobody has checked is up: its word is zero.

| state | check  | becomes                                                      |
|-------|--------|--------------------------------------------------------------|
| up    | passed | up; failures before it count no more                         |
| up    | failed | down with the last of `unhealthy_threshold` failures in a row |
| down  | failed | down; successes before it count no more                      |
| down  | passed | up with the last of `healthy_threshold` successes in a row   |

From the lowest bit: down (1 bit), the streak of checks that speak against the state (7), how many times it has changed
(15, from 0 again after the last), and when it changed last, in milliseconds of the monotonic clock (40, or 34 years).
"""

from dataclasses import dataclass

from kairos._speedups import Cells

MOST_IN_A_ROW = 100  # the highest threshold
_STREAK_BITS, _CHANGES_BITS, _TIME_BITS = 7, 15, 40
_LONGEST_STREAK = (1 << _STREAK_BITS) - 1


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How many checks in a row change the state: failures that take a backend down, successes that bring it back."""

    unhealthy: int = 3
    healthy: int = 2


@dataclass(frozen=True, slots=True)
class Health:
    """What a word says."""

    is_down: bool = False
    streak: int = 0
    """How many checks in a row, up to the last one, speak against the state."""
    changes: int = 0
    changed_at: float = 0.0
    """When the state changed last, in seconds of the monotonic clock; 0 is never."""

    @classmethod
    def of(cls, word: int) -> "Health":
        """Read a word."""
        streak, changes = word >> 1 & _LONGEST_STREAK, word >> 1 + _STREAK_BITS & (1 << _CHANGES_BITS) - 1
        return cls(bool(word & 1), streak, changes, (word >> 1 + _STREAK_BITS + _CHANGES_BITS) / 1000)

    @property
    def word(self) -> int:
        """Return the word that says so."""
        milliseconds = round(self.changed_at * 1000) & (1 << _TIME_BITS) - 1
        changes = self.changes & (1 << _CHANGES_BITS) - 1
        return self.is_down | self.streak << 1 | (milliseconds << _CHANGES_BITS | changes) << 1 + _STREAK_BITS


def checked(health: Health, passed: bool, now: float, thresholds: Thresholds) -> Health:
    """Return the state after one more check."""
    if passed is not health.is_down:
        return Health(health.is_down, 0, health.changes, health.changed_at)
    streak = health.streak + 1
    if streak >= (thresholds.healthy if passed else thresholds.unhealthy):
        return Health(not passed, 0, health.changes + 1, now)
    return Health(health.is_down, min(streak, _LONGEST_STREAK), health.changes, health.changed_at)


def record(cells: Cells, index: int, passed: bool, now: float, thresholds: Thresholds) -> Health | None:
    """Enter one more check into a word that all workers share; return the new state if that has changed it."""
    while True:
        word = cells.load(index)
        before = Health.of(word)
        after = checked(before, passed, now, thresholds)
        if after.word == word or cells.compare_exchange(index, word, after.word):
            return after if after.is_down is not before.is_down else None
