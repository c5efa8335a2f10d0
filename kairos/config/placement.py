"""Give drafts their place in the operator's file, and show the value there unless it is a secret."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kairos.config.dialects import Origins
from kairos.config.environment import Environment
from kairos.config.findings import Draft, Finding, JsonPath, pointer, quote, value_at
from kairos.config.source import Source, is_comment

MAX_SHOWN = 80
SECRET_NAME = re.compile(r"secret|passw|token|credential|api_?key|private|^sha256$|^jwt$|^ai$", re.IGNORECASE)
"""Keys whose value is never shown, whether the model knows them or not."""
SHORT = 5
"""A text with fewer letters is no secret."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What is needed to find the place of a draft: the text, the strict shape, and the way from this to that."""

    source: Source
    tree: Any
    origins: Origins
    environment: Environment

    def place(self, drafts: Iterable[Draft]) -> Iterator[Finding]:
        """Turn drafts into findings."""
        return map(self.finding, drafts)

    def finding(self, draft: Draft) -> Finding:
        """Turn one draft into a finding."""
        origin = self.origins.of(draft.path)
        positions = self.source.positions
        line, column = positions.line_and_column(positions.offset(pointer(origin), at_key=draft.at_key))
        value, message, fix = "", draft.message, draft.fix
        found = {} if draft.at_key else self.found(draft.path)
        if not isinstance(found, (dict, list)):
            shown = self.shown(found, draft.path, origin)
            value = shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}..."
            message, fix = hide(found, shown, message), hide(found, shown, fix)
        return Finding(draft.level, pointer(origin), message, value, fix, line, column, str(self.source.path))

    def found(self, path: JsonPath) -> Any:
        """Return the value at a path; what is not there shows as little as an object."""
        try:
            return value_at(self.tree, path)
        except LookupError:
            return {}

    def shown(self, value: Any, path: JsonPath, origin: JsonPath) -> str:
        """Write a value as JSON, without what is nobody's business."""
        if any(isinstance(key, str) and SECRET_NAME.search(key) for key in (*path[-1:], *origin[-1:])):
            return "***"
        if isinstance(value, str) and "PRIVATE KEY" in value:
            return "***"
        if (written := self.environment.written_at(origin)) is not None:
            return quote(written)
        return quote(without_credentials(value)) if isinstance(value, str) else json.dumps(value)


def hide(value: Any, shown: str, text: str) -> str:
    """Let a text show a value no better than the finding does; a short one may stand in it by chance."""
    if not isinstance(value, str) or shown == quote(value) or len(value) < SHORT:
        return text
    for form in (value, quote(value)[1:-1]):
        text = text.replace(form, shown.strip('"'))
    return text


def without_credentials(text: str) -> str:
    """Hide the user name and the password that somebody may have put before a host, and what is asked of it."""
    address, has_query, _ = text.partition("?")
    if has_query and "://" in address:
        text = f"{address}?***"
    before, has_user, host = text.rpartition("@")
    scheme, has_scheme, _ = before.partition("//")
    if not has_user or not (has_scheme or ":" in before):
        return text
    return f"{scheme}//***@{host}" if has_scheme else f"***@{host}"


def repeated_keys(source: Source) -> Iterator[Finding]:
    """Report the keys that stand twice in one object; comments may."""
    positions = source.positions
    for pointer_, first, again in positions.repeated:
        keys = pointer_.split("/")[1:]
        if any(is_comment(key) for key in keys):
            continue
        line, column = positions.line_and_column(again)
        key = keys[-1].replace("~1", "/").replace("~0", "~")
        message = f"Duplicate key {quote(key)}, first given in line {positions.line_and_column(first)[0]}"
        yield Finding("error", pointer_, message, "", "keep one of them", line, column, str(source.path))
