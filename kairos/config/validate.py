"""Run the model over the strict shape, and say in our words what does not fit."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kairos.config.environment import ReadSecret, convert
from kairos.config.findings import Draft, JsonPath
from kairos.config.model import Config
from kairos.config.model.base import REFUSED
from kairos.config.model.router import Router

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


@dataclass(slots=True)
class Validated:
    """What the model makes of a tree: all of it, or the part that can be looked at further."""

    config: Config | None
    indexes: list[int] = field(default_factory=list)
    """The place in the file of each of the config's routers."""
    drafts: list[Draft] = field(default_factory=list)
    broken: frozenset[str] = frozenset()
    """Top-level keys whose value could not be used, so that nothing should be concluded from their absence."""

    def routers(self) -> Iterable[tuple[JsonPath, Router]]:
        """Return the usable routers, each with its path."""
        routers = self.config.routers if self.config else ()
        return [(("routers", index), router) for index, router in zip(self.indexes, routers, strict=True)]


def validate(tree: Any, read_secret: ReadSecret, is_variable: Callable[[JsonPath], bool]) -> Validated:
    """Validate a tree of the strict shape.

    `is_variable` says whether a value is the text of an environment variable: where the model wants anything but a
    string, the text is read as JSON, in place.
    """
    config, errors = attempt(tree, read_secret)
    if errors and convert_variables(tree, errors, is_variable):
        config, errors = attempt(tree, read_secret)
    if config is None:
        return usable_part(tree, [translate(error, tree) for error in errors], read_secret)
    return Validated(config, list(range(len(config.routers))))


def attempt(tree: Any, read_secret: ReadSecret) -> tuple[Config | None, list[ErrorDetails]]:
    """Run the model; return the config, or everything that is wrong."""
    try:
        return Config.model_validate(tree, context=read_secret), []
    except ValidationError as exc:
        return None, exc.errors(include_url=False)


def convert_variables(tree: Any, errors: list[ErrorDetails], is_variable: Callable[[JsonPath], bool]) -> bool:
    """Turn variables that do not fit as strings into the JSON values that they spell; say whether any has changed."""
    changed = False
    for error in errors:
        path = path_of(error, tree)
        if not path or not is_variable(path):
            continue
        holder = value_at(tree, path[:-1])
        text = holder[path[-1]]
        if isinstance(text, str) and (value := convert(text)) != text:
            holder[path[-1]] = value
            changed = True
    return changed


def usable_part(tree: Any, drafts: list[Draft], read_secret: ReadSecret) -> Validated:
    """Leave out what is wrong and validate the rest, so that errors in the rest are told at the same time."""
    if not isinstance(tree, dict):
        return Validated(None, [], drafts)
    broken = {draft.path[:1] for draft in drafts if draft.path[:1] != ("routers",) or len(draft.path) == 1}
    broken_routers = {draft.path[1] for draft in drafts if len(draft.path) > 1 and draft.path[0] == "routers"}
    routers = [] if ("routers",) in broken else tree["routers"]
    indexes = [index for index in range(len(routers)) if index not in broken_routers]
    usable = {key: value for key, value in tree.items() if (key,) not in broken}
    usable = {"version": 0, **usable, "routers": [routers[index] for index in indexes]}
    names = frozenset(str(path[0]) for path in broken) | ({"routers"} if broken_routers else set())
    return Validated(Config.model_validate(usable, context=read_secret), indexes, drafts, names)


def translate(error: ErrorDetails, tree: Any) -> Draft:
    """Say one of pydantic's errors in our words."""
    path = path_of(error, tree)
    context = error.get("ctx", {})
    if error["type"] == REFUSED:
        return Draft("error", path, in_router(path, context["message"]), context["fix"])
    if error["type"] == "missing":
        message = f'{INVALID_STRUCTURE}: missing field "{path[-1]}"'
        return Draft("error", path, message, f'add "{path[-1]}"')
    if error["type"] in STRUCTURE:
        message, fix = STRUCTURE[error["type"]]
        return Draft("error", path, f"{INVALID_STRUCTURE}: {message.format(**context)}", fix)
    return Draft("error", path, f"{INVALID_STRUCTURE}: {error['msg']}")


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


def value_at(tree: Any, path: JsonPath) -> Any:
    """Return the value at a path; raises LookupError where there is none."""
    for step in path:
        if not isinstance(tree, (dict, list)):
            raise LookupError(step)
        tree = tree[step]  # type: ignore[index]
    return tree
