"""A hash table in shared cells that any process may grow at any time, and that a killed process cannot block.

How it works. A key is hashed to 128 bits, two halves that are never zero. An entry starts with two cells, zero while
it is free. To claim one, write the first half by compare-and-exchange if the cell is zero, then the second half
likewise; the entry belongs to the key whose halves it holds. Each cell goes from zero to its value once and never
changes again, so every process walks the same path for a key, and no key can have two entries. Nothing is locked: an
entry whose claimer was killed between the two steps is completed by the next process with the same first half.
"""

from hashlib import blake2b
from struct import unpack

from kairos._speedups import Cells

PROBES = 256  # how far from its place a key is looked for; a table in which that is not enough counts as full


class Table:
    """Entries of `stride` cells, `capacity` (a power of two) of them from cell `first` on, found by key."""

    __slots__ = ("_capacity", "_cells", "_first", "_hash_key", "_stride")

    def __init__(self, cells: Cells, first: int, capacity: int, stride: int, hash_key: bytes) -> None:
        if capacity & (capacity - 1) or capacity < 1:
            raise ValueError("the capacity of a table is a power of two")
        self._cells = cells
        self._first = first
        self._capacity = capacity
        self._stride = stride
        self._hash_key = hash_key  # secret, so that no client can choose keys that collide

    def find(self, key: bytes) -> int | None:
        """Return the number of the key's entry, claimed now if it is new; None if there is no room."""
        low: int
        high: int
        low, high = unpack("=qq", blake2b(key, digest_size=16, key=self._hash_key).digest())
        for step in range(min(PROBES, self._capacity)):
            entry = (low + step) & (self._capacity - 1)
            cell = self._first + entry * self._stride
            if self._holds(cell, low or 1) and self._holds(cell + 1, high or 1):
                return entry
        return None

    def _holds(self, cell: int, half: int) -> bool:
        """Say whether `cell` holds this half of a hash, after writing it there if the cell was free."""
        held = self._cells.load(cell)
        if held == 0 and self._cells.compare_exchange(cell, 0, half):
            return True
        return (held or self._cells.load(cell)) == half
