"""A lease: which one of the workers does what one has to do for all.

How it works
------------
The lease is one word of the zone: who holds it, and until when. The holder puts the end off again and again. Anybody
may take a lease that is free or over, and a lower worker may take it from a higher one, so that it ends up with the
lowest that is alive. Who is killed or stuck loses it by the end that it does not put off, who leaves gives it up.
"""

from kairos._speedups import Cells

LEASE_SECONDS = 3.0
RENEW_SECONDS = 1.0  # so often the end is put off
_HOLDER_BITS = 16


class Lease:
    """One worker's view of a lease. No clock: callers pass `now`, in seconds of the monotonic clock."""

    __slots__ = ("_cells", "_index", "_me")

    def __init__(self, cells: Cells, index: int, slot: int) -> None:
        """`index` is that of the word in `cells`; no two living workers have the same slot."""
        self._cells = cells
        self._index = index
        self._me = slot + 1

    def keep(self, now: float) -> bool:
        """Take the lease if it may be taken, put its end off if it is ours; say whether it is ours now."""
        word = self._cells.load(self._index)
        holder, end = _read(word)
        if holder == self._me and end - now > LEASE_SECONDS - RENEW_SECONDS:
            return True
        if 0 < holder < self._me and now < end:
            return False
        return self._cells.compare_exchange(self._index, word, _word(self._me, now + LEASE_SECONDS))

    def is_ours(self, now: float) -> bool:
        """Say whether the lease is still ours."""
        holder, end = _read(self._cells.load(self._index))
        return holder == self._me and now < end

    def give_up(self) -> None:
        """Let the next one have it at once, if it is ours."""
        word = self._cells.load(self._index)
        if _read(word)[0] == self._me:
            self._cells.compare_exchange(self._index, word, 0)


def _read(word: int) -> tuple[int, float]:
    return word & (1 << _HOLDER_BITS) - 1, (word >> _HOLDER_BITS) / 1000


def _word(holder: int, end: float) -> int:
    return round(end * 1000) << _HOLDER_BITS | holder
