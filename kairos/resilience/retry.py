"""When a request may be sent again, how long to wait before, and how much of that a worker may do at a time."""

from dataclasses import dataclass
from enum import Enum

BUDGET_LEAST = 3  # retries that a worker may always have under way


class Outcome(Enum):
    """How an attempt ended that gave the client nothing yet, or something."""

    NOT_CONNECTED = "not connected"  # the connection or its TLS handshake failed
    STALE_UNSENT = "stale, nothing sent"  # a reused connection was dead before it took a byte
    STALE_SENT = "stale, sent"  # a reused connection died before the first byte of an answer
    LOST = "lost"  # a new connection died, or the answer did not begin in time
    LISTED = "listed status"
    RETRY_LATER = "retry later"  # 429 or 503 that says when (RFC 9110 section 10.2.3)
    BEGUN = "answer begun"  # a byte of the answer has gone to the client


class Verdict(Enum):
    """Whether the request may be sent again."""

    NO = "no"
    COUNTED = "counted"  # as one of the retries that the route allows, within the budget
    FREE = "free"  # always: it says nothing about the backend


_SENT_ONCE = frozenset((Outcome.STALE_SENT, Outcome.LOST, Outcome.LISTED, Outcome.RETRY_LATER))
_FREE = frozenset((Outcome.STALE_UNSENT, Outcome.STALE_SENT))


def verdict(outcome: Outcome, *, is_idempotent: bool, is_repeatable: bool = False) -> Verdict:
    """Say whether a request may be sent again after an attempt with this outcome.

    `is_idempotent` is about the method (RFC 9110 section 9.2.2). `is_repeatable` tells that the client or the route
    vouches for more: by an `Idempotency-Key`, or by a setting.
    """
    if outcome is Outcome.BEGUN:
        return Verdict.NO
    if outcome in _SENT_ONCE and not is_idempotent and not is_repeatable:
        return Verdict.NO
    return Verdict.FREE if outcome in _FREE else Verdict.COUNTED


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pauses before retries, in seconds: each longer than the one before, up to a limit."""

    initial: float
    longest: float
    multiplier: float
    has_jitter: bool = True

    def pause(self, retry: int, chance: float) -> float:
        """Return the pause before a retry, counted from 0; `chance` is a random number from 0 to 1.

        With full jitter the pause is anything up to the bare one, so that clients that failed together do not come
        back together. Bare pauses are whole milliseconds.
        """
        try:
            bare = self.initial * self.multiplier**retry
        except OverflowError:
            bare = self.longest
        milliseconds = int(round(min(bare, self.longest) * 1000, 6))
        return milliseconds / 1000 * (chance if self.has_jitter else 1.0)


class Budget:
    """How many retries may be under way at a time: a share of the requests in flight, and always a few.

    When every backend fails, each request would else be sent `max_retries` times more, just when they can bear least.
    """

    __slots__ = ("_retrying",)

    def __init__(self) -> None:
        self._retrying = 0

    def enter(self, in_flight: int, percent: int) -> bool:
        """Count one more retry, if `percent` of the requests in flight are more than there are."""
        if self._retrying >= max(BUDGET_LEAST, in_flight * percent // 100):
            return False
        self._retrying += 1
        return True

    def leave(self) -> None:
        """Count one less."""
        self._retrying -= 1
