"""Values that stand outside the config file: environment variables, and secrets in files of their own."""

import json
import os
import re
import stat
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
MAX_SECRET_BYTES = 64 << 10


@dataclass(slots=True)
class Environment:
    """Replace `${NAME}` and `${NAME:-default}` in the strings of a JSON value; `$${` stands for a plain `${`.

    As in a shell, the default also stands in for an empty variable.
    """

    variables: Mapping[str, str]
    drafts: list[Draft] = field(default_factory=list)
    whole: dict[JsonPath, str] = field(default_factory=dict)
    """The places where a variable is the whole string, so that it may become a number, a list and so on; its name."""
    written: dict[JsonPath, str] = field(default_factory=dict)
    """What to show of each string with references: neither the variables' content nor their defaults."""

    def name_at(self, path: JsonPath) -> str | None:
        """Return the variable that gives the value at a place of the file, or the array around it."""
        return self.whole.get(path) or self.whole.get(path[:-1])

    def written_at(self, path: JsonPath) -> str | None:
        """Return what to show of the value at a place of the file if it comes from variables."""
        return self.written.get(path) or self.written.get(path[:-1])

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
            self.whole[path] = match["name"]
        self.written[path] = REFERENCE.sub(lambda match: f"${{{match['name']}}}" if match["name"] else match[0], text)
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
        if value and not is_unicode(value):
            message = f"Environment variable {name} is not valid UTF-8"
            self.drafts.append(Draft("error", path, message, f"set {name} to a text in UTF-8"))
            return match[0]
        return value or ""


def is_unicode(text: str) -> bool:
    """Say whether a text can be written as UTF-8: what could not be read as such holds halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def convert(text: str) -> Any:
    """Read the text of a variable as the single value or the array of single values that it spells in JSON.

    Anything else stays a text, also an object: aliases, comments and references have been dealt with by now.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    items = value if isinstance(value, list) else [value]
    is_plain = all(is_unicode(item) if isinstance(item, str) else not isinstance(item, (dict, list)) for item in items)
    return value if is_plain else text


def without_waiting(path: str, flags: int) -> int:
    """Open a file, but do not wait for a writer if it is a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_file(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file beside the config. Raises OSError, or ValueError for what is none or too large."""
    with open(path, "rb", opener=without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("not a regular file")
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"larger than {max_bytes} bytes")
    return data


ReadSecret = Callable[[str], str]
"""Return the secret in a named file; raises ValueError with the reason why there is none."""


def secrets_beside(folder: Path) -> ReadSecret:
    """Make a reader of secret files. Relative names start in `folder`; a newline at the end is not part of a secret."""

    def read(name: str) -> str:
        path = folder / name
        try:
            data = read_file(path, MAX_SECRET_BYTES)
            return data.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise ValueError(f"Cannot read secret file '{path}': not valid UTF-8") from None
        except (OSError, ValueError) as exc:
            raise ValueError(f"Cannot read secret file '{path}': {reason(exc)}") from None

    return read
