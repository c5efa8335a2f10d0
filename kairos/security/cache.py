"""A bounded memory of credentials that have been found good."""

from typing import Generic, TypeVar

V = TypeVar("V")

MAX_ENTRIES = 8192
MAX_BYTES = 8 << 20


class Remembered(Generic[V]):
    """What was verified, for as long as it holds.

    How it works: there are two halves. What is new or used goes into the young one; when that is full, the old one is
    forgotten and the young one becomes old. So what is in use stays, and no entry has to be moved or counted.
    """

    __slots__ = ("_bytes", "_max_bytes", "_max_entries", "_old", "_young")

    def __init__(self, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries // 2
        self._max_bytes = max_bytes // 2
        self.clear()

    def __len__(self) -> int:
        return len(self._old) + len(self._young)

    def clear(self) -> None:
        """Forget everything."""
        self._old: dict[bytes, tuple[float, V]] = {}
        self._young: dict[bytes, tuple[float, V]] = {}
        self._bytes = 0

    def get(self, credential: bytes, wall: float) -> V | None:
        """Return what is known of a credential at a Unix time."""
        found = self._young.get(credential)
        if found is None:
            found = self._old.pop(credential, None)
            if found is None:
                return None
            self.add(credential, *found)
        return found[1] if wall < found[0] else None

    def add(self, credential: bytes, until: float, value: V) -> None:
        """Remember this until a Unix time."""
        size = len(credential)
        if len(self._young) >= self._max_entries or self._bytes + size > self._max_bytes:
            if size > self._max_bytes:
                return
            self._old, self._young = self._young, {}
            self._bytes = 0
        if credential not in self._young:
            self._bytes += size
        self._young[credential] = (until, value)
