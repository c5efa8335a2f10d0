"""Keys that the model does not know: comments of a kind, or typing errors."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from types import NoneType
from typing import Any, get_args

from kairos.config.dialects import ALIASES
from kairos.config.findings import Draft, JsonPath, quote
from kairos.config.model import Config
from kairos.config.model.base import Block
from kairos.config.model.timeouts import RouteTimeouts, Timeouts
from kairos.config.model.traffic import Limits, RouteLimits

LIKELY_TYPO = 2
"""So many wrong letters make an unknown key a typing error, for which a gateway should not start."""
MAX_KEY = 64
"""So many letters of an unknown key are looked at."""
MANY = 100
"""So many unknown keys are compared with every known name."""
GATEWAY_WIDE: dict[type[Block], tuple[type[Block], str]] = {
    RouteLimits: (Limits, "/limits"),
    RouteTimeouts: (Timeouts, "/timeouts"),
}
"""The blocks of which a route has but a part, with those that have all, and the place of these."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The keys of one model, with the models of the objects that stand below them, and those that may be null."""

    known: frozenset[str]
    blocks: dict[str, type[Block]]
    nullable: frozenset[str]


@cache
def shape(model: type[Block]) -> Shape:
    """Return the keys of a model."""
    fields = {info.alias or name: info for name, info in model.model_fields.items()}
    blocks = {name: block for name, info in fields.items() if (block := block_in(info.annotation))}
    nullable = frozenset(name for name, info in fields.items() if NoneType in get_args(info.annotation))
    return Shape(frozenset(fields), blocks, nullable)


def block_in(annotation: Any) -> type[Block] | None:
    """Find the model in a type such as `Model | None` or `list[Model]`."""
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return annotation
    return next((block for argument in get_args(annotation) if (block := block_in(argument))), None)


def accepts_null(path: JsonPath) -> bool:
    """Say whether the value at a path of the strict shape may be null."""
    expected = shape(Config)
    for step in path[:-1]:
        if isinstance(step, str):
            if step not in expected.blocks:
                return False
            expected = shape(expected.blocks[step])
    return path[-1] in expected.nullable


def unknown_keys(tree: Any) -> Iterator[Draft]:
    """Report the keys of a config in the strict shape that the model does not have.

    A typing error is always found. Which name is nearest to any other key takes long to say, so it is said of the first
    ones only.
    """
    for number, (model, path) in enumerate(strangers(tree, Config)):
        yield report(model, path, MAX_KEY if number < MANY else LIKELY_TYPO)


def strangers(tree: Any, model: type[Block], path: JsonPath = ()) -> Iterator[tuple[type[Block], JsonPath]]:
    """Find the keys in `tree` that `model` and the models below it do not have."""
    if isinstance(tree, list):
        for index, item in enumerate(tree):
            yield from strangers(item, model, (*path, index))
    if not isinstance(tree, dict):
        return
    expected = shape(model)
    for key in tree.keys() - expected.known:
        yield model, (*path, key)
    for key in tree.keys() & expected.blocks.keys():
        yield from strangers(tree[key], expected.blocks[key], (*path, key))


def report(model: type[Block], path: JsonPath, most_letters: int) -> Draft:
    """Say which key may have been meant."""
    key = str(path[-1])
    if key.startswith("${"):
        message = f"Unknown key {quote(key)} is ignored: environment variables work in values only"
        return Draft("warning", path, message, "write the key itself", at_key=True)
    whole, place = GATEWAY_WIDE.get(model, (model, ""))
    if key in shape(whole).known:
        message = f"{quote(key)} holds for the gateway as a whole and cannot be set for a route"
        return Draft("error", path, message, f"move it to {place}", at_key=True)
    nearest, letters = nearest_name(model, key, most_letters)
    if letters <= LIKELY_TYPO and letters < len(nearest):
        message = f"Unknown key {quote(key)}, which is most like {quote(nearest)}"
        meant = (*path[:-1], strict_key(model, nearest))
        return Draft("error", path, message, f"write {quote(nearest)}", at_key=True, explains=meant)
    hint = f"; the nearest known name is {quote(nearest)}" if nearest else ""
    message = f"Unknown key {quote(key)} is ignored{hint}"
    return Draft("warning", path, message, f'remove it, or write it as a comment, "_{key}"', at_key=True)


def strict_key(model: type[Block], name: str) -> str:
    """Return the key that a name stands for, be it an alias or the key itself."""
    alias = ALIASES.get(model, {}).get(name)
    return alias.target[0] if alias and len(alias.target) == 1 else name


@cache
def names(model: type[Block]) -> tuple[tuple[str, frozenset[str]], ...]:
    """Return the names that a model knows, aliases included, each with its letters."""
    return tuple((name, frozenset(name)) for name in sorted(shape(model).known | ALIASES.get(model, {}).keys()))


@lru_cache(maxsize=4096)
def nearest_name(model: type[Block], key: str, most_letters: int) -> tuple[str, int]:
    """Return the known name that is most like `key`, and how many letters differ, upper case or not.

    The name is empty if more than `most_letters` differ. Names are tried in the order of what can be seen at a glance:
    each letter more or less, and each letter that only one of them has, is a difference.
    """
    folded = key.casefold()[:MAX_KEY]
    letters = frozenset(folded)
    glances = sorted(
        (max(abs(len(folded) - len(name)), len(letters - others), len(others - letters)), name)
        for name, others in names(model)
    )
    best = (most_letters + 1, "")
    for at_least, name in glances:
        if at_least > best[0]:
            break
        best = min(best, (distance(folded, name), name))
    return best[1], best[0]


def distance(one: str, other: str) -> int:
    """Count the letters to insert, delete, replace, or swap with their neighbour, to get from one name to the other."""
    before: list[int] = []
    above = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, wanted in enumerate(other, 1):
            cost = min(above[column] + 1, current[-1] + 1, above[column - 1] + (letter != wanted))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == wanted:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, above = above, current
    return above[-1]
