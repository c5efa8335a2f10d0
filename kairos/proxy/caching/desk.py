"""What the cache of one worker has under way: who asks a backend for what, and who waits for that."""

from typing import TYPE_CHECKING

from kairos.traffic.caching.store import Store

if TYPE_CHECKING:
    from kairos.proxy.caching.fetch import Fetch
    from kairos.proxy.plane import DataPlane

MOST_REMEMBERED = 4096  # keys of each kind; then all are forgotten, which costs a little waiting
WAIT_SECONDS = 5.0  # for the answer to somebody else's request; then a request goes its own way
ALONE_SECONDS = 60.0  # in which nobody waits for an answer again that could not be stored
FAILED_SECONDS = 1.0  # in which a stale answer is sent at once, after backends have failed


class Desk:
    """The fetches of a worker. Those of all routes are in one place, and so it survives a reload."""

    __slots__ = ("_alone", "_failed", "leads", "plane", "store")

    def __init__(self, plane: "DataPlane", store: Store) -> None:
        self.plane = plane
        self.store = store
        self.leads: dict[bytes, Fetch] = {}  # by key: the fetch whose answer others wait for
        self._alone: dict[int, float] = {}  # by the hash of the key, which may be long
        self._failed: dict[int, float] = {}

    def goes_alone(self, key: bytes, now: float) -> bool:
        """Say whether there is no use in waiting for an answer, since the last one could not be shared."""
        return self._alone.get(hash(key), 0.0) > now

    def has_failed(self, key: bytes, now: float) -> bool:
        """Say whether backends have failed to answer a moment ago."""
        return self._failed.get(hash(key), 0.0) > now

    def note_alone(self, key: bytes, until: float) -> None:
        """Let everybody go alone for a while."""
        _remember(self._alone, key, until)

    def note_failed(self, key: bytes, now: float) -> None:
        """Leave the backends alone for a moment."""
        _remember(self._failed, key, now + FAILED_SECONDS)

    def note_shared(self, key: bytes) -> None:
        """Let requests wait for each other again: the answer could be stored."""
        self._alone.pop(hash(key), None)
        self._failed.pop(hash(key), None)


def _remember(moments: dict[int, float], key: bytes, until: float) -> None:
    if len(moments) >= MOST_REMEMBERED:
        moments.clear()
    moments[hash(key)] = until
