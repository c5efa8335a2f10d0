"""For how long, and for how many requests, the connections to one backend are used: as it is learned, said or set."""

from typing import TYPE_CHECKING

from kairos.protocols.http1.fields import KEEP_ALIVE
from kairos.resilience.keepalive import KeepAlive, hint

if TYPE_CHECKING:
    from kairos.proxy.generation import Snapshot
    from kairos.shm.zone import Row


class Reuse:
    """Know when the connections to one backend are best left alone, and pass on what is seen of their ends.

    How it works: what all workers have learned comes first, then what the backend says of itself, then the config. It
    is read from the shared words when they have changed.
    """

    __slots__ = (
        "_ages",
        "_ages_word",
        "_cells",
        "_counts",
        "_counts_word",
        "_hint_requests",
        "_hint_seconds",
        "_keep_alive",
        "_learned_requests",
        "_learned_seconds",
        "is_bounded",
    )

    def __init__(self, keep_alive: KeepAlive | None) -> None:
        """Without `keep_alive` nothing is learned."""
        self._keep_alive = keep_alive
        self._cells: Row | None = None if keep_alive is None else keep_alive.cells
        self._ages = 0 if keep_alive is None else keep_alive.ages
        self._counts = 0 if keep_alive is None else keep_alive.counts
        self._ages_word = self._counts_word = 0  # what they were when the next two were read
        self._learned_seconds = -1.0  # below 0 is unknown
        self._learned_requests = 0  # 0 is unknown
        self._hint_seconds = -1.0
        self._hint_requests = 0
        self.is_bounded = False  # whether connections are scarce: then none is kept for longer than usual

    def learns(self, snapshot: "Snapshot") -> bool:
        """Say whether what is seen of the backend counts."""
        return self._cells is not None and snapshot.learns_keep_alive

    def may_watch(self, snapshot: "Snapshot") -> bool:
        """Say whether a connection may stay open only to see when the backend closes it."""
        return self.learns(snapshot) and not self.is_bounded

    def idle_seconds(self, snapshot: "Snapshot") -> float:
        """Return the age up to which an idle connection is used."""
        if not self.learns(snapshot):
            return snapshot.upstream_idle_seconds
        if self._cells.load(self._ages) != self._ages_word:  # type: ignore[union-attr]
            self._read()
        if self._learned_seconds >= 0:
            return min(self._learned_seconds, self._most_seconds(snapshot))
        return self._unlearned_seconds(snapshot)

    def requests(self, snapshot: "Snapshot") -> int:
        """Return how many requests a connection serves; 0 is any number."""
        most = snapshot.upstream_requests
        if self.learns(snapshot):
            if self._cells.load(self._counts) != self._counts_word:  # type: ignore[union-attr]
                self._read()
            most = _least(_least(most, self._learned_requests), self._hint_requests)
        return most

    def has_served_all(self, requests: int) -> bool:
        """Say whether the backend is known to close a connection after so many requests."""
        return 0 < self._learned_requests <= requests

    def hinted(self, raw: bytes) -> None:
        """Take what the head of the first response on a connection says of it."""
        self._hint_seconds, self._hint_requests = hint(KEEP_ALIVE.values(raw)[0])

    def closed(self, seconds: float, requests: int, now: float, snapshot: "Snapshot") -> None:
        """Learn from a connection that the backend has closed when it had been idle for so long."""
        if self._keep_alive is not None and snapshot.learns_keep_alive:
            self._keep_alive.closed(seconds, requests, now, self._unlearned_seconds(snapshot))

    def met_stale(self, seconds: float, requests: int, now: float, snapshot: "Snapshot") -> None:
        """Learn from a request that met a closed connection, which had served so many."""
        if self._keep_alive is not None and snapshot.learns_keep_alive:
            self._keep_alive.met_stale(seconds, requests, now, self._unlearned_seconds(snapshot))

    def outlived(self, seconds: float, requests: int, snapshot: "Snapshot") -> None:
        """Learn from a connection that the backend has not closed."""
        if self._keep_alive is not None and snapshot.learns_keep_alive:
            self._keep_alive.outlived(seconds, requests)

    def _unlearned_seconds(self, snapshot: "Snapshot") -> float:
        if self._hint_seconds >= 0:
            return min(self._hint_seconds, self._most_seconds(snapshot))
        return snapshot.upstream_idle_seconds

    def _most_seconds(self, snapshot: "Snapshot") -> float:
        return snapshot.upstream_idle_seconds if self.is_bounded else snapshot.upstream_idle_most

    def _read(self) -> None:
        """Read the words again. They are noted first: what changes meanwhile is read the next time."""
        if self._keep_alive is not None:
            self._ages_word = self._keep_alive.cells.load(self._ages)
            self._counts_word = self._keep_alive.cells.load(self._counts)
            self._learned_seconds = self._keep_alive.idle_seconds
            self._learned_requests = self._keep_alive.requests


def _least(one: int, other: int) -> int:
    """Return the smaller of two numbers of which 0 is any."""
    return min(one, other) if one and other else one or other
