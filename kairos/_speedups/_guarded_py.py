"""The Python twin of `guarded`: its locks are byte ranges of the file, which the kernel releases when a holder dies."""

from fcntl import LOCK_EX, LOCK_UN, lockf
from mmap import mmap

STRIPES = 256
GUARD_CELLS = STRIPES * 8  # room for the locks of the compiled twin


class GuardedCells:
    """`count` cells of a writable shared mapping from cell `first` on, of which GUARD_CELLS are taken by the locks.

    It is made once, over zeros, before the processes that share it are forked. A cell is read and written by whoever
    holds the lock of its stripe; which that is, is agreed on among the callers. `fd` is the file behind the mapping.
    """

    __slots__ = ("_cells", "_count", "_fd", "_guards")

    def __init__(
        self, buffer: mmap | bytearray | memoryview, fd: int, first: int = 0, count: int | None = None
    ) -> None:
        view = memoryview(buffer)
        if view.readonly:
            raise BufferError("Object is not writable.")
        available = view.nbytes // 8 - first
        length = available if count is None else count
        if first < 0 or not GUARD_CELLS <= length <= available:
            raise ValueError("the buffer does not hold these cells")
        self._cells = view.cast("B")[(first + GUARD_CELLS) * 8 : (first + length) * 8].cast("q")
        self._count = length - GUARD_CELLS
        self._fd = fd
        self._guards = first * 8  # where in the file the locked bytes are

    def __len__(self) -> int:
        return self._count

    def lock(self, stripe: int) -> None:
        """Wait for the lock of a stripe. Who needs several takes them in rising order, and none twice."""
        lockf(self._fd, LOCK_EX, 1, self._guard(stripe))

    def unlock(self, stripe: int) -> None:
        """Let the next one have a lock."""
        lockf(self._fd, LOCK_UN, 1, self._guard(stripe))

    def load(self, index: int) -> int:
        """Return the value of a cell."""
        return self._cells[self._at(index, 1)]

    def store(self, index: int, value: int) -> None:
        """Set a cell."""
        if not -(1 << 63) <= value < 1 << 63:
            raise OverflowError("value does not fit a cell")
        self._cells[self._at(index, 1)] = value

    def move(self, to: int, start: int, count: int) -> None:
        """Copy the cells from `start` on to `to`; the two may overlap."""
        self._at(to, count), self._at(start, count)
        self._cells[to : to + count] = self._cells[start : start + count]

    def find(self, start: int, end: int, low: int, high: int) -> int:
        """Return where, among records that begin with two halves of a name and their size, one is; else -1."""
        if not 0 <= start <= end <= self._count:
            raise IndexError("no such cell")
        cells, index = self._cells, start
        while index < end - 2:
            if cells[index] == low and cells[index + 1] == high:
                return index
            if not 0 < cells[index + 2] <= end - index:
                break
            index += cells[index + 2]
        return -1

    def _at(self, index: int, count: int) -> int:
        if not 0 <= index <= self._count - count or count < 0:
            raise IndexError("no such cell")
        return index

    def _guard(self, stripe: int) -> int:
        if not 0 <= stripe < STRIPES:
            raise IndexError("no such stripe")
        return self._guards + stripe
