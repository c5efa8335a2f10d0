"""The zone: one sparse file in memory, made by the supervisor before the first fork and inherited by every process."""

import fcntl
import mmap
import os
from hashlib import blake2b
from struct import pack, unpack
from typing import TypeAlias

from kairos._speedups import Cells, GuardedCells
from kairos.shm import layout
from kairos.shm.names import OTHER, Names
from kairos.shm.table import Table

Row: TypeAlias = Cells  # the cells of one worker: `row.add(layout.REQUESTS, 1)`

GAUGE = "gauge "  # what stands before the names of gauges in the directory


class Zone:
    """Shared memory for `slots` workers.

    What only adds up is counted in rows, one per worker, and summed by whoever asks. What must be exact across workers
    is a word of `cells` that all of them change by `fetch_add` or `compare_exchange`, or what the rate limits keep in
    `guarded`, which has locks, and a size of `guarded_bytes`. The response cache has words of its own, `cache`. Memory
    is used only where someone looked. The clocks are the caller's: `started_at` in nanoseconds since 1970,
    `started_clock` of CLOCK_MONOTONIC.
    """

    __slots__ = ("_layout", "_memory", "_names", "_table", "cache", "cells", "fd", "guarded", "rows")

    def __init__(
        self,
        slots: int,
        *,
        started_at: int = 0,
        started_clock: int = 0,
        columns: int = 1 << 14,
        words: int = 1 << 17,
        guarded_bytes: int = 1 << 20,
    ) -> None:
        guarded = guarded_bytes // 8
        self._layout = layout.Layout(slots, columns, words, guarded)
        size = self._layout.cells * 8
        self.fd = os.memfd_create("kairos-zone", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, size)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        self._memory = mmap.mmap(self.fd, size)
        self.cells = Cells(self._memory, self.fd)
        self.rows: tuple[Row, ...] = tuple(
            Cells(self._memory, self.fd, self._layout.row(slot), self._layout.row_cells) for slot in range(slots)
        )
        self.guarded = GuardedCells(self._memory, self.fd, self._layout.guarded, guarded)
        self.cache = Cells(self._memory, self.fd, self._layout.cache, layout.CACHE_CELLS)
        for index, value in enumerate(unpack("=qq", os.urandom(16)), layout.HASH_KEY):
            self.cells.store(index, value)
        self.cells.store(layout.STARTED_AT, started_at)
        self.cells.store(layout.STARTED_CLOCK, started_clock)
        self._names = Names(self._memory, self.cells, self._layout.names, columns, self._hash_key)
        self._table = Table(self.cells, self._layout.table, words, layout.ENTRY_CELLS, self._hash_key)

    def close(self) -> None:
        """Let go of the file. Nobody in this process may use the zone after that."""
        os.close(self.fd)

    @property
    def slots(self) -> int:
        """How many workers the zone has room for."""
        return self._layout.slots

    def row(self, slot: int) -> Row:
        """Return the row of a slot. Only the worker in the slot writes it, or the supervisor while there is none."""
        return self.rows[slot]

    def total(self, index: int) -> int:
        """Sum one counter, gauge or column over all rows; what dead workers counted is still in theirs."""
        return sum(row.load(index) for row in self.rows)

    def column(self, name: str) -> int:
        """Return the index, in every row, of what is counted under `name`; that of "other" if there is no room."""
        return self._column(name, 0)

    def gauge(self, name: str) -> int:
        """Return the index, in every row, of a number that goes up and down and is forgotten when its worker dies.

        Names that find no room share one index, which is forgotten likewise.
        """
        return self._column(GAUGE + name, 1)

    def columns(self) -> dict[str, int]:
        """Return every name that is counted, with its column; "other" too once a name had to share it."""
        names = self._names.read().items()
        columns = {name: layout.COLUMNS + number for name, number in names if not name.startswith(GAUGE)}
        if self.cells.load(layout.NAMES_FOLDED):
            columns[OTHER] = self._shared_column(0)
        return columns

    def gauges(self) -> dict[str, int]:
        """Return every name that has a gauge, with its column; "other" too once a name had to share it."""
        names = self._names.read().items()
        gauges = {name.removeprefix(GAUGE): layout.COLUMNS + number for name, number in names if name.startswith(GAUGE)}
        if self.cells.load(layout.NAMES_FOLDED):
            gauges[OTHER] = self._shared_column(1)
        return gauges

    def word(self, key: bytes) -> int:
        """Return the index in `cells` of the word of `key`, at first zero; without room, of one that many share."""
        entry = self._table.find(key)
        if entry is None:
            self.cells.fetch_add(layout.WORDS_FOLDED, 1)
            return self.shared_word
        return self._layout.table + entry * layout.ENTRY_CELLS + 2

    @property
    def shared_word(self) -> int:
        """The index of the word of all keys that have found no room."""
        return self._layout.table + self._layout.words * layout.ENTRY_CELLS

    def secret(self, purpose: bytes) -> bytes:
        """Return 32 bytes that nobody outside can guess: the same for all processes, and others at the next start."""
        return blake2b(purpose, digest_size=32, key=self._hash_key, person=b"kairos secret").digest()

    def clear_gauges(self, slot: int) -> None:
        """Forget how things were with a worker that is dead; what it counted stays."""
        for index in (*layout.GAUGES, *self.gauges().values()):
            self.rows[slot].store(index, 0)

    def _column(self, name: str, overflow: int) -> int:
        number = self._names.find(name)
        if number is None:
            self.cells.fetch_add(layout.NAMES_FOLDED, 1)
            return self._shared_column(overflow)
        return layout.COLUMNS + number

    def _shared_column(self, overflow: int) -> int:
        return layout.COLUMNS + self._layout.columns + overflow

    @property
    def _hash_key(self) -> bytes:
        return pack("=qq", self.cells.load(layout.HASH_KEY), self.cells.load(layout.HASH_KEY + 1))
