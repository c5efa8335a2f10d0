"""What a request says about which answers will do, and which one gets (RFC 9111 sections 4 and 5.2.1)."""

from math import inf
from typing import NamedTuple

from kairos._speedups import FieldSet
from kairos.traffic.caching.answers import Answer
from kairos.traffic.caching.control import delta, directives, seconds

FACTS = FieldSet(
    (
        b"range",
        b"if-none-match",
        b"if-modified-since",
        b"if-range",
        b"if-match",
        b"if-unmodified-since",
        b"cache-control",
        b"pragma",
    )
)
NOTHING = (None,) * len(FACTS.names)


class Asked(NamedTuple):
    """The fields of a request that matter to a cache."""

    range: bytes | None = None
    none_match: bytes | None = None
    since: bytes | None = None
    if_range: bytes | None = None
    match: bytes | None = None
    unmodified: bytes | None = None
    control: bytes | None = None
    pragma: bytes | None = None

    @property
    def is_for_origin(self) -> bool:
        """Whether it has a condition that only the origin can decide (RFC 9110 sections 13.1.1 and 13.1.4)."""
        return self.match is not None or self.unmodified is not None


class Wishes(NamedTuple):
    """Which answers will do, in seconds: none older than `max_age`, none stale by more than `max_stale`, ..."""

    max_age: float = inf
    max_stale: float = 0.0
    min_fresh: float = 0.0
    is_stored: bool = False
    """Whether only a stored answer will do."""


NO_WISHES = Wishes()


def wishes(asked: Asked) -> Wishes:
    """Read the Cache-Control of a request, or the Pragma of an old one (RFC 9111 section 5.4)."""
    if asked.control is None:
        return Wishes(max_age=-1.0) if b"no-cache" in directives(asked.pragma) else NO_WISHES
    said = directives(asked.control)
    if not said:
        return NO_WISHES
    max_age = seconds(said, b"max-age")
    max_stale = 0.0
    if b"max-stale" in said:
        stated = said[b"max-stale"]
        max_stale = inf if stated is None else float(delta(stated) or 0)
    return Wishes(
        max_age=-1.0 if b"no-cache" in said else inf if max_age is None else max_age,
        max_stale=max_stale,
        min_fresh=seconds(said, b"min-fresh") or 0,
        is_stored=b"only-if-cached" in said,
    )


def will_do(answer: Answer, wanted: Wishes, now: float) -> bool:
    """Say whether a request gets this answer without asking the backend."""
    if now + wanted.min_fresh < answer.stale_at:
        return now - answer.born_at <= wanted.max_age
    if wanted.max_stale <= 0 or wanted.min_fresh or answer.is_strict:
        return False
    return now - answer.stale_at <= wanted.max_stale and now - answer.born_at <= wanted.max_age
