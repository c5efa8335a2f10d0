"""What a route asks of its balancer, and which balancer a strategy stands for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from kairos._speedups.selection import Loads
from kairos.balancing.algorithms import IpHash, LeastConnections, Only, Random, Turns
from kairos.balancing.costs import Busyness, Cheapest, Slowness
from kairos.balancing.hashing import ConsistentHash
from kairos.balancing.keys import ByClient, ByCookie, ByField, ByPath
from kairos.balancing.latency import Latency
from kairos.config.document import HashOn
from kairos.protocols.http1.head import RequestHead

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Balancer(Protocol[T_co]):
    """Names the backends of a route in order of choice."""

    def choices(self, client: str, head: RequestHead) -> tuple[T_co, ...]:
        """Return all backends for a request from the address `client`: the first choice, then where to go on."""


@dataclass(frozen=True, slots=True)
class Means:
    """What balancers go by besides the request; sequences are in the order of the backends.

    `loads` tells how many requests each backend has in flight, over all workers. `next_position` counts the requests of
    all workers: 0, 1, 2, ... `draw(n)` is a random number from 0 to n - 1. `now` is CLOCK_MONOTONIC in seconds.
    `latencies` are for "peak_ewma" alone, `hash_on` for "consistent_hash".
    """

    weights: Sequence[int]
    addresses: Sequence[str]
    loads: Loads
    next_position: Callable[[], int]
    draw: Callable[[int], int]
    now: Callable[[], float]
    latencies: Sequence[Latency] = ()
    hash_on: HashOn | None = None


def balancer(strategy: str, backends: Sequence[T], means: Means) -> Balancer[T]:
    """Return the balancer that the config calls `strategy`; ValueError if there is none of that name.

    Weights matter to "weighted", "least_request", "peak_ewma" and "consistent_hash".
    """
    if len(backends) < 2:
        return Only(backends)
    weights, loads, next_position, draw = means.weights, means.loads, means.next_position, means.draw
    match strategy:
        case "round_robin":
            return Turns(backends, None, next_position)
        case "weighted":
            return Turns(backends, weights, next_position)
        case "least_connections":
            return LeastConnections(backends, loads, next_position)
        case "least_request":
            return Cheapest(backends, weights, Busyness(weights, loads), next_position, draw)
        case "peak_ewma":
            prices = Slowness(weights, loads, means.latencies, means.now)
            return Cheapest(backends, weights, prices, next_position, draw)
        case "random":
            return Random(backends, draw)
        case "ip_hash":
            return IpHash(backends)
        case "consistent_hash":
            hash_on = means.hash_on or HashOn()
            by, factor = key_of(hash_on), hash_on.factor
            return ConsistentHash(backends, means.addresses, weights, by, factor, loads, next_position)
    raise ValueError(f"no load balancing strategy is called {strategy!r}")


def key_of(hash_on: HashOn) -> ByClient | ByField | ByCookie | ByPath:
    """Return what is hashed; ValueError if there is nothing of that kind."""
    match hash_on.kind:
        case "client":
            return ByClient()
        case "header":
            return ByField(hash_on.name)
        case "cookie":
            return ByCookie(hash_on.name)
        case "path":
            return ByPath()
    raise ValueError(f"nothing of a request is called {hash_on.kind!r}")
