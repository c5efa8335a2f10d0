"""The other ways to write a config that are in use, each turned into the one strict shape. Nothing below knows them.

How it works: a dialect is a set of aliases. An alias is a key that may stand in an object of a certain kind; its value
moves to the strict key, and what the alias implies is added. Every move is noted, so that findings about the strict
shape still point at what the operator wrote. Names of values are translated last.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kairos.config.findings import Draft, JsonPath, pointer
from kairos.config.model import Config
from kairos.config.model.base import Block
from kairos.config.model.resilience import Retry
from kairos.config.model.router import Router
from kairos.config.model.security import Jwt
from kairos.config.model.traffic import RateLimit


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name for a setting. `target` leads to the strict key from the object with the alias; `..` leads out."""

    target: tuple[str, ...]
    implies: Mapping[str, Any] = field(default_factory=dict)
    """Neighbours of the target that the alias decides as well."""

    @property
    def strict_name(self) -> str:
        """The strict key for readers, with the object that has it if that is another one."""
        return ".".join("(router)" if step == ".." else step for step in self.target)


def requests_per(seconds: int) -> Alias:
    """Make the alias of a rate whose name tells the length of its window."""
    return Alias(("requests_per_window",), {"window_duration": seconds})


ALIASES: dict[type[Block], dict[str, Alias]] = {
    Config: {"jwt_secret": Alias(("jwt", "secret"))},
    Jwt: {"algorithm": Alias(("algorithms",))},
    Router: {"retry_config": Alias(("retry",))},
    Retry: {
        "retryable_status_codes": Alias(("retry_on_status_codes",)),
        "base_delay_ms": Alias(("initial_backoff_ms",)),
        "retry_delay_ms": Alias(("initial_backoff_ms",)),
        "max_delay_ms": Alias(("max_backoff_ms",)),
        "circuit_breaker_threshold": Alias(("..", "circuit_breaker", "failure_threshold")),
        "circuit_breaker_timeout_ms": Alias(("..", "circuit_breaker", "timeout_ms")),
    },
    RateLimit: {
        "algorithm": Alias(("window_type",)),
        "requests_per_second": requests_per(1),
        "requests_per_minute": requests_per(60),
        "requests_per_hour": requests_per(3600),
        "burst_size": Alias(("burst_allowance",)),
    },
}

WINDOW_TYPES = {"fixed_window": "FixedWindow", "sliding_window": "SlidingWindow", "token_bucket": "TokenBucket"}


@dataclass(slots=True)
class Origins:
    """Where the values of the strict shape stand in the operator's file."""

    moves: dict[JsonPath, JsonPath] = field(default_factory=dict)

    def of(self, path: JsonPath) -> JsonPath:
        """Return the place in the file of a place in the strict shape."""
        for length in range(len(path), 0, -1):
            if (moved := self.moves.get(path[:length])) is not None:
                return moved + path[length:]
        return path


@dataclass(frozen=True, slots=True)
class Place:
    """An object in the tree, and the path to it in the strict shape."""

    members: dict[str, Any]
    path: JsonPath

    def objects(self, key: str) -> Iterator["Place"]:
        """Return the object under `key`, or the objects in the list under it; the model refuses other values."""
        value = self.members.get(key)
        if isinstance(value, dict):
            yield Place(value, (*self.path, key))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, dict):
                    yield Place(item, (*self.path, key, index))


@dataclass(slots=True)
class Translation:
    """Turns a tree into the strict shape, in place."""

    origins: Origins = field(default_factory=Origins)
    drafts: list[Draft] = field(default_factory=list)

    def config(self, tree: Any) -> None:
        """Translate a whole config; outer objects first, for an alias may name an object that has aliases itself."""
        if not isinstance(tree, dict):
            return  # the model says so
        root = Place(tree, ())
        self.rename(Config, root)
        self.rate_limits(root)
        for jwt in root.objects("jwt"):
            self.rename(Jwt, jwt)
        for router in root.objects("routers"):
            self.rename(Router, router)
            for retry in router.objects("retry"):
                self.rename(Retry, retry, around=router)
            self.rate_limits(router)

    def rate_limits(self, around: Place) -> None:
        """Translate the rate limit in an object, and those that it may be composed of."""
        pending = list(around.objects("rate_limit"))
        while pending:
            limit = pending.pop()
            if limit.members.get("strategy") in tuple(WINDOW_TYPES):
                self.move(limit, "strategy", limit, "window_type")
            self.rename(RateLimit, limit)
            if isinstance(window_type := limit.members.get("window_type"), str):
                limit.members["window_type"] = WINDOW_TYPES.get(window_type, window_type)
            for strategy in limit.objects("strategy"):
                pending += strategy.objects("Composite")

    def rename(self, block: type[Block], place: Place, around: Place | None = None) -> None:
        """Move what stands under an alias in one object; `around` is the object that the alias calls `..`."""
        for name, alias in ALIASES[block].items():
            if name not in place.members:
                continue
            origin = self.origins.of((*place.path, name))
            *outer, key = alias.target
            target = place
            for step in outer:
                target = around if step == ".." and around else self.object(target, step, origin)
            if self.move(place, name, target, key):
                self.imply(place, name, target, alias)

    def object(self, place: Place, key: str, origin: JsonPath) -> Place:
        """Return the object under `key`, which the alias at `origin` brings into being if need be."""
        path = (*place.path, key)
        if place.members.get(key) is None:
            place.members[key] = {}
            self.origins.moves[path] = origin
        value = place.members[key]
        return Place(value if isinstance(value, dict) else {}, path)  # the model refuses any other type

    def move(self, place: Place, name: str, target: Place, key: str) -> bool:
        """Move one value to its strict place, unless there is one already."""
        value = place.members.pop(name)
        if target.members.get(key) is not None:
            self.twice((*place.path, name), (*target.path, key))
            return False
        target.members[key] = value
        self.origins.moves[(*target.path, key)] = self.origins.of((*place.path, name))
        return True

    def imply(self, place: Place, name: str, target: Place, alias: Alias) -> None:
        """Add what an alias decides besides its own value."""
        for neighbour, value in alias.implies.items():
            if neighbour in target.members:
                self.twice((*place.path, name), (*target.path, neighbour))
                continue
            target.members[neighbour] = value
            self.origins.moves[(*target.path, neighbour)] = self.origins.of((*place.path, name))

    def twice(self, alias: JsonPath, path: JsonPath) -> None:
        """Report an alias that says again what another key says."""
        message = f'"{alias[-1]}" and {pointer(self.origins.of(path))} set the same thing'
        self.drafts.append(Draft("error", alias, message, "keep one of them", at_key=True))
