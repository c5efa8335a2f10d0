"""Round robin: every backend in turn, counted once for all workers."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class RoundRobin(Generic[T]):
    """Name the backends of a route in order of choice.

    `next_position` returns 0, 1, 2, ... and is shared by all workers, so that the turns are exact on a node.
    """

    __slots__ = ("_backends", "_next_position")

    def __init__(self, backends: Sequence[T], next_position: Callable[[], int]) -> None:
        self._backends = tuple(backends)
        self._next_position = next_position

    def choices(self, client: str) -> Sequence[T]:
        """Return all backends, first choice first."""
        backends = self._backends
        if len(backends) < 2:
            return backends
        start = self._next_position() % len(backends)
        return backends[start:] + backends[:start]
