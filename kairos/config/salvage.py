"""What is left of a config when its wrong values are taken out, so that the rest can be looked at as well.

Every value keeps its place, and nothing that is put in a place says anything of its own: what is found there is about
us, not about the operator.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from kairos.config.findings import JsonPath, value_at

SOME_HOST, SOME_PORT = "https://some.invalid", 443  # RFC 2606 section 2
NEUTRAL: dict[JsonPath, Any] = {
    ("version",): 0,
    ("routers",): [],
    ("routers", "*", "external_path"): "/",
    ("routers", "*", "internal_path"): "/",
    ("routers", "*", "methods"): ["GET"],
    ("routers", "*", "host"): SOME_HOST,
    ("routers", "*", "port"): SOME_PORT,
    ("routers", "*", "backends"): [{"host": SOME_HOST, "port": SOME_PORT}],
    ("routers", "*", "backends", "*", "host"): SOME_HOST,
    ("routers", "*", "backends", "*", "port"): SOME_PORT,
}
"""What stands in for a value that is needed, or whose absence would mean something. `*` is any index."""


def pattern(path: JsonPath) -> JsonPath:
    """Return a path with `*` for each index."""
    return tuple("*" if isinstance(step, int) else step for step in path)


class Salvage:
    """Takes wrong values out of a tree, in place, and remembers which."""

    def __init__(self, tree: dict[str, Any]) -> None:
        self.tree = tree
        self.broken: set[JsonPath] = set()

    def take_out(self, places: Iterable[JsonPath]) -> None:
        """Take out the values at `places`. If one is missing that nothing can replace, its whole object is wrong."""
        wrong: defaultdict[JsonPath, set[str | int]] = defaultdict(set)
        for path in places:
            wrong[path[:-1]].add(path[-1])
        for depth in range(max(map(len, wrong)), -1, -1):  # what is inside before what is around it
            for path in [path for path in wrong if len(path) == depth]:
                if not self.take_out_of(value_at(self.tree, path), path, wrong[path]):
                    wrong[path[:-1]].add(path[-1])

    def take_out_of(self, holder: Any, path: JsonPath, wrong: set[str | int]) -> bool:
        """Take wrong values out of one object or array; say whether that is possible."""
        self.broken |= {(*path, step) for step in wrong}
        if isinstance(holder, dict):
            replaced = [self.replace(holder, path, key) for key in wrong]
            return all(replaced)
        good = next((item for index, item in enumerate(holder) if index not in wrong), None)
        for index in wrong:  # a copy of a good item: leaving one out would give all others a new index
            holder[index] = good
        return good is not None

    def replace(self, holder: dict[str | int, Any], path: JsonPath, key: str | int) -> bool:
        """Take one value out of an object; say whether the object can do without it."""
        place = pattern((*path, key))
        if place in NEUTRAL:
            holder[key] = NEUTRAL[place]
            return True
        is_there = key in holder
        holder.pop(key, None)
        return is_there
