"""The Python twin of `cells`: exact too, by byte-range locks that the kernel releases when their holder dies."""

from fcntl import LOCK_EX, LOCK_UN, lockf
from mmap import mmap

_STRIPES = 64
_SIGN = 1 << 63
_ALL = (1 << 64) - 1


def _checked(value: int) -> int:
    """Return `value` if a cell can hold it."""
    if not -_SIGN <= value < _SIGN:
        raise OverflowError("value does not fit a cell")
    return value


def _wrapped(total: int) -> int:
    """Return the sum of two cells as 64-bit hardware has it."""
    return ((total + _SIGN) & _ALL) - _SIGN


class Cells:
    """`count` cells of a writable shared mapping from cell `first` on; all that follow if `count` is None.

    A cell is either written by one process (`store`, `add`) or shared by many (`fetch_add`, `compare_exchange`), never
    both at a time. `fd` is the file behind the mapping, whose byte ranges are the locks.
    """

    __slots__ = ("_cells", "_count", "_fd", "_first")

    def __init__(
        self, buffer: mmap | bytearray | memoryview, fd: int, first: int = 0, count: int | None = None
    ) -> None:
        view = memoryview(buffer)
        if view.readonly:
            raise BufferError("Object is not writable.")
        available = view.nbytes // 8 - first
        length = available if count is None else count
        if first < 0 or not 0 <= length <= available:
            raise ValueError("the buffer does not hold these cells")
        self._cells = view.cast("B")[first * 8 : (first + length) * 8].cast("q")
        self._count = length
        self._fd = fd
        self._first = first

    def __len__(self) -> int:
        return self._count

    def load(self, index: int) -> int:
        """Return the value of a cell."""
        return self._cells[self._at(index)]

    def store(self, index: int, value: int) -> None:
        """Set a cell that has one writer."""
        self._cells[self._at(index)] = _checked(value)

    def add(self, index: int, n: int) -> None:
        """Add to a cell that has one writer; the cheapest way to count."""
        self._cells[index] = _wrapped(self._cells[self._at(index)] + _checked(n))

    def fetch_add(self, index: int, n: int) -> int:
        """Add to a cell that has many writers; return the value before."""
        _checked(n)
        stripe = self._lock(self._at(index))
        try:
            before = self._cells[index]
            self._cells[index] = _wrapped(before + n)
        finally:
            lockf(self._fd, LOCK_UN, 1, stripe)
        return before

    def compare_exchange(self, index: int, expected: int, value: int) -> bool:
        """Set a cell that has many writers if it still holds `expected`; say whether it did."""
        _checked(expected), _checked(value)
        stripe = self._lock(self._at(index))
        try:
            if self._cells[index] != expected:
                return False
            self._cells[index] = value
        finally:
            lockf(self._fd, LOCK_UN, 1, stripe)
        return True

    def _at(self, index: int) -> int:
        if not 0 <= index < self._count:
            raise IndexError("no such cell")
        return index

    def _lock(self, index: int) -> int:
        stripe = (self._first + index) % _STRIPES
        lockf(self._fd, LOCK_EX, 1, stripe)
        return stripe
