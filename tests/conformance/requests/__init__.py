"""The requests of the corpus, by topic."""

from tests.conformance.requests import (
    expect,
    framing,
    hop_by_hop,
    host,
    limits,
    methods,
    request_line,
    smuggling,
    targets,
    trailers,
    upgrade,
    versions,
)

TOPICS = {
    "request_line": request_line.CASES,
    "versions": versions.CASES,
    "methods": methods.CASES,
    "targets": targets.CASES,
    "host": host.CASES,
    "framing": framing.CASES,
    "smuggling": smuggling.CASES,
    "trailers": trailers.CASES,
    "hop_by_hop": hop_by_hop.CASES,
    "expect": expect.CASES,
    "upgrade": upgrade.CASES,
    "limits": limits.CASES,
}
CASES = [(f"{topic}:{case.id}", case) for topic, cases in TOPICS.items() for case in cases]
