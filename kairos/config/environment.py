"""Values that stand outside the config file: environment variables, and secrets in files of their own."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kairos.config.findings import Draft, JsonPath
from kairos.config.source import reason

REFERENCE = re.compile(
    r"""
    (?P<escape> \$\$ (?=\{) )
    | \$\{ (?P<name> [A-Za-z_]\w* ) (?: :- (?P<default> [^}]* ) )? \}
    | (?P<malformed> \$\{ (?=[A-Za-z_]) )
    """,
    re.ASCII | re.VERBOSE,
)
MAX_SECRET_BYTES = 64 * 1024


@dataclass(slots=True)
class Environment:
    """Replace `${NAME}` and `${NAME:-default}` in the strings of a JSON value; `$${` stands for a plain `${`.

    As in a shell, the default also stands in for an empty variable.
    """

    variables: Mapping[str, str]
    drafts: list[Draft] = field(default_factory=list)
    whole: set[JsonPath] = field(default_factory=set)
    """The places where the variable is the whole string, so that it may become a number, a list and so on."""

    def resolve(self, value: Any, path: JsonPath = ()) -> Any:
        """Return `value` with its references replaced; note those that are not set."""
        if isinstance(value, str):
            return self.text(value, path) if "${" in value else value
        if isinstance(value, dict):
            return {key: self.resolve(member, (*path, key)) for key, member in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, (*path, index)) for index, item in enumerate(value)]
        return value

    def text(self, text: str, path: JsonPath) -> str:
        """Return one string with its references replaced."""
        match = REFERENCE.fullmatch(text)
        if match and match["name"]:
            self.whole.add(path)
        return REFERENCE.sub(lambda match: self.replacement(match, path), text)

    def replacement(self, match: re.Match[str], path: JsonPath) -> str:
        """Return what one reference stands for."""
        if match["escape"]:
            return "$"
        if match["malformed"]:
            fix = 'write "${NAME}" or "${NAME:-default}", or "$${" for a plain "${"'
            self.drafts.append(Draft("error", path, "Malformed reference to an environment variable", fix))
            return match[0]
        name = match["name"]
        value = self.variables.get(name) or match["default"]
        if value is None and name not in self.variables:
            fix = f'set {name}, or write "${{{name}:-default}}"'
            self.drafts.append(Draft("error", path, f"Environment variable {name} is not set", fix))
            return match[0]
        return value or ""


def convert(text: str) -> Any:
    """Read the text of a variable as the JSON value that it spells; a plain text stays itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


ReadSecret = Callable[[str], str]
"""Return the secret in a named file; raises ValueError with the reason why there is none."""


def secrets_beside(folder: Path) -> ReadSecret:
    """Make a reader of secret files. Relative names start in `folder`; a newline at the end is not part of a secret."""

    def read(name: str) -> str:
        path = folder / name
        try:
            with path.open("rb") as file:
                data = file.read(MAX_SECRET_BYTES + 1)
            if len(data) > MAX_SECRET_BYTES:
                raise ValueError(f"larger than {MAX_SECRET_BYTES} bytes")
            return data.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise ValueError(f"Cannot read secret file '{path}': not valid UTF-8") from None
        except (OSError, ValueError) as exc:
            raise ValueError(f"Cannot read secret file '{path}': {reason(exc)}") from None

    return read
