"""The responses of the corpus, by topic."""

from tests.conformance.responses import bodiless, framing, hop_by_hop, interim, malformed, trailers

TOPICS = {
    "framing": framing.CASES,
    "malformed": malformed.CASES,
    "interim": interim.CASES,
    "bodiless": bodiless.CASES,
    "trailers": trailers.CASES,
    "hop_by_hop": hop_by_hop.CASES,
}
CASES = [(f"{topic}:{case.id}", case) for topic, cases in TOPICS.items() for case in cases]
