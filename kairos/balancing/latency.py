"""How long a backend takes to answer, as all workers have seen it.

How it works. A slower answer than any before counts at once; faster ones pull the average down within about ten
seconds, and so does silence, so that a backend that was slow once gets another chance. The average and the moment of
its last change share one word of the zone: the upper bits are hundredths of a second, the lower 30 are the average in
units of 100 ns, which is never zero. A word of zero is a backend that nobody has measured.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kairos._speedups import Cells as Words

DECAY_SECONDS = 10.0
PENALTY_SECONDS = 1.0  # what an error adds, so that a backend which fails fast does not look like a fast one
MOST_SECONDS = 60.0

_DECAY_SECONDS = DECAY_SECONDS
_PENALTY_SECONDS = PENALTY_SECONDS
_MOST_SECONDS = MOST_SECONDS
_BITS = 30
_UNIT = 1e-7
_UNITS = (1 << _BITS) - 1
_MOMENTS = (1 << 33) - 1  # hundredths of a second go round after 2.7 years


class Latency:
    """The average of one backend. `now` is CLOCK_MONOTONIC in seconds, which is the same for all workers."""

    __slots__ = ("_cells", "_word")

    def __init__(self, cells: "Words", word: int) -> None:
        self._cells = cells
        self._word = word

    def seconds(self, now: float) -> float:
        """Return the average; 0.0 if nothing has been measured."""
        word = self._cells.load(self._word)
        return max(_held(word) * _left(word, now), _UNIT) if word else 0.0

    def answered(self, seconds: float, now: float) -> None:
        """Count an answer that took so long."""
        word = self._cells.load(self._word)
        held = _held(word)
        if seconds < held:
            seconds += (held - seconds) * _left(word, now)
        self._cells.compare_exchange(self._word, word, _packed(seconds, now))  # else another has news that are as good

    def failed(self, seconds: float, now: float) -> None:
        """Count an error after so long: as if it had taken as long as usual, or longer if it did, and a second more."""
        word = self._cells.load(self._word)
        while not self._cells.compare_exchange(self._word, word, _charged(word, seconds, now)):
            word = self._cells.load(self._word)


def _charged(word: int, seconds: float, now: float) -> int:
    return _packed(max(_held(word) * _left(word, now), seconds) + _PENALTY_SECONDS, now)


def _held(word: int) -> float:
    """Return the average at the moment of its last change."""
    return (word & _UNITS) * _UNIT


def _left(word: int, now: float) -> float:
    """Return how much of the average is left by now: about e^-(seconds / 10)."""
    moment = int(now * 100)
    age = (moment - (word >> _BITS)) & _MOMENTS
    if age > _MOMENTS >> 1:  # the clock of the worker that wrote it is a moment ahead of ours
        return 1.0
    left = 1.0 - age / (100 * _DECAY_SECONDS * 64)
    if left <= 0.0:
        return 0.0
    for _ in range(6):
        left *= left
    return left


def _packed(seconds: float, now: float) -> int:
    units = int(min(seconds, _MOST_SECONDS) / _UNIT)
    moment = int(now * 100)
    return (moment & _MOMENTS) << _BITS | max(units, 1)
