"""Give drafts their place in the operator's file, and show the value there unless it is a secret."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kairos.config.dialects import Origins
from kairos.config.findings import Draft, Finding, JsonPath, pointer, quote
from kairos.config.source import COMMENT_MARKS, Source
from kairos.config.validate import value_at

MAX_SHOWN = 80
SECRET_NAME = re.compile(r"secret|passw|token|credential|api_?key|private|^jwt$|^ai$", re.IGNORECASE)
"""Keys whose value is never shown, whether the model knows them or not."""
USER_INFO = re.compile(r"//[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class Placement:
    """What is needed to find the place of a draft: the text, the strict shape, and the way from this to that."""

    source: Source
    tree: Any
    origins: Origins

    def place(self, drafts: Iterable[Draft]) -> Iterator[Finding]:
        """Turn drafts into findings."""
        return map(self.finding, drafts)

    def finding(self, draft: Draft) -> Finding:
        """Turn one draft into a finding."""
        origin = self.origins.of(draft.path)
        positions = self.source.positions
        line, column = positions.line_and_column(positions.offset(pointer(origin), at_key=draft.at_key))
        value = "" if draft.at_key else self.value(draft.path, origin)
        message = USER_INFO.sub("//***@", draft.message)
        return Finding(draft.level, pointer(origin), message, value, draft.fix, line, column, str(self.source.path))

    def value(self, path: JsonPath, origin: JsonPath) -> str:
        """Show a value, if it is a single one and no secret."""
        try:
            value = value_at(self.tree, path)
        except LookupError:
            return ""
        if isinstance(value, (dict, list)):
            return ""
        if any(isinstance(key, str) and SECRET_NAME.search(key) for key in (*path[-1:], *origin[-1:])):
            return "***"
        text = USER_INFO.sub("//***@", json.dumps(value, ensure_ascii=False))
        return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def repeated_keys(source: Source) -> Iterator[Finding]:
    """Report the keys that stand twice in one object; comments may."""
    positions = source.positions
    for pointer_, first, again in positions.repeated:
        keys = pointer_.split("/")[1:]
        if any(key.startswith(COMMENT_MARKS) for key in keys):
            continue
        line, column = positions.line_and_column(again)
        key = keys[-1].replace("~1", "/").replace("~0", "~")
        message = f"Duplicate key {quote(key)}, first given in line {positions.line_and_column(first)[0]}"
        yield Finding("error", pointer_, message, "", "keep one of them", line, column, str(source.path))
