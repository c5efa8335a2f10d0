"""Consistent hashing: the same key goes to the same backend, and few keys move when backends come and go.

How it works. Each key has an order of the backends of its own (rendezvous hashing), which depends on their addresses
and weights alone: without a backend its keys go on to the next of their own orders, and all others stay. A bound on the
load keeps a popular key from flooding its backend: no backend has more than `factor` times its share of what is in
flight, and what is too much goes on to the next in the order of its key that has room.
"""

from collections.abc import Callable, Sequence
from struct import pack
from typing import Any

from kairos._speedups import ranking, siphash13
from kairos._speedups.selection import Loads, Orders
from kairos.balancing.keys import ByClient, ByCookie, ByField, ByPath
from kairos.protocols.http1.head import RequestHead


class ConsistentHash:
    """The same backend for the same key, on every machine and after every restart; a request without a key takes turns.

    `factor` is at least 1; 0.0 sets no bound.
    """

    __slots__ = ("_by", "_items", "_loads", "_next_position", "_seeds", "_shares", "_turns", "_weights")

    def __init__(
        self,
        backends: Sequence[Any],
        addresses: Sequence[str],
        weights: Sequence[int],
        by: ByClient | ByField | ByCookie | ByPath,
        factor: float,
        loads: Loads,
        next_position: Callable[[], int],
    ) -> None:
        total = sum(weights)
        self._items = tuple(backends)
        self._turns = Orders(backends)
        self._seeds = pack(f"={len(addresses)}Q", *_seeds(addresses))
        self._weights = pack(f"={len(weights)}d", *weights) if len(set(weights)) > 1 else b""
        self._shares = tuple([factor * weight / total for weight in weights]) if factor else None
        self._by = by
        self._loads = loads
        self._next_position = next_position

    def choices(self, client: str, head: RequestHead) -> tuple[Any, ...]:
        """Return the backends in the order of the request's key, those with room for it first."""
        key = self._by.key(client, head)
        if key is None:
            return self._turns.at(self._next_position())
        order = ranking(siphash13(key), self._seeds, self._weights)
        if self._shares is not None:
            order = self._bounded(order)
        return tuple([self._items[index] for index in order])

    def _bounded(self, order: tuple[int, ...]) -> tuple[int, ...]:
        """Put those that have their share behind the others."""
        loads = [self._loads.load(index) for index in range(len(order))]
        total = 1  # this request is one of those that are to be shared
        for index in order:
            total += loads[index]
        room: list[int] = []
        full: list[int] = []
        for index in order:
            share: float = self._shares[index]  # type: ignore[index]
            load: int = loads[index]
            (room if load < share * total else full).append(index)
        return (*room, *full) if full else order


def _seeds(addresses: Sequence[str]) -> list[int]:
    """Return a hash for each address; a repeated one has another each time, so that it has a share for each."""
    seen: dict[str, int] = {}
    seeds = []
    for address in addresses:
        times = seen[address] = seen.get(address, -1) + 1
        seeds.append(siphash13(address.encode() + b"\0" * times))
    return seeds
