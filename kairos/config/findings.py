"""What the config loader has to say: findings, each with its place in the operator's file."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from kairos.config.document import Document
from kairos.errors import KairosError

Level = Literal["error", "warning", "recommendation"]
LEVELS: tuple[Level, ...] = ("error", "warning", "recommendation")

JsonPath = tuple[str | int, ...]
"""The keys and indexes that lead from the root of a JSON document to one value."""


def pointer(path: JsonPath) -> str:
    """Write a path as a JSON pointer (RFC 6901 section 3)."""
    return "".join(f"/{escape(step) if isinstance(step, str) else step}" for step in path)


def escape(key: str) -> str:
    """Write a key as one reference token of a JSON pointer (RFC 6901 section 3)."""
    return key.replace("~", "~0").replace("/", "~1")


def value_at(tree: Any, path: JsonPath) -> Any:
    """Return the value at a path; raises LookupError where there is none."""
    for step in path:
        if not isinstance(tree, (dict, list)):
            raise LookupError(step)
        tree = tree[step]  # type: ignore[index]
    return tree


@dataclass(frozen=True, slots=True)
class Draft:
    """A finding without its place: `path` leads to the value in the strict shape, whatever dialect the file speaks."""

    level: Level
    path: JsonPath
    message: str
    fix: str = ""
    at_key: bool = False
    """Whether the key itself is meant, so that its position is shown and its value is not."""
    explains: JsonPath = ()
    """The place of a value that is missing because of this: that needs no finding of its own."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What a check outside this package has found in one route of a document; `field` is a key, or `hosts/1`."""

    level: Level
    route_index: int
    field: str
    message: str
    fix: str = ""


Check = Callable[[Document], Iterable[Problem]]
"""A look at the whole document by somebody who knows more about it, such as the matcher."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know about a config file. `pointer`, `line` and `column` are those of the file as it was written."""

    level: Level
    pointer: str
    message: str
    value: str = ""
    fix: str = ""
    line: int = 0
    column: int = 0
    file: str = "config"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        where = f" {self.pointer}:" if self.pointer else ""
        value = f" (value: {self.value})" if self.value else ""
        fix = f". Fix: {self.fix}" if self.fix else ""
        return printable(f"{place}: {self.level}:{where} {self.message}{value}{fix}")

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as JSON values, for machines."""
        return asdict(self)


def summary(findings: Iterable[Finding]) -> str:
    """Count findings by level: `2 errors, 1 warning`."""
    counts = Counter(finding.level for finding in findings)
    words = (f"{counts[level]} {level}{'s' * (counts[level] > 1)}" for level in LEVELS if counts[level])
    return ", ".join(words) or "ok"


class ConfigUnreadable(KairosError):
    """The config file cannot be opened, is too large, or is no text."""

    kind = "config_unreadable"


class ConfigRefused(KairosError):
    """The config file was read, and has errors. `findings` tells all of them, and the warnings too."""

    kind = "config_refused"

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


def printable(line: str) -> str:
    """Escape what would do something to a terminal or break a line, such as control characters in the file's texts."""
    if line.isprintable():
        return line
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in line)


def quote(value: str) -> str:
    """Write a text of the operator's in a message as it stands in the file."""
    return json.dumps(value, ensure_ascii=False)
