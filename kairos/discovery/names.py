"""What is known of one host name, and when to ask for it again.

How it works: a name is asked for when it is due. An answer is good until its TTL has run out; a failure changes nothing
of what is known, and each in a row doubles the wait. A connection that could not be opened makes the name due at once:
the address may have moved. Of a name with addresses of both families one family is used at a time: IPv4, until none of
its addresses can be connected to.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from math import inf

MOST_ADDRESSES = 256
MIN_SECONDS = 1.0  # from one question to the next, whatever happens
LONGEST_RETRY = 5.0  # while nothing is answered
JITTER, MOST_JITTER = 0.1, 0.5  # of the wait, and in seconds: not all who know a name ask at once


@dataclass(frozen=True, slots=True)
class Answer:
    """The addresses of a name for `ttl` seconds. None stands for a family of which nothing was told this time."""

    v4: tuple[str, ...] | None
    v6: tuple[str, ...] | None
    ttl: float


class Name:
    """Keep what is known of a name. No clock, no I/O: callers pass `now`, and `chance` from 0 to 1."""

    __slots__ = (
        "_asked_at",
        "_failures",
        "_is_suspect",
        "_max_ttl",
        "_min_ttl",
        "_refused",
        "_switched_at",
        "_v4",
        "_v6",
        "addresses",
        "due_at",
        "is_asked",
    )

    def __init__(self, min_ttl: float = MIN_SECONDS, max_ttl: float = inf) -> None:
        self._min_ttl = max(min_ttl, MIN_SECONDS)
        self._max_ttl = max_ttl
        self._asked_at = -inf
        self._failures = 0
        self._is_suspect = False
        self._switched_at = -inf
        self._refused: set[str] = set()  # addresses to which no connection could be opened since the last that was
        self._v4: tuple[str, ...] = ()
        self._v6: tuple[str, ...] = ()
        self.addresses: tuple[str, ...] = ()  # in an order that says nothing
        self.due_at = -inf
        self.is_asked = False

    @property
    def is_failing(self) -> bool:
        """Say whether the last question was not answered."""
        return self._failures > 0

    def is_due(self, now: float) -> bool:
        """Say whether to ask now."""
        return now >= self.due_at and not self.is_asked

    def asked(self, now: float) -> None:
        """Note that the question is on its way; `answered` or `failed` has to follow."""
        self.is_asked = True
        self._asked_at = now
        self._is_suspect = False

    def answered(self, answer: Answer, now: float, chance: float) -> bool:
        """Take an answer; say whether the addresses have changed. One without addresses is a failure."""
        v4 = self._v4 if answer.v4 is None else _in_order(answer.v4)
        v6 = self._v6 if answer.v6 is None else _in_order(answer.v6)
        if not v4 and not v6:
            self.failed(now, chance)
            return False
        self._v4, self._v6 = v4, v6
        self._refused.intersection_update((*v4, *v6))
        self._failures = 0
        self._wait(now, max(self._min_ttl, min(answer.ttl, self._max_ttl)), chance)
        return self._choose()

    def failed(self, now: float, chance: float) -> None:
        """Go on with what is known: there was no answer."""
        seconds = min(MIN_SECONDS * 2.0 ** min(self._failures, 10), LONGEST_RETRY)
        self._failures += 1
        self._wait(now, seconds, chance)

    def refused(self, address: str, now: float) -> bool:
        """Note that no connection to this address could be opened; say whether the addresses have changed by that."""
        self._is_suspect = True
        if not self._failures:  # a name server that is down is spared
            self.due_at = min(self.due_at, max(now, self._asked_at + MIN_SECONDS))
        if not (self._v4 and self._v6):
            return False
        self._refused.add(address)
        if now < self._switched_at + MIN_SECONDS or not self._refused.issuperset(self.addresses):
            return False
        self._switched_at = now
        self._refused.difference_update(self._v6 if self.addresses == self._v4 else self._v4)
        return self._choose()

    def reached(self, address: str) -> None:
        """Note that a connection to this address has been opened."""
        self._refused.discard(address)

    def _wait(self, now: float, seconds: float, chance: float) -> None:
        self.is_asked = False
        self.due_at = now + seconds + chance * min(seconds * JITTER, MOST_JITTER)
        if self._is_suspect and not self._failures:  # asked before a connection failed, it may be out of date
            self.due_at = min(self.due_at, max(now, self._asked_at + MIN_SECONDS))

    def _choose(self) -> bool:
        """Use the first family that can be reached, as far as is known; say whether the addresses have changed."""
        families = [family for family in (self._v4, self._v6) if family]
        reachable = [family for family in families if not self._refused.issuperset(family)]
        chosen = (reachable or families)[0]
        has_changed = chosen != self.addresses
        self.addresses = chosen
        return has_changed


def _in_order(addresses: Iterable[str]) -> tuple[str, ...]:
    """Put addresses in an order that does not depend on the answer, so that a server that rotates changes nothing."""
    return tuple(sorted(set(addresses), key=lambda address: ip_address(address).packed)[:MOST_ADDRESSES])
