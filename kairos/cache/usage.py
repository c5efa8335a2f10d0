"""How much the files take: a word for each shard, and one for their sum.

A process that is killed between two steps leaves a word wrong, until a sweep puts it right.
"""

from kairos._speedups import Cells
from kairos.cache import words

SHARDS = 256  # directories, by the first byte of the names
UNFINISHED = SHARDS  # the shard of files that are being written
PAGE = 4096


def pages(size: int) -> int:
    """Return how many pages a file of `size` bytes takes: at least one, so that the number of files is bounded too."""
    return -(-size // PAGE) or 1


class Usage:
    """Count pages, all workers together."""

    __slots__ = ("_cells",)

    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    def of(self, shard: int) -> int:
        """Return the pages of a shard."""
        return self._cells.load(words.SHARDS + shard)

    def total(self) -> int:
        """Return the bytes of all shards."""
        return self._cells.load(words.TOTAL) * PAGE

    def add(self, shard: int, count: int) -> None:
        """Count pages that have come, or gone if less than zero."""
        self._cells.fetch_add(words.SHARDS + shard, count)
        self._cells.fetch_add(words.TOTAL, count)

    def correct(self, shard: int, before: int, count: int) -> None:
        """Set what a shard takes, unless it has changed since it was `before`."""
        if before != count and self._cells.compare_exchange(words.SHARDS + shard, before, count):
            self._cells.fetch_add(words.TOTAL, count - before)

    def settle(self) -> None:
        """Make the sum that of the shards, unless it changes meanwhile."""
        before = self._cells.load(words.TOTAL)
        total = sum(self.of(shard) for shard in range(SHARDS + 1))
        if before != total:
            self._cells.compare_exchange(words.TOTAL, before, total)
