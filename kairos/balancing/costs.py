"""Choose by what a request would cost at each backend.

Up to eight backends are all compared, and equal ones take turns by their weights. Of more, two are drawn by their
weights and the better one is taken (the power of two choices): nearly as even, and no herd runs to the same backend
when several workers choose at the same moment.
"""

from collections.abc import Callable, Sequence
from typing import Any

from kairos._speedups.selection import Loads, Orders, by_cost, smooth_cycle
from kairos.balancing.latency import Latency
from kairos.protocols.http1.head import RequestHead

FEW = 8  # backends that are all compared
_FEW = FEW


class Busyness:
    """A request costs as much as there would be in flight, per weight; an idle backend costs nothing."""

    __slots__ = ("_loads", "_weights")

    def __init__(self, weights: Sequence[int], loads: Loads) -> None:
        self._weights = tuple(map(float, weights))
        self._loads = loads

    def costs(self, indexes: tuple[int, ...]) -> list[float]:
        """Return the costs of some backends."""
        costs = []
        for index in indexes:
            load = self._loads.load(index)
            weight = self._weights[index]
            costs.append((load + 1) / weight if load > 0 else 0.0)
        return costs


class Slowness:
    """A request costs the usual time of an answer for each that would be in flight, per weight.

    A backend that nobody has measured counts as the average of those that were, so that it gets its share and no herd.
    """

    __slots__ = ("_latencies", "_loads", "_now", "_weights")

    def __init__(
        self, weights: Sequence[int], loads: Loads, latencies: Sequence[Latency], now: Callable[[], float]
    ) -> None:
        self._weights = tuple(map(float, weights))
        self._loads = loads
        self._latencies = tuple(latencies)
        self._now = now

    def costs(self, indexes: tuple[int, ...]) -> list[float]:
        """Return the costs of some backends."""
        now = self._now()
        unknown = 0.0
        costs = []
        for index in indexes:
            latency: Latency = self._latencies[index]
            seconds = latency.seconds(now)
            if seconds == 0.0:
                if unknown == 0.0:
                    unknown = self._average(now)
                seconds = unknown
            load = self._loads.load(index)
            weight = self._weights[index]
            costs.append(seconds * (load + 1) / weight)
        return costs

    def _average(self, now: float) -> float:
        """Return the average of all that were measured; 1.0 if none was, so that only loads and weights count."""
        total, measured = 0.0, 0
        for index in range(len(self._latencies)):
            latency: Latency = self._latencies[index]
            seconds = latency.seconds(now)
            if seconds > 0.0:
                total += seconds
                measured += 1
        return total / measured if measured else 1.0


class Cheapest:
    """The backend at which a request costs least."""

    __slots__ = ("_count", "_cycle", "_draw", "_items", "_length", "_next_position", "_prices", "_turns", "_twice")

    def __init__(
        self,
        backends: Sequence[Any],
        weights: Sequence[int],
        prices: Busyness | Slowness,
        next_position: Callable[[], int],
        draw: Callable[[int], int],
    ) -> None:
        self._items = tuple(backends)
        self._twice = self._items * 2
        self._count = len(self._items)
        self._cycle = smooth_cycle(tuple(weights))
        self._length = len(self._cycle)
        self._turns = Orders(range(self._count), self._cycle)
        self._prices = prices
        self._next_position = next_position
        self._draw = draw

    def choices(self, client: str, head: RequestHead) -> tuple[Any, ...]:
        """Return the backends by their costs; of many, the better of two, the other, then those that follow them."""
        if self._count > _FEW:
            return self._of_two(self._draw(self._length * self._length))
        turns = self._turns.at(self._next_position())
        return by_cost(self._items, turns, self._prices.costs(turns))

    def _of_two(self, drawn: int) -> tuple[Any, ...]:
        """Begin with the better one of two; `drawn` is a number below the square of the length of the cycle."""
        one: int = self._cycle[drawn // self._length]
        at = drawn % self._length
        other: int = self._cycle[at]
        while other == one:
            at = at + 1 if at + 1 < self._length else 0
            other = self._cycle[at]
        costs: list[float] = self._prices.costs((one, other))
        first, second = (other, one) if costs[1] < costs[0] else (one, other)
        between = (second - first) % self._count + first
        rest = self._twice[first + 1 : between] + self._twice[between + 1 : first + self._count]
        return (self._items[first], self._items[second], *rest)
