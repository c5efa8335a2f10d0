"""Read the config as the gateway starts with it. Only short-lived processes import this: it brings pydantic along."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from kairos.config.document import Document
from kairos.config.findings import ConfigRefused, ConfigUnreadable, Finding, Level, Problem, summary
from kairos.config.load import Loaded, load
from kairos.config.normalise import Overrides
from kairos.proxy import builtin
from kairos.routing.check import problems
from kairos.workers import documents
from kairos.workers.channel import Channel
from kairos.workers.options import RunOptions

REFUSED, UNREADABLE = 1, 3  # exit codes, those of `kairos check`
MOST_LINES = 500  # of findings in the log; `kairos check` shows all


def read(path: Path, environ: Mapping[str, str], overrides: Overrides, allow_inactive: bool) -> Loaded:
    """Read a config file with every check there is. Raises ConfigRefused or ConfigUnreadable."""
    return load(path, environ, overrides, [_routing_problems], allow_inactive)


def main(options: RunOptions, channel: Channel) -> None:
    """Send the document with the findings as lines, or the reasons why there is none."""
    overrides = Overrides(options.host, options.port, options.workers, options.log_level)
    try:
        loaded = read(options.config, os.environ, overrides, options.allow_inactive)
    except ConfigUnreadable as unreadable:
        _refuse(channel, [unreadable.message], UNREADABLE)
    except ConfigRefused as refused:
        lines = _lines(refused.findings, "error")
        _refuse(channel, [*lines, f"{options.config}: {summary(refused.findings)}"], REFUSED)
    else:
        fd = documents.seal(loaded.document.encode())
        try:
            channel.send("document", findings=_lines(loaded.findings, "warning"), fds=(fd,))
        finally:
            os.close(fd)


def _lines(findings: Iterable[Finding], level: Level) -> list[str]:
    return [str(finding) for finding in findings if finding.level == level][:MOST_LINES]


def _refuse(channel: Channel, lines: list[str], exit_code: int) -> None:
    channel.send("refused", lines=lines, exit=exit_code)


def _routing_problems(document: Document) -> Iterator[Problem]:
    return problems(document.routes, builtin.paths(document.settings.builtin_prefix))
