"""An operator who writes a config file and looks at what the gateway says."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kairos.config.document import Document
from kairos.config.findings import Check, ConfigRefused, Finding, Level
from kairos.config.load import NO_OVERRIDES, Loaded, load
from kairos.config.normalise import Overrides


@dataclass(frozen=True)
class Operator:
    """Writes configs into a folder of its own."""

    folder: Path

    def write(self, config: Any) -> Path:
        """Write a config, as JSON unless it is a text or bytes already."""
        path = self.folder / "config.json"
        if isinstance(config, bytes):
            path.write_bytes(config)
        else:
            path.write_text(config if isinstance(config, str) else json.dumps(config, indent=2, ensure_ascii=False))
        return path

    def load(
        self,
        config: Any,
        environ: Mapping[str, str] | None = None,
        *,
        overrides: Overrides = NO_OVERRIDES,
        checks: Sequence[Check] = (),
        allow_inactive: bool = True,
    ) -> Loaded:
        """Write a config and load it."""
        return load(self.write(config), environ or {}, overrides, checks, allow_inactive)

    def document(self, config: Any, **options: Any) -> Document:
        """Write a config that has to load, and return its document."""
        return self.load(config, **options).document

    def findings(self, config: Any, **options: Any) -> tuple[Finding, ...]:
        """Write a config and return everything that is said about it."""
        try:
            return self.load(config, **options).findings
        except ConfigRefused as refused:
            return refused.findings

    def errors(self, config: Any, **options: Any) -> list[tuple[str, str]]:
        """Return pointer and message of each error."""
        return of_level("error", self.findings(config, **options))

    def warnings(self, config: Any, **options: Any) -> list[tuple[str, str]]:
        """Return pointer and message of each warning."""
        return of_level("warning", self.findings(config, **options))

    def recommendations(self, config: Any, **options: Any) -> list[tuple[str, str]]:
        """Return pointer and message of each recommendation."""
        return of_level("recommendation", self.findings(config, **options))


def of_level(level: Level, findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """Return pointer and message of each finding of one level."""
    return [(finding.pointer, finding.message) for finding in findings if finding.level == level]
