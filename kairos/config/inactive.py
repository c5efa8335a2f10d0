"""Settings that are accepted, but whose feature is not in this version. Who builds a feature deletes its line."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kairos.config.findings import Draft, JsonPath


@dataclass(frozen=True, slots=True)
class Inactive:
    """A setting without its feature. `*` in the pattern stands for every item of an array."""

    pattern: str
    protects: bool = False
    """Whether a gateway without it would let through what the operator wants to keep out: then it must not start."""
    harmless: tuple[Any, ...] = ()
    """Values that ask for nothing, or for what the gateway does anyway."""
    has_switch: bool = False
    """Whether the block can be switched off by `"enabled": false`. What protects has no such key."""
    effect: str = ""


INACTIVE = (
    *(
        Inactive(pattern + "/enable_redis", harmless=(False,), effect="every gateway counts for itself")
        for where in ("/rate_limit", "/routers/*/rate_limit")
        for pattern in (where, where + "/strategy/Composite/*")
    ),
    Inactive("/ai"),
    Inactive("/metrics", has_switch=True),
    Inactive("/routers/*/protocol", harmless=("http", "websocket"), effect="such a route answers 501"),
    Inactive("/routers/*/ai_policy", has_switch=True),
)


def inactive_settings(tree: Any, *, allow: bool) -> Iterator[Draft]:
    """Report what a config in the strict shape asks for in vain; `allow` makes warnings of the errors."""
    for setting in INACTIVE:
        for path, value in values(tree, tuple(setting.pattern.split("/")[1:])):
            if asks_for_something(value, setting):
                yield report(setting, path, allow=allow)


def asks_for_something(value: Any, setting: Inactive) -> bool:
    """Say whether a value switches its feature on."""
    if setting.has_switch and isinstance(value, dict) and value.get("enabled") is False:
        return False
    return value is not None and value not in setting.harmless


def report(setting: Inactive, path: JsonPath, *, allow: bool) -> Draft:
    """Say that a setting has no effect."""
    message = f'"{path[-1]}" is not active in this version' + (f": {setting.effect}" if setting.effect else "")
    if not setting.protects:
        return Draft("warning", path, message)
    if allow:
        return Draft("warning", path, f"{message}; the gateway runs without this protection")
    fix = "remove it, or accept with --allow-inactive that the gateway runs without this protection"
    return Draft("error", path, f"{message}, and the gateway must not run without it", fix)


def values(tree: Any, pattern: JsonPath) -> list[tuple[JsonPath, Any]]:
    """Find the values in a tree whose path fits a pattern."""
    found: list[tuple[JsonPath, Any]] = [((), tree)]
    for step in pattern:
        if step == "*":
            items = ((path, enumerate(node)) for path, node in found if isinstance(node, list))
            found = [((*path, index), item) for path, node in items for index, item in node]
        else:
            found = [((*path, step), node[step]) for path, node in found if isinstance(node, dict) and step in node]
    return found
