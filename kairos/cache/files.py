"""The files of the cache: find one, put one in its place, remove one. Times are CLOCK_MONOTONIC.

The times of a file are its own: the access time says when it was last used, the modification time when it will be of no
more use. So a sweep needs no more than to look at it.
"""

import fcntl
import os
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kairos._speedups import Cells
from kairos.cache import form, place, words
from kairos.cache.entry import FileEntry, OpenFile
from kairos.cache.form import Damaged, Found, Head
from kairos.cache.purges import Purges
from kairos.cache.usage import UNFINISHED, Usage, pages

SMALL = 64 << 10  # bytes of a file that is read at once, and kept hot
USUAL_HEAD = 4 << 10  # bytes in which most files have all that comes before the body
TRIES = 10  # to read a head: it may look damaged because others are renewing it
USED_SECONDS = 60.0  # a file in use is marked so often, by each worker
LATEST = 1 << 31  # seconds: later than that is never

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_WRITE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Listed:
    """What a file shows from outside."""

    path: str
    pages: int
    used_at: float
    useless_at: float


class Files:
    """The files of one directory, as one worker sees them."""

    __slots__ = ("_cells", "_made", "_mark", "_names", "_root", "purges", "usage")

    def __init__(self, cells: Cells, root: Path, names: words.Names) -> None:
        self._cells = cells
        self._names = names
        self._root = str(root)
        self._mark = f"{os.getpid()}-{os.urandom(8).hex()}"  # of its unfinished files
        self._made = 0
        self.usage = Usage(cells)
        self.purges = Purges(cells, root / place.RULES)

    def where(self, key: bytes) -> tuple[str, int]:
        """Return the path of a key's file, and the index of the key's word."""
        name, index = self._names.of(key)
        return f"{self._root}/{place.FILES}/{name[:2]}/{name[2:]}", index

    def find(self, key: bytes, now: float) -> FileEntry | None:
        """Return what is stored under a key, and mark its file as used."""
        path, index = self.where(key)
        rules, word = self._cells.load(words.RULES), self._cells.load(index)  # before the file: what comes later shows
        try:
            self.purges.learn(rules)
            entry = self._read(path, key, word, now)
        except OSError:
            return None
        if entry is None:
            self.unlink(path)
            return None
        entry.index, entry.word, entry.rules, entry.used_at = index, word, rules, now
        return entry

    def _read(self, path: str, key: bytes, word: int, now: float) -> FileEntry | None:
        """Read a file; None if what it has is of no use to anybody. Raises OSError."""
        for _ in range(TRIES):
            with suppress(Damaged):
                return self._read_once(opened(path), key, word, now)
        return None

    def _read_once(self, file: OpenFile, key: bytes, word: int, now: float) -> FileEntry | None:
        stat = os.fstat(file.fd)
        is_small = stat.st_size <= SMALL
        data = os.pread(file.fd, SMALL if is_small else USUAL_HEAD, 0)
        found = read_head(file.fd, data)
        head = found.head
        if head.key != key or stat.st_size != found.start + found.size:
            raise Damaged("it is not what belongs here")
        if self.purges.cover(head) or not (found.prefix.is_confirmed or words.removed_at(word) <= head.ticket):
            return None
        if not abs(now - stat.st_atime) < USED_SECONDS:
            set_times(file.fd, now, head.label.useless_at)
        if is_small:
            return FileEntry(head, found.size, data[found.start :], None, 0)
        return FileEntry(head, found.size, None, file, found.start)

    def mark_used(self, key: bytes, entry: FileEntry, now: float) -> None:
        """Note that an answer was used, for whoever has to make room."""
        entry.used_at = now
        with suppress(OSError):
            set_times(self.where(key)[0], now, entry.label.useless_at)

    def create(self) -> tuple[int, str]:
        """Make an unfinished file. Raises OSError."""
        self._made += 1
        path = f"{self._root}/{place.UNFINISHED}/{self._mark}-{self._made}"
        return os.open(path, _WRITE, 0o600), path

    def place(self, fd: int, unfinished: str, head: Head, size: int, now: float) -> bool:
        """Put an unfinished file of `size` bytes in its place; False if it was purged meanwhile. Raises OSError."""
        path, index = self.where(head.key)
        if not self.is_wanted(head, index):
            os.unlink(unfinished)
            return False
        replaced = size_of(path)
        self._move(unfinished, path)
        shard = self._shard(path)
        self.usage.add(shard, pages(size) - replaced)
        if words.removed_at(self._cells.load(index)) > head.ticket:
            self.unlink(path)  # whoever removed the key came before us and has not seen the file
            self._cells.fetch_add(index, 1)
            return False
        os.pwrite(fd, form.CONFIRMED, form.CONFIRMED_AT)
        set_times(fd, now, head.label.useless_at)
        self._cells.fetch_add(index, 1)
        return True

    def _move(self, unfinished: str, path: str) -> None:
        try:
            os.rename(unfinished, path)
        except FileNotFoundError:  # it is the first of its shard
            with suppress(FileExistsError):
                os.mkdir(os.path.dirname(path), 0o700)
            os.rename(unfinished, path)

    def relabel(self, entry: FileEntry, head: Head, now: float) -> bool:
        """Write a new head into the file of a large entry that was found just now, and is wanted. Raises OSError.

        False tells that this cannot be done: the file is small, the label too large, or somebody else does so too.
        """
        path, index = self.where(head.key)
        if entry.body is not None:
            return False
        file = OpenFile(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW))
        fd = file.fd
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = read_head(fd, os.pread(fd, USUAL_HEAD, 0))
        except (BlockingIOError, Damaged):
            return False
        slots, slot = found.prefix.slot_size, 1 - found.prefix.slot
        data = form.pack_head(head, found.size)
        if len(data) > form.slot_room(slot, slots) or found.head.identity != head.identity:
            return False
        os.pwrite(fd, data, form.slot_at(slot, slots))
        os.pwrite(fd, bytes((slot,)), form.SLOT_AT)
        set_times(fd, now, head.label.useless_at)
        self._cells.fetch_add(index, 1)
        return True

    def is_wanted(self, head: Head, index: int) -> bool:
        """Say whether an answer has been purged or removed since it was asked for."""
        self.purges.learn(self._cells.load(words.RULES))
        if self.purges.cover(head) or self.purges.are_forgotten(head.ticket):
            return False
        return words.removed_at(self._cells.load(index)) <= head.ticket

    def remove(self, key: bytes) -> None:
        """Forget what is stored under a key, and what is on its way there."""
        path, index = self.where(key)
        words.mark_removed(self._cells, index)  # whoever puts a file in its place after the next line sees this
        self.unlink(path)
        self._cells.fetch_add(index, 1)  # whoever has read the file before that line sees this

    def unlink(self, path: str, shard: int | None = None, freed: int | None = None) -> int:
        """Remove a file, if it is there; return how many pages that frees, if that is not said."""
        if freed is None:
            freed = size_of(path)
        try:
            os.unlink(path)
        except OSError:
            return 0
        self.usage.add(self._shard(path) if shard is None else shard, -freed)
        return freed

    def listed(self, shard: int, most: int | None = None) -> Iterator[Listed]:
        """Look at all files of a shard, or at `most` of them that chance has chosen."""
        folder = self._root + (f"/{place.UNFINISHED}" if shard == UNFINISHED else f"/{place.FILES}/{shard:02x}")
        with suppress(FileNotFoundError):
            names = os.listdir(folder)
            for name in names if most is None or len(names) <= most else random.sample(names, most):
                path = f"{folder}/{name}"
                with suppress(FileNotFoundError):
                    stat = os.stat(path, follow_symlinks=False)
                    yield Listed(path, pages(stat.st_size), stat.st_atime, stat.st_mtime)

    def head_of(self, path: str) -> Head | None:
        """Read what a file is; None if it is gone or damaged."""
        with suppress(OSError, Damaged):
            file = opened(path)
            return read_head(file.fd, os.pread(file.fd, USUAL_HEAD, 0)).head
        return None

    def _shard(self, path: str) -> int:
        start = len(self._root) + len(place.FILES) + 2
        return int(path[start : start + 2], 16)


def read_head(fd: int, data: bytes) -> Found:
    """Read the head of a file that begins with `data`. Raises Damaged, also while others write it."""
    prefix = form.unpack_prefix(data)
    at = prefix.slot_at
    if form.is_whole(data, at):
        return form.unpack(prefix, data, at)
    return form.unpack(prefix, os.pread(fd, form.MOST_HEAD, at), 0)


def opened(path: str) -> OpenFile:
    """Open a file to read it, and leave its times alone. Raises OSError."""
    try:
        return OpenFile(os.open(path, _READ | os.O_NOATIME))
    except PermissionError:  # some file systems do not know who the owner is
        return OpenFile(os.open(path, _READ))


def set_times(file: str | int, used_at: float, useless_at: float) -> None:
    """Note in a file when it was used, and when it will be of no more use."""
    os.utime(file, (used_at, min(useless_at, LATEST)))


def size_of(path: str) -> int:
    """Return how many pages a file takes; none if it is not there."""
    try:
        return pages(os.stat(path, follow_symlinks=False).st_size)
    except OSError:
        return 0
