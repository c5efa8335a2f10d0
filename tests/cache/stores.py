"""Workers of a node, without processes: stores on one zone."""

from collections.abc import Iterator
from math import inf
from pathlib import Path

from kairos.cache.store import Bounds, FileStore
from kairos.shm.zone import Zone
from kairos.traffic.caching.store import Entry, Label

NOW = 1000.0
BOUNDS = Bounds(files=64 << 20, memory=1 << 20, body=32 << 20)


class Node:
    """A zone, and workers that share a directory."""

    def __init__(self, base: Path, *, workers: int = 2, bounds: Bounds = BOUNDS) -> None:
        self.base = base
        self.bounds = bounds
        self.zone = Zone(workers, columns=8, words=8, guarded_bytes=1 << 15)
        self.workers = [self.worker(slot) for slot in range(workers)]
        self.root = self.workers[0].place.root

    def worker(self, slot: int) -> FileStore:
        """Start a worker, the first or another one in this slot."""
        return FileStore(self.zone, slot, self.base, self.bounds, NOW)

    def files(self) -> list[Path]:
        """Return the files that answers are in."""
        return sorted(self.root.glob("files/*/*"))

    def unfinished(self) -> list[Path]:
        """Return the files that are being written."""
        return sorted(self.root.glob("unfinished/*"))

    def rules(self) -> list[Path]:
        """Return the purges that are noted."""
        return sorted(self.root.glob("rules/*"))

    def close(self) -> None:
        """Let all workers end."""
        for worker in self.workers:
            worker.close()
        self.zone.close()


def label(
    place: bytes = b"example.com/a", *tags: bytes, useless_at: float = inf, text: bytes = b"HTTP/1.1 200 OK"
) -> Label:
    """Return a label, of which most tests need to know nothing."""
    return Label(place, tags, useless_at, text)


def stored(store: FileStore, key: bytes, *pieces: bytes, about: Label | None = None, ticket: int | None = None) -> bool:
    """Store an answer; say whether it is."""
    writer = store.begin(key, about or label(), store.ticket() if ticket is None else ticket)
    if writer is None:
        return False
    for piece in pieces:
        if not writer.write(piece):
            return False
    return writer.commit()


def body(store: FileStore, key: bytes) -> bytes | None:
    """Return the body of what is found, read in pieces."""
    entry = store.find(key)
    return None if entry is None else whole(entry)


def whole(entry: Entry) -> bytes:
    """Read all of a body."""
    return b"".join(pieces(entry))


def pieces(entry: Entry, size: int = 1 << 16) -> Iterator[bytes]:
    """Read a body in pieces."""
    for offset in range(0, entry.size, size):
        yield entry.read(offset, size)


def sweep(store: FileStore, now: float) -> None:
    """Let a worker do the housekeeping until a pass has ended."""
    for _ in range(10_000):
        store.tick(now)
        if not store.is_sweeping:
            return
    raise AssertionError("the pass does not end")
