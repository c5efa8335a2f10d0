"""The directory of names: what the dynamic columns of the rows count. It only grows; any process can read it back."""

from hashlib import blake2b
from mmap import mmap

from kairos._speedups import Cells
from kairos.shm.layout import NAME_BYTES, NAME_CELLS
from kairos.shm.table import Table

OTHER = "other"  # what names that found the directory full are counted as


class Names:
    """Give each name a number below `capacity`, the same one in every process; None if the directory is full."""

    __slots__ = ("_capacity", "_cells", "_first", "_memory", "_table")

    def __init__(self, memory: mmap, cells: Cells, first: int, capacity: int, hash_key: bytes) -> None:
        self._memory = memory
        self._cells = cells
        self._first = first
        self._capacity = capacity
        self._table = Table(cells, first, capacity, NAME_CELLS, hash_key)

    def find(self, name: str) -> int | None:
        """Return the number of `name`, entering it if it is new."""
        number = self._table.find(name.encode())
        if number is not None and not self._cells.load(self._length_cell(number)):
            self._write(number, _text(name))
        return number

    def read(self) -> dict[str, int]:
        """Return all names with their numbers."""
        found = {}
        for number in range(self._capacity):
            cell = self._length_cell(number)
            if length := self._cells.load(cell):
                start = (cell + 1) * 8
                found[self._memory[start : start + length].decode()] = number
        return found

    def _write(self, number: int, text: bytes) -> None:
        """Write the text, then its length, which makes it visible. Processes that do so at once all write the same."""
        cell = self._length_cell(number)
        start = (cell + 1) * 8
        self._memory[start : start + len(text)] = text
        self._cells.store(cell, len(text))

    def _length_cell(self, number: int) -> int:
        return self._first + number * NAME_CELLS + 2


def _text(name: str) -> bytes:
    """Return what to show of a name: all of it, or its beginning with a hash that keeps it apart from its like."""
    text = name.encode()
    if len(text) <= NAME_BYTES:
        return text
    mark = "~" + blake2b(text, digest_size=8).hexdigest()
    return text[: NAME_BYTES - len(mark)].decode(errors="ignore").encode() + mark.encode()
