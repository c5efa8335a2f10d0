"""From a config file to a document: read, resolve, translate, validate, check. All errors are told at once."""

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kairos.config.authorities import Authorities, unusable_authorities
from kairos.config.catalogue import catalogue
from kairos.config.client_certificates import ClientCertificates, unusable_client_certificates
from kairos.config.dialects import Origins, Translation
from kairos.config.document import Document
from kairos.config.environment import Environment, secrets_beside
from kairos.config.findings import Check, ConfigRefused, Draft, Finding, JsonPath, Problem, value_at
from kairos.config.inactive import inactive_settings
from kairos.config.key_sets import KeySets, unusable_key_sets
from kairos.config.listener_files import unusable_listener_files
from kairos.config.listeners import listener_problems
from kairos.config.model import Config
from kairos.config.normalise import Overrides, normalise, outline
from kairos.config.placement import Placement, repeated_keys
from kairos.config.policy_checks import policies
from kairos.config.source import Source
from kairos.config.unknown_keys import unknown_keys
from kairos.config.validate import Validated, read_nulls, validate

STDOUT = "stdout"  # the access log that is no file
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
    read_nulls(tree, environment.whole)
    origins = translation.origins
    validated = validate(tree, secrets_beside(path.parent), lambda place: environment.name_at(origins.of(place)))
    drafts = [*translation.drafts, *validated.drafts]
    drafts += news(catalogue(validated), drafts, validated)
    drafts += news(policies(validated), drafts, validated)
    drafts += news(listener_problems(validated), drafts, validated)
    drafts += news(unusable_listener_files(validated, path.parent), drafts, validated)
    authorities = Authorities(path.parent)
    drafts += news(unusable_authorities(validated, authorities), drafts, validated)
    certificates = ClientCertificates(path.parent)
    drafts += news(unusable_client_certificates(validated, certificates), drafts, validated)
    key_sets = KeySets(path.parent)
    drafts += news(unusable_key_sets(validated, key_sets, authorities), drafts, validated)
    is_usable = validated.config and not has_errors(drafts)
    document = None
    if validated.config and is_usable:
        document = normalise(validated.config, overrides, authorities, key_sets, certificates)
    if validated.config:
        drafts += news(checked(validated.config, validated, document, checks), drafts, validated)
        drafts += access_log_folder(validated.config)
    drafts += unknown_keys(tree)
    at_fault = {draft.path for draft in validated.drafts}
    drafts += (draft for draft in inactive_settings(tree, allow=allow_inactive) if draft.path not in at_fault)

    drafts = without_consequences(drafts, tree, environment, origins)
    placed = Placement(source, tree, origins, environment).place(drafts)
    repeated = repeated_keys(source) if has_repeated_keys else ()
    findings = tuple(sorted((*repeated, *placed), key=lambda finding: (finding.line, finding.column)))
    if document is None or has_errors(findings):
        raise ConfigRefused(findings)
    return Loaded(document, findings)


def has_errors(found: Iterable[Draft | Finding]) -> bool:
    """Say whether something forbids to use the config."""
    return any(one.level == "error" for one in found)


def news(found: Iterable[Draft], known: Iterable[Draft], validated: Validated) -> list[Draft]:
    """Drop what is found where an error is known already, or where a wrong value was taken out."""
    at_fault = {draft.path for draft in known if draft.level == "error"}
    return [draft for draft in found if draft.path not in at_fault and not validated.is_in_doubt(draft.path)]


def checked(
    config: Config, validated: Validated, document: Document | None, checks: Iterable[Check]
) -> Iterator[Draft]:
    """Run the checks of others: on the document, or if there is none on the routes that can be looked at."""
    indexes: Sequence[int] = range(len(config.routers))
    if document is None:
        document, indexes = outline(config, validated)
    return (draft_of(problem, indexes) for check in checks for problem in check(document))


def access_log_folder(config: Config) -> Iterator[Draft]:
    """Look for the folder of the access log, which no worker makes."""
    path = config.logging.access_log
    if path is not None and path != STDOUT and not Path(path).parent.is_dir():
        message = f"The folder of the access log does not exist: {Path(path).parent}"
        yield Draft("error", ("logging", "access_log"), message, "make the folder, or name another one")


def draft_of(problem: Problem, indexes: Sequence[int]) -> Draft:
    """Give a problem its place in the whole config."""
    steps = (int(step) if step.isdigit() else step for step in problem.field.split("/"))
    return Draft(problem.level, ("routers", indexes[problem.route_index], *steps), problem.message, problem.fix)


def without_consequences(drafts: list[Draft], tree: Any, environment: Environment, origins: Origins) -> list[Draft]:
    """Drop what is said about a value that is not there, because its variable cannot be used or its key is misspelt."""
    unset = {draft.path for draft in environment.drafts}
    explained = {draft.explains for draft in drafts if draft.explains and not is_there(draft.explains, tree)}
    remaining = (draft for draft in drafts if draft.path not in explained and origins.of(draft.path) not in unset)
    return [*environment.drafts, *remaining]


def is_there(path: JsonPath, tree: Any) -> bool:
    """Say whether there is a value at a path."""
    try:
        value_at(tree, path)
    except LookupError:
        return False
    return True
