"""`kairos check`: say what is wrong with a config file, without starting anything."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from kairos.config.findings import ConfigRefused, ConfigUnreadable, Finding, summary
from kairos.config.normalise import Overrides
from kairos.workers.config_child import read

OK, ERRORS, UNREADABLE = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """What there is to say about one config file."""

    path: Path
    exit_code: int
    findings: Sequence[Finding] = ()
    unreadable: str = ""

    def as_text(self) -> str:
        """Write one line per finding, and a last one that counts them."""
        last = self.unreadable or summary(self.findings)
        return "\n".join((*map(str, self.findings), f"{self.path}: {last}"))

    def as_json(self) -> str:
        """Write the same for machines."""
        found: dict[str, Any] = {"file": str(self.path), "ok": self.exit_code == OK}
        if self.unreadable:
            found["error"] = self.unreadable
        found["findings"] = [finding.as_dict() for finding in self.findings]
        return json.dumps(found, indent=2)


def judge(path: Path, *, strict: bool, allow_inactive: bool) -> Verdict:
    """Read a config as a starting gateway does, and decide on the exit code; `strict` lets warnings count as errors."""
    try:
        findings = read(path, os.environ, Overrides(), allow_inactive).findings
    except ConfigUnreadable as unreadable:
        return Verdict(path, UNREADABLE, unreadable=unreadable.message)
    except ConfigRefused as refused:
        return Verdict(path, ERRORS, refused.findings)
    has_warnings = any(finding.level == "warning" for finding in findings)
    return Verdict(path, ERRORS if strict and has_warnings else OK, findings)


@click.command()
@click.argument("file", type=click.Path(path_type=Path), envvar="KAIROS_CONFIG_PATH", default=Path("config.json"))
@click.option("--strict", is_flag=True, help="Let warnings count as errors.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--allow-inactive",
    is_flag=True,
    envvar="KAIROS_ALLOW_INACTIVE",
    show_envvar=True,
    help="Accept protection that this version lacks, as `run --allow-inactive` does.",
)
@click.pass_context
def check(ctx: click.Context, /, file: Path, strict: bool, form: str, allow_inactive: bool) -> None:
    """Check the config FILE.

    Without FILE it is config.json, or what KAIROS_CONFIG_PATH says. The exit code is 0 if the gateway would start, 1 if
    there are errors, 3 if the file cannot be read.
    """
    verdict = judge(file, strict=strict, allow_inactive=allow_inactive)
    click.echo(verdict.as_json() if form == "json" else verdict.as_text())
    ctx.exit(verdict.exit_code)
