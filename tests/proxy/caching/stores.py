"""A store of answers in memory, as exact as the real one, with failures that the test decides on."""

from collections.abc import Callable
from itertools import count

from kairos.traffic.caching.store import Entry, Label


class Kept:
    """An answer in memory; `body` is None if it `is_large`, so that it has to be read in pieces."""

    def __init__(self, label: Label, content: bytes, *, is_large: bool = False) -> None:
        self.label = label
        self.size = len(content)
        self.body = None if is_large else content
        self.opened: object = None
        self.content = content
        self.is_lost = False

    def read(self, offset: int, size: int) -> bytes:
        if self.is_lost:
            raise OSError("gone")
        return self.content[offset : offset + size]


class Writing:
    """An answer on its way."""

    def __init__(self, store: "MemoryStore", key: bytes, label: Label, ticket: int) -> None:
        self.store = store
        self.key = key
        self.label = label
        self.ticket = ticket
        self.data: list[bytes] | None = []

    def write(self, data: bytes) -> bool:
        if self.store.is_full:
            self.data = None
        if self.data is not None:
            self.data.append(data)
        return self.data is not None

    def commit(self) -> bool:
        if self.data is None or self.store.purged.get(self.key, -1) >= self.ticket or self.store.is_full:
            return False
        is_large = sum(map(len, self.data)) > self.store.large
        self.store.entries[self.key] = Kept(self.label, b"".join(self.data), is_large=is_large)
        return True

    def abort(self) -> None:
        self.store.aborted += 1
        self.data = None


class MemoryStore:
    """What is stored under each key. Purges look at everything."""

    def __init__(self) -> None:
        self.entries: dict[bytes, Kept] = {}
        self.purged: dict[bytes, int] = {}
        self.is_full = False
        self.large = 1 << 30
        self.aborted = 0
        self._clock = count()

    def find(self, key: bytes) -> Entry | None:
        return self.entries.get(key)

    def ticket(self) -> int:
        return next(self._clock)

    def begin(self, key: bytes, label: Label, ticket: int) -> Writing | None:
        return Writing(self, key, label, ticket)

    def refresh(self, key: bytes, entry: Entry, label: Label, ticket: int) -> Entry | None:
        old = self.entries.get(key)
        if old is not entry or old is None:
            return None
        self.entries[key] = Kept(label, old.content, is_large=old.body is None)
        return self.entries[key]

    def remove(self, key: bytes) -> None:
        self.purged[key] = next(self._clock)
        self.entries.pop(key, None)

    def purge(self, place: bytes, *, below: bool = False) -> None:
        self._forget(lambda label: label.place.startswith(place) if below else label.place == place)

    def purge_tag(self, tag: bytes) -> None:
        self._forget(lambda label: tag in label.tags)

    def _forget(self, is_meant: Callable[[Label], bool]) -> None:
        for key in [key for key, entry in self.entries.items() if is_meant(entry.label)]:
            self.remove(key)
