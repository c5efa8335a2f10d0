"""The ways to choose among the backends of a route.

Each balancer names all backends in order of choice. Where nothing else decides, the others follow the first choice in
the order of the config, so that a request goes on with the backend whose turn is next.
"""

from collections.abc import Callable, Sequence
from typing import Any

from kairos._speedups import siphash13
from kairos._speedups.selection import Loads, Orders, smooth_cycle
from kairos.protocols.http1.head import RequestHead


class Only:
    """No choice: there is one backend, or none."""

    __slots__ = ("_backends",)

    def __init__(self, backends: Sequence[Any]) -> None:
        self._backends = tuple(backends)

    def choices(self, client: str, head: RequestHead) -> tuple[Any, ...]:
        """Return what there is."""
        return self._backends


class Turns:
    """Every backend in turn, as often as its weight says and evenly spread; None gives each the same share.

    `next_position` is shared by all workers, so that shares are exact on a node.
    """

    __slots__ = ("_next_position", "_orders")

    def __init__(
        self, backends: Sequence[Any], weights: Sequence[int] | None, next_position: Callable[[], int]
    ) -> None:
        self._orders = Orders(backends, None if weights is None else smooth_cycle(tuple(weights)))
        self._next_position = next_position

    def choices(self, client: str, head: RequestHead) -> tuple[Any, ...]:
        """Return the backend whose turn it is, then the others as their turns come."""
        return self._orders.at(self._next_position())


class LeastConnections:
    """The backend with the fewest requests in flight, over all workers; equal ones take turns, so that they share.

    Two workers that choose at the same moment may choose the same backend: what they chose counts a moment later.
    """

    __slots__ = ("_loads", "_next_position", "_orders")

    def __init__(self, backends: Sequence[Any], loads: Loads, next_position: Callable[[], int]) -> None:
        self._orders = Orders(backends)
        self._loads = loads
        self._next_position = next_position

    def choices(self, client: str, head: RequestHead) -> tuple[Any, ...]:
        """Return the backends by their requests in flight, fewest first."""
        return self._orders.least_loaded(self._loads, self._next_position())


class Random:
    """Any backend, all with the same chance."""

    __slots__ = ("_count", "_draw", "_orders")

    def __init__(self, backends: Sequence[Any], draw: Callable[[int], int]) -> None:
        self._orders = Orders(backends)
        self._count = len(backends)
        self._draw = draw

    def choices(self, client: str, head: RequestHead) -> tuple[Any, ...]:
        """Return the backend that is drawn, then those after it."""
        return self._orders.at(self._draw(self._count))


class IpHash:
    """The same backend for a client as long as the number of backends stays the same, with or without a restart.

    The hash is that of kairos-rs, so that both send a client to the same place.
    """

    __slots__ = ("_count", "_orders")

    def __init__(self, backends: Sequence[Any]) -> None:
        self._orders = Orders(backends)
        self._count = len(backends)

    def choices(self, client: str, head: RequestHead) -> tuple[Any, ...]:
        """Return the backend of the client, then those after it; a client without an address has the first."""
        if not client:
            return self._orders.at(0)
        return self._orders.at(siphash13(client.encode() + b"\xff") % self._count)  # Rust ends a hashed text with FF
