"""The response cache's store: files that all workers of a node share, and hot copies in each of them.

How it works
------------
An answer is a file, named by the secret hash of its key, so that to look for it is to open it. It is written under
another name and then renamed: who reads it has all of it. Each worker keeps small ones in memory, and uses such a copy
while two words of the zone are what they were when it read the file: that of the key, which every change under the key
changes, and that of the purges. So what one worker stores, removes or purges, all others see with their next request,
and a hit costs no system call.

What has to make room for others is the exception: its file goes, and a hot copy may serve its worker on, since what it
says still holds. Nobody has been told to forget it.

What the kernel refuses (no space, no rights, no directory) is not stored; it is counted, and logged once in a while.
"""

import logging
import os
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from pathlib import Path

from kairos.cache import form, words
from kairos.cache.entry import FileEntry, Hot
from kairos.cache.files import USED_SECONDS, Files
from kairos.cache.form import Head
from kairos.cache.place import Place
from kairos.cache.room import SPARE, Room
from kairos.cache.sweep import Sweep
from kairos.cache.writer import FileWriter
from kairos.shm import layout
from kairos.shm.zone import Zone
from kairos.traffic.caching.store import Entry, Label

LOG_SECONDS = 10.0
COPIED = 1 << 20  # bytes of a body at a time

_log = logging.getLogger("kairos.cache")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept: bytes in the files of a node, bytes of hot copies in each worker, bytes of one body."""

    files: int = 256 << 20
    memory: int = 16 << 20
    body: int = 8 << 20


class FileStore:
    """One worker's way to what is stored. `base` is where the directory of the cache is made, see `base_directory`."""

    __slots__ = ("_cells", "_hot", "_log_at", "_room", "_row", "_sweep", "bounds", "files", "now", "place")

    def __init__(self, zone: Zone, slot: int, base: Path, bounds: Bounds, now: float) -> None:
        """`now` is CLOCK_MONOTONIC; from then on `tick` tells it."""
        self._cells = zone.cache
        self._row = zone.row(slot)
        self.bounds = bounds
        self.now = now
        self._log_at = 0.0  # when the next line may be written
        self.place = Place(base, zone.secret(b"cache directory").hex()[:16])
        self._open()
        self.files = Files(zone.cache, self.place.root, words.Names(zone.secret(b"cache names")))
        self._hot = Hot(bounds.memory)
        self._room = Room(zone.cache, self._row, self.files)
        self._sweep = Sweep(zone.cache, slot, self.files, self.place.leftovers)

    def find(self, key: bytes) -> Entry | None:
        """Return what is stored under a key."""
        entry = self._hot.entries.get(key)
        if entry is None or entry.word != self._cells.load(entry.index) or entry.rules != self._cells.load(words.RULES):
            return self._find_file(key)
        entry.is_used = True
        if self.now - entry.used_at > USED_SECONDS:
            self.files.mark_used(key, entry, self.now)
        return entry

    def ticket(self) -> int:
        """Return what tells `begin` of purges since now."""
        return self._cells.load(words.SEQUENCE)

    def begin(self, key: bytes, label: Label, ticket: int) -> FileWriter | None:
        """Begin to store an answer; None if it cannot be."""
        return self._begin(key, label, ticket, self.bounds.body, os.urandom(8))

    def refresh(self, key: bytes, entry: Entry, label: Label, ticket: int) -> Entry | None:
        """Give the answer that `find` has returned a new label and the same body; None if it is gone meanwhile."""
        current = self.files.find(key, self.now)
        if current is None or not isinstance(entry, FileEntry) or current.head.identity != entry.head.identity:
            return None
        writer = self._begin(key, label, ticket, current.size, entry.head.identity)
        if writer is None:
            return None
        try:
            if not self.files.is_wanted(writer.head, current.index):
                return None
            if self.files.relabel(current, writer.head, self.now):
                return self.find(key)
        except OSError as error:
            self.failed(error)
            return None
        for offset in range(0, current.size, COPIED):
            try:
                if not writer.write(current.read(offset, COPIED)):
                    return None
            except OSError as error:
                self.failed(error)
                return None
        return self.find(key) if writer.commit() else None

    def remove(self, key: bytes) -> None:
        """Forget what is stored under a key, and what is on its way there with an older ticket."""
        self.files.remove(key)
        self._hot.drop(key)

    def purge(self, place: bytes, *, below: bool = False) -> None:
        """Forget all answers of a place, or of all places that begin so."""
        self.files.purges.purge(place, below=below)

    def purge_tag(self, tag: bytes) -> None:
        """Forget all answers with a tag."""
        self.files.purges.purge_tag(tag)

    def tick(self, now: float) -> None:
        """Take note of the time, and do a small part of the housekeeping. To be called several times a second."""
        self.now = now
        self._hot.most = self.bounds.memory
        if self.files.usage.total() > self.bounds.files:  # they were larger, or several stored at once
            self._room.make(0, self.bounds.files, now)
        try:
            self._sweep.step(now)
        except OSError as error:
            self._tell("the cache cannot be swept", error)

    def close(self) -> None:
        """Leave; the last worker removes all files."""
        self._sweep.stop()
        self._hot.clear()
        self.place.close()

    @property
    def is_sweeping(self) -> bool:
        """Say whether this worker is in the middle of a pass over the files."""
        return self._sweep.is_under_way

    def make_room(self, size: int) -> bool:
        """Remove what has not been used for longest where `size` more bytes are too many; say whether there is room."""
        if self._room.make(size, self.bounds.files, self.now):
            return True
        self.refused()
        return False

    def refused(self) -> None:
        """Count an answer that was not stored."""
        self._row.add(layout.CACHE_REFUSED, 1)

    def failed(self, error: OSError) -> None:
        """Count and tell what did not go well."""
        self.refused()
        self._tell("an answer is not stored in the cache", error)
        if isinstance(error, FileNotFoundError):
            self._open()
        elif error.errno in (ENOSPC, EDQUOT):
            self._room.free(self.files.usage.total() // SPARE, self.now)

    def _begin(self, key: bytes, label: Label, ticket: int, most: int, identity: bytes) -> FileWriter | None:
        start = form.start_of(key, label)
        if not form.is_storable(label, start):
            self.refused()
            return None
        return FileWriter(self, Head(key, label, ticket, identity), start, min(most, self.bounds.files - start))

    def _find_file(self, key: bytes) -> FileEntry | None:
        entry = self.files.find(key, self.now)
        if entry is not None and entry.body is not None:
            self._hot.add(key, entry)
        else:
            self._hot.drop(key)
        return entry

    def _open(self) -> None:
        try:
            self.place.open()
        except OSError as error:
            self._tell(f"the directory {self.place.root} for the cache cannot be made", error)

    def _tell(self, what: str, error: OSError) -> None:
        if self.now >= self._log_at:
            self._log_at = self.now + LOG_SECONDS
            _log.warning("%s: %s", what, error.strerror or error)
