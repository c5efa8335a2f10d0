"""The reference page of the config file, written from the model.

`python -m kairos.config.reference > docs/configuration.md` renews it.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from kairos.config.dialects import ALIASES, WINDOW_TYPES
from kairos.config.inactive import INACTIVE
from kairos.config.model import Config
from kairos.config.model.base import Block
from kairos.config.schema import Schema, definition, strict_schema
from kairos.config.unknown_keys import shape

INTRODUCTION = """\
# Configuration

<!-- Written by `python -m kairos.config.reference` from the model; change the docstrings in kairos/config/model. -->

The gateway reads one JSON file: the one that `--config` or `KAIROS_CONFIG_PATH` names, else `config.json`. The smallest
useful one:

```json
{
  "version": 1,
  "routers": [
    {
      "external_path": "/api/{rest...}",
      "internal_path": "/{rest...}",
      "methods": ["GET", "POST"],
      "backends": [{"host": "http://127.0.0.1", "port": 8080}]
    }
  ]
}
```

`kairos check FILE` tells everything that is wrong with a file at once, each finding with its place, the value and the
fix:

```text
config.json:3:12: error: /server/port: Invalid JSON structure: expected a whole number (value: "x"). Fix: ...
```

| Exit code of `check` | Meaning |
|---|---|
| 0 | the gateway would start; there may be warnings and recommendations |
| 1 | there are errors; with `--strict` also: there are warnings |
| 3 | the file cannot be read, is larger than 10 MiB, or is no UTF-8 |

`--format json` prints the findings for machines. `kairos schema` prints a JSON Schema for editors.

## Rules for the whole file

- **Comments** are keys that start with `_` or `$`, anywhere: `"_comment": "..."`.
- **Unknown keys** are ignored with a warning. One that is a letter or two away from a known key is an error, and so is
  a key that stands twice in one object.
- **Environment variables**: `"${NAME}"` and `"${NAME:-default}"` in any string. Where the variable is the whole string
  it becomes a number, a switch or whatever the key wants: `"port": "${PORT:-5900}"`. As in a shell, the default also
  stands in for an empty variable. `null` becomes null where the key takes null. A variable gives a single value or an
  array of single values (`["GET", "PUT"]`); objects stand in the file, with variables as their values. Keys take no
  variables. `$${` is a plain `${`. Findings show `${NAME}` and not what it stands for.
- **Secrets** can stand in files of their own: `"secret": {"file": "jwt.key"}`, relative to the config file; a newline
  at the end is not part of the secret. Keys for signatures have at least 32 bytes, 8 of them different (`openssl rand
  -hex 32` makes one), and well-known placeholders are refused. A secret shows as `***` wherever a config is printed.
- **The command line wins** over the file: `--host`, `--port`, `--workers`, `--log-level`.
- HTTP_PROXY and its relatives are not looked at.
"""

INACTIVE_INTRODUCTION = """\
## Not active in this version

These settings are accepted and have no effect yet. `check` and the start-up log say so. Those that protect are errors
instead, because a gateway that quietly leaves a door open is worse than one that does not start; `--allow-inactive`
accepts that.

| Setting | Without the feature |
|---|---|
"""

ALIAS_INTRODUCTION = """\
## Other names

Configs in the older dialects load as they are. Findings point at the names that the file uses.

| In | Name | Means |
|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join((INTRODUCTION, *map(section, blocks(Config)), aliases(), inactive()))


def blocks(block: type[Block], seen: set[type[Block]] | None = None) -> Iterator[type[Block]]:
    """Walk the models from the top of the file, each once."""
    seen = set() if seen is None else seen
    if block in seen:
        return
    seen.add(block)
    yield block
    for below in shape(block).blocks.values():
        yield from blocks(below, seen)


def section(block: type[Block]) -> str:
    """Describe one block."""
    part = definition(strict_schema(), block)
    title = "The file" if block is Config else block.__name__
    rows = (row(name, value, part.get("required", ())) for name, value in part["properties"].items())
    heading = f"## {title}\n\n{part['description']}\n"
    return "\n".join((heading, "| Key | Type | Default | Meaning |", "|---|---|---|---|", *rows, ""))


def row(name: str, schema: Schema, required: Any) -> str:
    """Describe one key."""
    default = "required" if name in required else default_of(schema.get("default"))
    cells = (f"`{name}`", type_of(schema), default, " ".join(schema["description"].split()))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def default_of(value: Any) -> str:
    """Show a default; that of a block is what its own table says."""
    return "" if isinstance(value, dict) else f"`{json.dumps(value)}`"


def type_of(schema: Schema) -> str:
    """Show what may stand under a key."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(dict.fromkeys(type_of(choice) for choice in schema[union]))
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "type" not in schema:
        return "any value"
    if schema["type"] == "array":
        return f"array of {type_of(schema['items'])}"
    if schema["type"] == "object":
        if "properties" not in schema:
            return "object"
        return f"`{{{', '.join(json.dumps(key) + ': ...' for key in schema['properties'])}}}`"
    return f"{schema['type']}{bounds(schema)}"


def bounds(schema: Schema) -> str:
    """Show the range of a number, where it is not just what fits into a machine word."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and high is None:
        return ""
    return f" ≥ {low}" if high is None or high >= 2**32 - 1 else f" {low} to {high}"


def aliases() -> str:
    """List the aliases."""
    rows = [
        f"| {block.__name__} | `{name}` | `{alias.strict_name}`"
        + "".join(f", `{key}: {value}`" for key, value in alias.implies.items())
        + " |"
        for block, names in ALIASES.items()
        for name, alias in names.items()
    ]
    for name, strict in WINDOW_TYPES.items():
        rows.append(f"| RateLimit | `{name}` in `strategy`, `algorithm`, `window_type` | `window_type: {strict}` |")
    return "\n".join((ALIAS_INTRODUCTION + rows[0], *rows[1:], ""))


def inactive() -> str:
    """List what has no effect yet."""
    rows = [
        f"| `{setting.pattern}` | {'error' if setting.protects else 'warning'}"
        + (f": {setting.effect}" if setting.effect else "")
        + " |"
        for setting in INACTIVE
    ]
    return "\n".join((INACTIVE_INTRODUCTION + rows[0], *rows[1:], ""))


if __name__ == "__main__":
    sys.stdout.write(page())
