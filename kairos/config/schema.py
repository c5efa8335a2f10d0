"""The JSON Schema of the config file, for editors: the strict shape with the aliases of the dialects."""

from typing import Any

from kairos.config.dialects import ALIASES, WINDOW_TYPES, Alias
from kairos.config.model import Config
from kairos.config.model.base import Block
from kairos.config.model.router import Router
from kairos.config.model.traffic import RateLimit
from kairos.config.unknown_keys import shape

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
VARIABLE: Schema = {
    "type": "string",
    "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}$",
    "description": 'An environment variable: "${NAME}", or "${NAME:-default}".',
}
TEXT_WITH_VARIABLE: Schema = {
    "type": "string",
    "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}",
    "description": "A text with environment variables in it.",
}
DEFINITIONS = {"EnvironmentVariable": VARIABLE, "TextWithVariable": TEXT_WITH_VARIABLE}
ANNOTATIONS = ("description", "default", "title", "deprecated")


def strict_schema() -> Schema:
    """Return the schema of the strict shape alone."""
    return Config.model_json_schema()


def json_schema() -> Schema:
    """Return the schema of everything that the loader takes."""
    schema = strict_schema()
    for block, aliases in ALIASES.items():
        add_aliases(schema, block, aliases)
    add_window_types(schema)
    for part in (schema, *schema["$defs"].values()):
        part["properties"] = {name: or_variable(value) for name, value in part["properties"].items()}
    schema["$defs"] |= DEFINITIONS
    return {"$schema": DIALECT, **schema, "title": "Kairos config"}


def definition(schema: Schema, block: type[Block]) -> Schema:
    """Return the part of the schema that describes one block."""
    part: Schema = schema if block is Config else schema["$defs"][block.__name__]
    return part


def add_aliases(schema: Schema, block: type[Block], aliases: dict[str, Alias]) -> None:
    """Let a block have its aliases beside its own keys, or instead of them."""
    part = definition(schema, block)
    for name, alias in aliases.items():
        *outer, key = alias.target
        holder = block
        for step in outer:
            holder = Router if step == ".." else shape(holder).blocks[step]
        annotations = {"description": f"Another name for `{alias.strict_name}`.", "deprecated": True}
        part["properties"][name] = {**rules(definition(schema, holder)["properties"][key]), **annotations}
    for key in list(part.get("required", ())):
        names = [key, *(name for name, alias in aliases.items() if alias.target == (key,))]
        if len(names) > 1:
            part["required"].remove(key)
            part.setdefault("allOf", []).append({"anyOf": [{"required": [name]} for name in names]})


def rules(schema: Schema) -> Schema:
    """Return what a schema demands, without what it tells."""
    return {keyword: rule for keyword, rule in schema.items() if keyword not in ANNOTATIONS}


def add_window_types(schema: Schema) -> None:
    """Let the dialects' names for window types stand where they are understood."""
    properties = definition(schema, RateLimit)["properties"]
    for key in ("window_type", "algorithm"):
        properties[key]["enum"] = [*properties[key]["enum"], *WINDOW_TYPES]
    strategy = properties["strategy"]
    strategy["anyOf"] = [*strategy.pop("oneOf"), {"enum": [*WINDOW_TYPES]}]


def or_variable(schema: Schema) -> Schema:
    """Let an environment variable stand where a text would not fit otherwise."""
    untitled = {keyword: value for keyword, value in schema.items() if keyword != "title"}
    if "items" in untitled:
        untitled["items"] = or_variable(untitled["items"])
    variable = variable_for(untitled)
    if variable is None:
        return untitled
    told = {keyword: value for keyword, value in untitled.items() if keyword in ANNOTATIONS}
    demanded = rules(untitled)
    choices = demanded["anyOf"] if demanded.keys() == {"anyOf"} else [demanded]
    return {**told, "anyOf": [*choices, {"$ref": f"#/$defs/{variable}"}]}


def variable_for(schema: Schema) -> str | None:
    """Return the definition of the variables that fit besides: none where any text does, or where an object is wanted.

    A number, a switch or an array of single values takes a variable as a whole; a text of a certain form may also have
    one in it.
    """
    for choice in schema.get("anyOf", ()):
        if variable := variable_for(choice):
            return variable
    if schema.get("type") in ("integer", "number", "boolean"):
        return "EnvironmentVariable"
    if schema.get("type") == "array":
        return None if "$ref" in schema["items"] else "EnvironmentVariable"
    return "TextWithVariable" if not schema.keys().isdisjoint({"enum", "pattern"}) else None
