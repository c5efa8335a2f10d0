"""An answer on its way into the cache: kept in memory while it is small, then in an unfinished file."""

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from kairos.cache import form
from kairos.cache.form import Head
from kairos.cache.usage import UNFINISHED, pages

if TYPE_CHECKING:
    from kairos.cache.store import FileStore

PIECE = 256 << 10  # bytes that are kept in memory before they are written


class FileWriter:
    """One answer. It is not stored if it gets larger than `most`, or if the store has no room for it."""

    __slots__ = (
        "_counted",
        "_fd",
        "_is_over",
        "_most",
        "_parts",
        "_path",
        "_size",
        "_slots",
        "_start",
        "_store",
        "_waiting",
        "head",
    )

    def __init__(self, store: "FileStore", head: Head, start: int, most: int) -> None:
        """`start` is where the body begins in the file."""
        self._store = store
        self.head = head
        self._start = start
        self._slots = 0  # their size, if there are two
        self._most = most
        self._parts: list[bytes] = []  # that are not written yet
        self._waiting = 0  # their bytes
        self._size = 0
        self._fd = -1
        self._path = ""
        self._counted = 0  # pages of the unfinished file
        self._is_over = False

    def __del__(self) -> None:
        self.abort()

    def write(self, data: bytes) -> bool:
        """Add to the body; False if it will not be stored, so that more need not be written."""
        if self._is_over:
            return False
        self._size += len(data)
        self._waiting += len(data)
        self._parts.append(data)
        if self._size > self._most:
            self._store.refused()
            self.abort()
        elif self._waiting > PIECE:
            try:
                self._write_out()
            except OSError as error:
                self._give_up(error)
        return not self._is_over

    def commit(self) -> bool:
        """Let all workers find it in place of what its key had; False if it is not stored, or was purged meanwhile."""
        if self._is_over:
            return False
        try:
            return self._commit()
        except OSError as error:
            self._give_up(error)
            return False
        finally:
            self.abort()

    def abort(self) -> None:
        """Leave nothing behind."""
        self._is_over = True
        self._parts.clear()
        if self._fd < 0:
            return
        os.close(self._fd)
        self._fd = -1
        if self._path:
            with suppress(OSError):
                os.unlink(self._path)
        self._count(0)

    def _commit(self) -> bool:
        if not self._store.make_room(self._start + self._size):
            return False
        beginning = form.pack(self.head, self._size, self._slots)
        if self._fd < 0:
            self._fd, self._path = self._store.files.create()
            self._parts.insert(0, beginning)
            self._flush()
        else:
            self._flush()
            os.pwrite(self._fd, beginning, 0)
        path, self._path = self._path, ""
        try:
            return self._store.files.place(self._fd, path, self.head, self._start + self._size, self._store.now)
        except OSError:
            self._path = path
            raise

    def _write_out(self) -> None:
        """Write what waits into the unfinished file."""
        if not self._store.make_room(self._waiting):
            self.abort()
            return
        if self._fd < 0:
            self._fd, self._path = self._store.files.create()
            self._slots = form.slot_size(self._start)
            self._start = 2 * self._slots
            self._parts.insert(0, bytes(self._start))  # no file has such a beginning that is whole
        self._flush()
        self._count(pages(self._start + self._size))

    def _flush(self) -> None:
        data = memoryview(b"".join(self._parts))
        while data:
            data = data[os.write(self._fd, data) :]
        self._parts.clear()
        self._waiting = 0

    def _count(self, count: int) -> None:
        if count != self._counted:
            self._store.files.usage.add(UNFINISHED, count - self._counted)
            self._counted = count

    def _give_up(self, error: OSError) -> None:
        self._store.failed(error)
        self.abort()
