"""Put items in order of choice: by turns in proportion to weights, or by how loaded they are.

How it works
------------
A cycle is a tuple of indexes: at each position stands the item whose turn it is. The order for a position begins with
that item and goes on with the others as their next turns come. A short cycle has all its orders made at the start, so
that choosing is one look into a tuple; those of a long one are made when they are asked for.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kairos._speedups import Cells as Row

LONGEST_CYCLE = 1024  # turns after which weights are rounded
READY_ORDERS = 64  # positions of a cycle whose orders are made at the start


@lru_cache(maxsize=64)  # routes often share their weights
def smooth_cycle(weights: tuple[int, ...]) -> tuple[int, ...]:
    """Return one cycle of turns in proportion to positive weights, those of each item spread as evenly as may be.

    It is exact if the weights, divided by their greatest common divisor, add up to at most 1,024 or are all equal.
    Otherwise each is rounded to the nearest number of 1,024 turns, so that it is off by at most half a turn; an item
    with a share of less than half a turn gets one.
    """
    return spread(turns_of(weights))


def spread(turns: list[int]) -> tuple[int, ...]:
    """Return a cycle in which each index has its number of turns: smooth weighted round robin, as nginx has it."""
    total = sum(turns)
    current = [0] * len(turns)
    cycle = []
    for _ in range(total):
        best = 0
        for index in range(len(turns)):
            current[index] += turns[index]
            if current[index] > current[best]:
                best = index
        current[best] -= total
        cycle.append(best)
    return tuple(cycle)


def turns_of(weights: tuple[int, ...]) -> list[int]:
    """Return how many turns each item has in a cycle."""
    divisor = gcd(*weights)
    turns = [weight // divisor for weight in weights]
    total = sum(turns)
    if total <= LONGEST_CYCLE or max(turns) == 1:
        return turns
    return [max(1, (2 * weight * LONGEST_CYCLE + total) // (2 * total)) for weight in turns]


def by_cost(items: tuple[Any, ...], turns: tuple[int, ...], costs: list[float]) -> tuple[Any, ...]:
    """Return the items that `turns` names by index, the cheapest first, equal ones as they stand; a cost for each."""
    order, prices = list(turns), list(costs)
    for end in range(1, len(order)):
        index, cost = order[end], prices[end]
        at = end
        while at > 0 and prices[at - 1] > cost:
            order[at], prices[at] = order[at - 1], prices[at - 1]
            at -= 1
        order[at], prices[at] = index, cost
    return tuple([items[index] for index in order])


class Loads:
    """How loaded some items are: for each a column, whose cells in the rows of all workers are added up when asked."""

    __slots__ = ("_columns", "_rows")

    def __init__(self, rows: "Sequence[Row]", columns: Sequence[int]) -> None:
        self._rows = tuple(rows)
        self._columns = tuple(columns)

    def load(self, index: int) -> int:
        """Return the load of the item with this index."""
        total = 0
        column = self._columns[index]
        for row in self._rows:
            total += row.load(column)
        return total


class Orders:
    """The orders in which items are chosen. `cycle` has the index of every item at least once; None is one turn each.

    The items may be of any type: which one, is a matter between those who put them in and who takes them out.
    """

    __slots__ = ("_count", "_cycle", "_items", "_length", "_ready", "_twice")

    def __init__(self, items: Sequence[Any], cycle: Sequence[int] | None = None) -> None:
        self._items = tuple(items)
        self._count = len(self._items)
        self._cycle = tuple(range(self._count) if cycle is None else cycle)
        self._length = len(self._cycle)
        self._twice = self._items * 2 if cycle is None else None
        self._ready: tuple[tuple[Any, ...], ...] | None = None
        if 0 < self._length <= READY_ORDERS:
            shared: dict[tuple[int, ...], tuple[Any, ...]] = {}  # many positions of a cycle have the same order
            self._ready = tuple(self._shared(position, shared) for position in range(self._length))

    def at(self, position: int) -> tuple[Any, ...]:
        """Return all items for a position of the cycle, which goes on in either direction without end."""
        if self._length == 0:
            return self._items
        start = position % self._length
        if self._ready is not None:
            return self._ready[start]
        if self._twice is not None:
            return self._twice[start : start + self._count]
        return self._named(self._indexes(start))

    def least_loaded(self, loads: Loads, position: int) -> tuple[Any, ...]:
        """Return all items, the least loaded first; equal ones stand in the order of turns from `position` on."""
        count = self._count
        if count == 0:
            return self._items
        start = position % count
        ranks = [loads.load((start + step) % count) * count + step for step in range(count)]
        ranks.sort()
        return tuple([self._items[(start + rank) % count] for rank in ranks])

    def _shared(self, start: int, shared: dict[tuple[int, ...], tuple[Any, ...]]) -> tuple[Any, ...]:
        """Return the order for a position, the same object for equal orders."""
        indexes = tuple(self._indexes(start))
        if indexes not in shared:
            shared[indexes] = self._named(list(indexes))
        return shared[indexes]

    def _indexes(self, start: int) -> list[int]:
        """Walk the cycle from `start` on, and note each item when its turn comes first."""
        seen = bytearray(self._count)
        indexes: list[int] = []
        at = start
        while len(indexes) < self._count:
            index = self._cycle[at]
            if not seen[index]:
                seen[index] = 1
                indexes.append(index)
            at = at + 1 if at + 1 < self._length else 0
        return indexes

    def _named(self, indexes: list[int]) -> tuple[Any, ...]:
        return tuple([self._items[index] for index in indexes])
