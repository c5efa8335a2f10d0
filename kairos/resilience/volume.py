"""How many requests a backend had lately: whether there were enough to judge it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kairos._speedups import Cells as Words

SPAN_SECONDS = 10
MOST = (1 << 15) - 1  # what is counted at most
_NOW, _BEFORE, _SPAN = 0, 15, 30


class Volume:
    """A count of the last one to two spans of ten seconds, in one word that the workers share.

    The word has fifteen bits for the span that runs, fifteen for the one before, and the number of the span.
    """

    __slots__ = ("_cells", "_index")

    def __init__(self, cells: "Words", index: int) -> None:
        self._cells = cells
        self._index = index

    def add(self, now: float) -> int:
        """Count one more; return how many there are. `now` is in seconds."""
        span = int(now) // SPAN_SECONDS
        while True:
            word = self._cells.load(self._index)
            current, before, passed = word & MOST, word >> _BEFORE & MOST, span - (word >> _SPAN)
            if passed:
                current, before = 0, current if passed == 1 else 0
            current = min(current + 1, MOST)
            new = span << _SPAN | before << _BEFORE | current << _NOW
            if self._cells.compare_exchange(self._index, word, new):
                return current + before
