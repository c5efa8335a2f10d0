"""From a config file to a document: read, resolve, translate, validate, check. All errors are told at once."""

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kairos.config.catalogue import catalogue
from kairos.config.dialects import Origins, Translation
from kairos.config.document import Document
from kairos.config.environment import Environment, secrets_beside
from kairos.config.findings import Check, ConfigRefused, Draft, Finding, Problem
from kairos.config.inactive import inactive_settings
from kairos.config.model import Config
from kairos.config.normalise import Overrides, normalise, outline
from kairos.config.placement import Placement, repeated_keys
from kairos.config.source import Source
from kairos.config.unknown_keys import unknown_keys
from kairos.config.validate import validate

NO_OVERRIDES = Overrides()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A config that the gateway can run, with what its operator should know."""

    document: Document
    findings: tuple[Finding, ...]


@contextmanager
def without_collection() -> Iterator[None]:
    """Keep the cycle collector from walking half a million fresh objects again and again: they hold no cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@without_collection()
def load(
    path: Path,
    environ: Mapping[str, str],
    overrides: Overrides = NO_OVERRIDES,
    checks: Sequence[Check] = (),
    allow_inactive: bool = False,
) -> Loaded:
    """Read a config file.

    Raises ConfigUnreadable if there is no text to look at, and ConfigRefused with all findings if one of them is an
    error. `checks` see the document of a valid config. `allow_inactive` accepts that protection is missing which this
    version cannot give.
    """
    source = Source.read(path)
    parsed, has_repeated_keys = source.parse()
    environment = Environment(environ)
    tree = environment.resolve(parsed)
    translation = Translation()
    translation.config(tree)
    validated = validate(
        tree, secrets_beside(path.parent), lambda place: translation.origins.of(place) in environment.whole
    )
    drafts = [*translation.drafts, *validated.drafts, *catalogue(validated)]
    document = normalise(validated.config, overrides) if validated.config and not has_errors(drafts) else None
    drafts += unknown_keys(tree, Config)
    drafts += inactive_settings(tree, allow=allow_inactive)
    if validated.config:
        drafts += checked(document or outline(validated.config), checks, validated.indexes, drafts)

    drafts = without_consequences(drafts, environment, translation.origins)
    placed = Placement(source, tree, translation.origins).place(drafts)
    repeated = repeated_keys(source) if has_repeated_keys else ()
    findings = tuple(sorted((*repeated, *placed), key=lambda finding: (finding.line, finding.column)))
    if document is None or has_errors(findings):
        raise ConfigRefused(findings)
    return Loaded(document, findings)


def has_errors(found: Iterable[Draft | Finding]) -> bool:
    """Say whether something forbids to use the config."""
    return any(one.level == "error" for one in found)


def checked(
    document: Document, checks: Iterable[Check], indexes: Sequence[int], known: Iterable[Draft]
) -> list[Draft]:
    """Run the checks of others; `indexes` are the places of the routes in the file. A known fault is not told again."""
    faulty = {draft.path for draft in known if draft.level == "error"}
    found = (draft_of(problem, indexes) for check in checks for problem in check(document))
    return [draft for draft in found if draft.path not in faulty]


def draft_of(problem: Problem, indexes: Sequence[int]) -> Draft:
    """Give a problem its place in the whole config."""
    steps = (int(step) if step.isdigit() else step for step in problem.field.split("/"))
    return Draft(problem.level, ("routers", indexes[problem.route_index], *steps), problem.message, problem.fix)


def without_consequences(drafts: list[Draft], environment: Environment, origins: Origins) -> list[Draft]:
    """Drop what is said about a value that is not there, because its variable is not set."""
    unset = {draft.path for draft in environment.drafts}
    return [*environment.drafts, *(draft for draft in drafts if origins.of(draft.path) not in unset)]
