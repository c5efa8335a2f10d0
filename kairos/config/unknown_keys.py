"""Keys that the model does not know: comments of a kind, or typing errors."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from kairos.config.dialects import ALIASES
from kairos.config.findings import Draft, JsonPath, quote
from kairos.config.model.base import Block

LIKELY_TYPO = 2
"""So many wrong letters make an unknown key a typing error, for which a gateway should not start."""
MAX_KEY = 64
"""So many letters of an unknown key are looked at."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The keys of one model, with the models of the objects that stand below them."""

    known: frozenset[str]
    blocks: dict[str, type[Block]]


@cache
def shape(model: type[Block]) -> Shape:
    """Return the keys of a model."""
    fields = {info.alias or name: info for name, info in model.model_fields.items()}
    blocks = {name: block for name, info in fields.items() if (block := block_in(info.annotation))}
    return Shape(frozenset(fields), blocks)


def block_in(annotation: Any) -> type[Block] | None:
    """Find the model in a type such as `Model | None` or `list[Model]`."""
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return annotation
    return next((block for argument in get_args(annotation) if (block := block_in(argument))), None)


def unknown_keys(tree: Any, model: type[Block], path: JsonPath = ()) -> Iterator[Draft]:
    """Report the keys in `tree` that `model` and the models below it do not have."""
    if isinstance(tree, list):
        for index, item in enumerate(tree):
            yield from unknown_keys(item, model, (*path, index))
    if not isinstance(tree, dict):
        return
    expected = shape(model)
    for key in tree.keys() - expected.known:
        yield report(model, key, (*path, key))
    for key in tree.keys() & expected.blocks.keys():
        yield from unknown_keys(tree[key], expected.blocks[key], (*path, key))


def report(model: type[Block], key: str, path: JsonPath) -> Draft:
    """Say which key may have been meant."""
    nearest, letters = nearest_name(model, key)
    if letters <= LIKELY_TYPO and letters < len(nearest):
        message = f"Unknown key {quote(key)}, which is most like {quote(nearest)}"
        return Draft("error", path, message, f"write {quote(nearest)}", at_key=True)
    message = f"Unknown key {quote(key)} is ignored; the nearest known name is {quote(nearest)}"
    return Draft("warning", path, message, f'remove it, or write it as a comment, "_{key}"', at_key=True)


@cache
def nearest_name(model: type[Block], key: str) -> tuple[str, int]:
    """Return the known name that is most like `key`, and how many letters differ, upper case or not."""
    folded = key.casefold()[:MAX_KEY]
    names = shape(model).known | ALIASES.get(model, {}).keys()
    letters, nearest = min((distance(folded, name), name) for name in names)
    return nearest, letters


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
