"""Making room: what has not been used for longest goes, by a look at some of the files and not at all of them."""

from kairos._speedups import Cells
from kairos.cache import words
from kairos.cache.files import Files, Listed
from kairos.cache.usage import PAGE, SHARDS, pages
from kairos.shm import layout
from kairos.shm.zone import Row

SAMPLE = 64  # files that are looked at, at least; usually those of a shard
MOST_LOOKED_AT = 128  # of the files of a shard
STEPS = 4  # such looks for one answer that is to be stored
SPARE = 64  # when something has to go, a share of the whole goes beyond what was needed: 1 in so many
FRACTION = 4  # of the files that are looked at, at most 1 in so many goes


class Room:
    """Remove files for others; `row` counts them."""

    __slots__ = ("_cells", "_files", "_row")

    def __init__(self, cells: Cells, row: Row, files: Files) -> None:
        self._cells = cells
        self._row = row
        self._files = files

    def make(self, size: int, most: int, now: float) -> bool:
        """Say whether `size` more bytes have room where there may be `most`; remove a limited number of files."""
        usage = self._files.usage
        if size > most:
            return False
        for _ in range(STEPS):
            excess = usage.total() + pages(size) * PAGE - most
            if excess <= 0:
                return True
            if not self.free(excess + most // SPARE, now):
                break
        return usage.total() + pages(size) * PAGE <= most

    def free(self, size: int, now: float) -> int:
        """Remove about `size` bytes of files, but only a part of those it looks at; return how many pages are free."""
        candidates = self._sample()
        candidates.sort(key=lambda file: _worth(file, now))
        wanted, freed = pages(size), 0
        for file in candidates[: -(-len(candidates) // FRACTION)]:
            freed += self._files.unlink(file.path, freed=file.pages)
            self._row.add(layout.CACHE_EVICTED, 1)
            if freed >= wanted:
                break
        return freed

    def _sample(self) -> list[Listed]:
        """Look at the files of one shard after the other; the workers take turns at them."""
        found: list[Listed] = []
        for _ in range(SHARDS):
            shard = self._cells.fetch_add(words.CURSOR, 1) % SHARDS
            if self._files.usage.of(shard):
                found += self._files.listed(shard, MOST_LOOKED_AT)
                if len(found) >= SAMPLE:
                    break
        return found


def _worth(file: Listed, now: float) -> float:
    """Return when a file was last used; 0 for one that is of no more use, or that nobody has noted a time in."""
    return 0.0 if file.useless_at <= now or file.used_at > now + 1 else file.used_at
