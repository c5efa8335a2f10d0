"""A stored answer as it was found, and the hot ones of a worker."""

import os
from collections import OrderedDict

from kairos.cache.form import Head
from kairos.traffic.caching.store import Label

OVERHEAD = 1_000  # bytes that an entry takes beside its label and body, about


class OpenFile:
    """A descriptor that is closed when nobody has this object any more."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


class FileEntry:
    """An answer that was found: in memory, or in a file that can be read though it has lost its name."""

    __slots__ = (
        "_file",
        "_start",
        "body",
        "head",
        "index",
        "is_used",
        "label",
        "opened",
        "rules",
        "size",
        "used_at",
        "word",
    )

    def __init__(self, head: Head, size: int, body: bytes | None, file: OpenFile | None, start: int) -> None:
        self.head = head
        self.label: Label = head.label
        self.size = size
        self.body = body
        self.opened: object = None
        self._file = file
        self._start = start
        self.index = 0  # of the word of the key
        self.word = 0  # its value before the file was read
        self.rules = 0  # the value of words.RULES then
        self.is_used = False
        self.used_at = 0.0  # when the file was last marked as used

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes of the body from `offset` on."""
        if self.body is not None:
            return self.body[offset : offset + size]
        if self._file is None or not 0 <= offset <= self.size:
            return b""
        return os.pread(self._file.fd, min(size, self.size - offset), self._start + offset)

    @property
    def memory(self) -> int:
        """About how many bytes it takes, with what the rules keep of the label."""
        label = self.label
        return OVERHEAD + len(self.head.key) + len(label.place) + 2 * len(label.text) + len(self.body or b"")


class Hot:
    """Entries by key, those not used lately pushed out by others when there are more than `most` bytes.

    How it works: they stand in a row. Who is at its head when there is too little room is pushed out, unless it was
    used since it came to its place: then it goes to the end. So a hit costs no more than to note that it was one.
    """

    __slots__ = ("_memory", "entries", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._memory = 0
        self.entries: OrderedDict[bytes, FileEntry] = OrderedDict()

    @property
    def memory(self) -> int:
        """How many bytes they take, about."""
        return self._memory

    def add(self, key: bytes, entry: FileEntry) -> None:
        """Keep an entry, and push out what has no room beside it."""
        self.drop(key)
        if entry.memory > self.most // 4:
            return
        while self._memory + entry.memory > self.most:
            oldest, candidate = next(iter(self.entries.items()))
            if candidate.is_used:
                candidate.is_used = False
                self.entries.move_to_end(oldest)
            else:
                self.drop(oldest)
        self.entries[key] = entry
        self._memory += entry.memory

    def drop(self, key: bytes) -> None:
        """Forget an entry, if it is there."""
        entry = self.entries.pop(key, None)
        if entry is not None:
            self._memory -= entry.memory

    def clear(self) -> None:
        """Forget them all."""
        self.entries.clear()
        self._memory = 0
