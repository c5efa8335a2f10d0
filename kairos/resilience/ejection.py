"""Take a backend out for a while whose answers are errors, by what real traffic shows.

How it works
------------
One word per backend, shared by the workers: eight bits of errors in a row, eight of how often in a row it was ejected,
and the moment in milliseconds until which it is out. Each time it is out for longer; every span that it stays well for
takes one off. Zero is a backend that has never failed, or not lately.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kairos._speedups import Cells as Words

MOST = 255  # what is counted at most
_TIMES_SHIFT, _UNTIL_SHIFT = 8, 16
_MOST = MOST


class Ejection:
    """What one backend's answers say about it. `now` is CLOCK_MONOTONIC in seconds."""

    __slots__ = ("_base", "_cells", "_errors", "_index", "_longest")

    def __init__(self, cells: "Words", index: int, errors: int, base_seconds: float, longest_seconds: float) -> None:
        """`errors` in a row eject it for `base_seconds`, and a multiple of that up to `longest_seconds` next time."""
        self._cells = cells
        self._index = index
        self._errors = min(errors, _MOST)
        self._base = max(int(base_seconds * 1000), 1)
        self._longest = max(int(longest_seconds * 1000), self._base)

    def is_out(self, now: float) -> bool:
        """Say whether it is ejected."""
        word = self._cells.load(self._index)
        return word != 0 and word >> _UNTIL_SHIFT > int(now * 1000)

    def returned_at(self) -> float:
        """Return when it came or comes back from its last ejection, in seconds; 0 if it was never out."""
        return (self._cells.load(self._index) >> _UNTIL_SHIFT) / 1000

    def succeeded(self) -> None:
        """Note an answer that is no error."""
        word = self._cells.load(self._index)
        while word & _MOST:
            if self._cells.compare_exchange(self._index, word, word & ~_MOST):
                return
            word = self._cells.load(self._index)

    def failed(self, now: float, may_eject: bool) -> bool:
        """Note an error; return whether it ejects the backend. `may_eject` is False for the last one that is well."""
        moment = int(now * 1000)
        while True:
            word = self._cells.load(self._index)
            errors, times, until = word & _MOST, word >> _TIMES_SHIFT & _MOST, word >> _UNTIL_SHIFT
            if until > moment:
                return False  # it is out already: this is an answer to an earlier request, or in a panic
            ejects = errors + 1 >= self._errors and may_eject
            if ejects:
                times = min(max(times - (moment - until) // self._base, 0) + 1, _MOST)
                errors, until = 0, moment + min(times * self._base, self._longest)
            else:
                errors = min(errors + 1, _MOST)
            new = until << _UNTIL_SHIFT | times << _TIMES_SHIFT | errors
            if self._cells.compare_exchange(self._index, word, new):
                return ejects
