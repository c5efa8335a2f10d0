"""Run the model over the strict shape, and say in our words what does not fit."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kairos.config.environment import ReadSecret, convert
from kairos.config.findings import Draft, JsonPath, value_at
from kairos.config.model import Config
from kairos.config.model.base import REFUSED
from kairos.config.model.router import Router
from kairos.config.salvage import Salvage
from kairos.config.unknown_keys import accepts_null

INVALID_STRUCTURE = "Invalid JSON structure"

# What pydantic says is about Python; this is about JSON. Message and fix by error type.
STRUCTURE: dict[str, tuple[str, str]] = {
    "model_type": ("expected an object", "write { ... }"),
    "list_type": ("expected an array", "write [ ... ]"),
    "string_type": ("expected a string", "put it in double quotes"),
    "int_type": ("expected a whole number", "write it without quotes and without a decimal point"),
    "float_type": ("expected a number", "write it without quotes"),
    "finite_number": ("expected a number that is not infinite", "write a smaller number"),
    "bool_type": ("expected true or false", "write true or false, without quotes"),
    "literal_error": ("expected {expected}", "use one of these"),
    "greater_than_equal": ("expected at least {ge}", "use a larger number"),
    "less_than_equal": ("expected at most {le}", "use a smaller number"),
    "string_too_short": ("must not be empty", "write a value, or leave the key out"),
    "too_short": ("must not be empty", "write at least one, or leave the key out"),
}


VARIABLE_FIXES = {
    "model_type": "write the object into the file; its values may be variables",
    "list_type": 'set {name} to an array such as ["a", "b"]; write an array of objects into the file',
    "int_type": "set {name} to a whole number",
    "float_type": "set {name} to a number",
    "finite_number": "set {name} to a smaller number",
    "bool_type": "set {name} to true or false",
    "literal_error": "set {name} to one of these",
    "greater_than_equal": "set {name} to a larger number",
    "less_than_equal": "set {name} to a smaller number",
    "string_type": "set {name} to a text",
    "string_too_short": "set {name} to a value",
}
"""The fix where the value comes from a variable."""

Variables = Callable[[JsonPath], str | None]
"""Return the name of the environment variable that is the whole value at a path, if one is."""


@dataclass(frozen=True, slots=True)
class Validated:
    """What the model makes of a tree: all of it, or what is left without the wrong values."""

    config: Config | None
    drafts: tuple[Draft, ...] = ()
    broken: frozenset[JsonPath] = frozenset()
    """The places whose value was taken out."""
    incomplete: frozenset[JsonPath] = frozenset()
    """The arrays in which something was taken out."""

    def routers(self) -> Iterable[tuple[JsonPath, Router]]:
        """Return the usable routers, each with its path."""
        routers = enumerate(self.config.routers if self.config else ())
        return ((path, router) for index, router in routers if (path := ("routers", index)) not in self.broken)

    def is_in_doubt(self, path: JsonPath) -> bool:
        """Say whether nothing should be concluded about a place: it, one around it, or an item of it has gone."""
        if not self.broken:
            return False
        return path in self.incomplete or any(path[:length] in self.broken for length in range(1, len(path) + 1))


def validate(tree: Any, read_secret: ReadSecret, variables: Variables) -> Validated:
    """Validate a tree of the strict shape.

    Where the model wants anything but a string, the text of a variable is read as JSON, in place.
    """
    config, errors = attempt(tree, read_secret)
    if errors and convert_variables(tree, errors, variables):
        config, errors = attempt(tree, read_secret)
    drafts = tuple(translate(error, tree, variables) for error in errors)
    if config or not isinstance(tree, dict):
        return Validated(config, drafts)
    return usable_part(tree, errors, drafts, read_secret)


def read_nulls(tree: Any, variables: Iterable[JsonPath]) -> None:
    """Turn the text `null` of a variable into null where null may stand, in place.

    The model would take it for a text. No alias is for a text that may be null, so the places are those of the file.
    """
    for path in variables:
        if not path or not accepts_null(path):
            continue
        holder = value_at(tree, path[:-1])
        if holder.get(path[-1]) == "null":
            holder[path[-1]] = None


def attempt(tree: Any, read_secret: ReadSecret) -> tuple[Config | None, list[ErrorDetails]]:
    """Run the model; return the config, or everything that is wrong."""
    try:
        return Config.model_validate(tree, context=read_secret), []
    except ValidationError as exc:
        return None, exc.errors(include_url=False)


def convert_variables(tree: Any, errors: list[ErrorDetails], variables: Variables) -> bool:
    """Turn variables that do not fit as strings into the JSON values that they spell; say whether any has changed."""
    changed = False
    for error in errors:
        path = path_of(error, tree)
        if not path or variables(path) is None:
            continue
        holder = value_at(tree, path[:-1])
        text = holder[path[-1]]
        if isinstance(text, str) and (value := convert(text)) != text:
            holder[path[-1]] = value
            changed = True
    return changed


def usable_part(
    tree: dict[str, Any], errors: list[ErrorDetails], drafts: tuple[Draft, ...], read_secret: ReadSecret
) -> Validated:
    """Validate what is left without the wrong values, so that errors in the rest are told at the same time."""
    salvage = Salvage(deepcopy(tree))
    config = None
    while errors:  # each time there is less that can be wrong
        salvage.take_out({path_of(error, salvage.tree) for error in errors})
        config, errors = attempt(salvage.tree, read_secret)
    steps = ((path, length) for path in salvage.broken for length, step in enumerate(path) if isinstance(step, int))
    incomplete = frozenset(path[:length] for path, length in steps)
    return Validated(config, drafts, frozenset(salvage.broken), incomplete)


def translate(error: ErrorDetails, tree: Any, variables: Variables) -> Draft:
    """Say one of pydantic's errors in our words."""
    path = path_of(error, tree)
    context = error.get("ctx", {})
    if error["type"] == REFUSED:
        return Draft("error", path, in_router(path, context["message"]), context["fix"])
    if error["type"] == "missing":
        message = f'{INVALID_STRUCTURE}: missing field "{path[-1]}"'
        return Draft("error", path, message, f'add "{path[-1]}"')
    if error["type"] not in STRUCTURE:
        return Draft("error", path, f"{INVALID_STRUCTURE}: {error['msg']}")
    message, fix = STRUCTURE[error["type"]]
    if (name := variables(path)) is not None:
        fix = VARIABLE_FIXES.get(error["type"], fix).format(name=name)
    return Draft("error", path, f"{INVALID_STRUCTURE}: {message.format(**context)}", fix)


def in_router(path: JsonPath, text: str) -> str:
    """Put before a text which router and which backend it is about."""
    match path:
        case ("routers", index, "backends", int(backend), *_):
            return f"Router {index} validation failed: Backend {backend} validation failed: {text}"
        case ("routers", index, *_):
            return f"Router {index} validation failed: {text}"
    return text


def path_of(error: ErrorDetails, tree: Any) -> JsonPath:
    """Return the place of an error in the tree: pydantic's location without the names of union members."""
    path: list[str | int] = []
    node = tree
    for step in error["loc"]:
        if (isinstance(node, dict) and step in node) or (isinstance(node, list) and isinstance(step, int)):
            node = node[step]  # type: ignore[index]
            path.append(step)
    return (*path, error["loc"][-1]) if error["type"] == "missing" else tuple(path)
