"""What the cache asks of the place where answers are kept.

How it works: to the store an answer is a key, a label and a body. What selects a variant (Vary) is part of the key, and
what the label says besides its named fields is bytes that only the rules read. So the store knows nothing of HTTP.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Label:
    """What is kept of an answer beside its body.

    `place` is host and path as in `example.com/a/b`, `tags` are names: by these it can be purged. After `useless_at`
    (CLOCK_MONOTONIC, seconds) nobody will ask for it. `text` is for the rules: a few hundred bytes, sometimes 32 KiB.
    """

    place: bytes
    tags: tuple[bytes, ...]
    useless_at: float
    text: bytes


class Entry(Protocol):
    """A stored answer, immutable and whole. Who holds one can read it to its end, whatever happens in the store."""

    label: Label
    size: int
    """Of the body, in bytes."""
    body: bytes | None
    """The whole body if it is in memory, else None: then it is read in pieces."""
    opened: object
    """For the rules, to keep what they have read from `label.text`; at first None, and lost with the hot copy."""

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes of the body from `offset` on; OSError if they cannot be read."""


class Writer(Protocol):
    """An answer on its way into the store. Nobody finds it before `commit`; who drops it has aborted it.

    No method raises OSError: what the disk refuses, or is too large for the store, is not stored.
    """

    def write(self, data: bytes) -> bool:
        """Add to the body; False if it will not be stored, so that more need not be written."""

    def commit(self) -> bool:
        """Let all workers find it in place of what its key had; False if it is not stored, or was purged meanwhile."""

    def abort(self) -> None:
        """Leave nothing behind."""


class Store(Protocol):
    """Where the workers of a node keep answers for each other, within bounds of bytes.

    It is exact: what `find` returns is what the last `commit`, `refresh`, `remove` or purge of any worker has left,
    and an answer that was asked for before a purge is never found after it. It never waits and never raises OSError.
    """

    def find(self, key: bytes) -> Entry | None:
        """Return what is stored under a key. This is the way of every hit, and has to be cheap."""

    def ticket(self) -> int:
        """Return what tells `begin` of purges since now; to be taken before the backend is asked."""

    def begin(self, key: bytes, label: Label, ticket: int) -> Writer | None:
        """Begin to store an answer; None if it cannot be."""

    def refresh(self, key: bytes, entry: Entry, label: Label, ticket: int) -> Entry | None:
        """Give the answer that `find` has returned a new label and the same body; None if it is gone meanwhile."""

    def remove(self, key: bytes) -> None:
        """Forget what is stored under a key, and what is on its way there with an older ticket."""

    def purge(self, place: bytes, *, below: bool = False) -> None:
        """Forget all answers of a place, or of all places that begin so."""

    def purge_tag(self, tag: bytes) -> None:
        """Forget all answers with a tag."""
