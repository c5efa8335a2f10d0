"""The config file as text and as JSON."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from kairos.config.findings import ConfigRefused, ConfigUnreadable, Finding
from kairos.config.positions import Positions, scan
from kairos.config.syntax import Fault, depth_fault, number_fault, syntax_fault

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 64
# RFC 8259 section 8.2: such a text has no meaning, and nothing after us could write it as UTF-8.
ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<lone>u[dD][89a-fA-F]..)|.)")
COMMENT_MARKS = ("_", "$")


@dataclass(frozen=True)
class Source:
    """The text of a config file."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> "Source":
        """Read a config file, or raise `ConfigUnreadable` in the words that operators know."""
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            raise ConfigUnreadable(f"Cannot resolve config path '{path}'") from None
        except (OSError, ValueError) as exc:
            raise ConfigUnreadable(f"Cannot resolve config path '{path}': {reason(exc)}") from None
        if size > MAX_BYTES:
            raise too_large(size)
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)  # a pipe has no size, and a file may grow
        except OSError as exc:
            raise ConfigUnreadable(f"Cannot read config file: {reason(exc)}") from None
        if len(data) > MAX_BYTES:
            raise too_large(len(data))
        try:
            return cls(path, data.decode("utf-8-sig"))
        except UnicodeDecodeError as exc:
            raise ConfigUnreadable(f"Cannot read config file: not valid UTF-8 (byte {exc.start})") from None

    @cached_property
    def positions(self) -> Positions:
        """The place of every value; scanned once, when something has to be placed."""
        return scan(self.text)

    def parse(self) -> tuple[Any, bool]:
        """Return the JSON value without its comments, and whether some key is repeated; refuse what is no JSON."""
        parser = Parser()
        try:
            tree = json.loads(self.text, object_pairs_hook=parser.members, parse_constant=parser.constant)
        except json.JSONDecodeError as exc:
            self.refuse(syntax_fault(self.text, exc))
        except RecursionError:
            self.refuse(depth_fault(self.text, MAX_DEPTH))
        except ValueError:
            self.refuse(number_fault(self.text))
        if is_deeper_than(MAX_DEPTH, tree):
            self.refuse(depth_fault(self.text, MAX_DEPTH))
        for escape in ESCAPE.finditer(self.text):
            if escape["lone"]:
                self.refuse(Fault(f"{escape[0]} is half of a character", "write both halves", escape.start()))
        return tree, parser.repeated

    def refuse(self, fault: Fault) -> NoReturn:
        """Raise the one finding that a file without a JSON structure allows."""
        before = self.text[: fault.offset]
        line, column = before.count("\n") + 1, fault.offset - before.rfind("\n")
        message = f"Invalid JSON: {fault.message}"
        raise ConfigRefused((Finding("error", "", message, "", fault.fix, line, column, str(self.path)),))


class Parser:
    """Build the objects of a JSON text: without comments, and with an eye on repeated keys."""

    def __init__(self) -> None:
        self.repeated = False

    def members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Build one object. A comment may also be repeated."""
        found: dict[str, Any] = {}
        for key, value in pairs:
            if is_comment(key):
                continue
            if key in found:
                self.repeated = True
            found[key] = value
        return found

    @staticmethod
    def constant(name: str) -> NoReturn:
        """Refuse NaN and Infinity, which Python would take (RFC 8259 section 6)."""
        raise ValueError(f"{name} is no JSON number")


def is_comment(key: str) -> bool:
    """Say whether a key makes a comment: it starts with `_` or `$`, but does not try to be a variable."""
    return key.startswith(COMMENT_MARKS) and not key.startswith("${")


def is_deeper_than(levels: int, tree: Any) -> bool:
    """Say whether a JSON value is nested so deeply that nobody meant it, and recursion over it would fail."""
    level = [tree]
    for _ in range(levels):
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    return bool(level)


def too_large(size: int) -> ConfigUnreadable:
    """Say that a file is larger than any config should be."""
    return ConfigUnreadable(f"Config file too large: {size} bytes (max: {MAX_BYTES} bytes)")


def reason(error: Exception) -> str:
    """Return why a file could not be used, without Python's decoration."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
