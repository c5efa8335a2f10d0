"""What a route asks of its balancer, and which balancer a strategy stands for."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from kairos._speedups.selection import Loads
from kairos.balancing.algorithms import IpHash, LeastConnections, Only, Random, Turns

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Balancer(Protocol[T_co]):
    """Names the backends of a route in order of choice."""

    def choices(self, client: str) -> tuple[T_co, ...]:
        """Return all backends for a request from the address `client`: the first choice, then where to go on."""


def balancer(
    strategy: str,
    backends: Sequence[T],
    weights: Sequence[int],
    *,
    next_position: Callable[[], int],
    draw: Callable[[int], int],
    loads: Loads,
) -> Balancer[T]:
    """Return the balancer that the config calls `strategy`; ValueError if there is none of that name.

    `next_position` counts the requests of all workers: 0, 1, 2, ... `draw(n)` is a random number from 0 to n - 1.
    `loads` tells how many requests each backend has in flight. Weights matter to "weighted" alone.
    """
    if len(backends) < 2:
        return Only(backends)
    match strategy:
        case "round_robin":
            return Turns(backends, None, next_position)
        case "weighted":
            return Turns(backends, weights, next_position)
        case "least_connections":
            return LeastConnections(backends, loads, next_position)
        case "random":
            return Random(backends, draw)
        case "ip_hash":
            return IpHash(backends)
    raise ValueError(f"no load balancing strategy is called {strategy!r}")
