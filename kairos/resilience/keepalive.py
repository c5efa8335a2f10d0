"""Learn at which idle age, and after how many requests, a backend closes its connections.

How it works: one word of the zone per backend holds what is known of its idle timeout, another what is known of its
limit of requests; all workers teach both. In a word `known` is what the closes agreed on, and `rival` what the last
`rivals` closes in a row, which disagree with it, would make of it. Three make it known.

Ages. Closes of one timeout that jitters by 5 % either way are alike: the youngest has at least 0.95/1.05 of the age of
the oldest. Therefore that share of any close is an age at which the backend still keeps a connection.

| a close at an age                 | teaches                                                                     |
|-----------------------------------|-----------------------------------------------------------------------------|
| like the known one                | half of the way to it                                                       |
| another, three times in a row     | the youngest of the three, if they are alike; younger than was safe: nearly |
| unlike another in the same moment | nothing: who closes all at once has another reason, a restart for example   |
| like another in the same moment   | nothing more than that, as soon as something is known                       |
| that a request met (it was stale) | at once to wait a quarter of it at most, until three closes agree           |
| below `SHORTEST_SECONDS`          | nothing of ages: it counts as a close after so many requests                |

A connection that is open at an age at which others were closed disproves what is known.
"""

from collections.abc import Callable
from math import inf
from typing import NamedTuple

from kairos._speedups import Cells

ALIKE = 0.95 / 1.05
COARSELY = 0.6  # so much alike are the closes of a backend whose timers run in steps; only earlier ones are taken
GRAIN_SECONDS = 0.01  # what clocks, event loops and the way to the backend blur
MOMENT_SECONDS = 0.25
SHORTEST_SECONDS = 0.25  # an idle timeout is longer
ENOUGH = 3
CAUTION = 4  # a close that a request met is at most so many times older than what is safe from then on

_AGE_BITS, _RIVALS_BITS, _MOMENT_BITS = 20, 2, 21
_MOST = (1 << _AGE_BITS) - 1  # milliseconds: 17 minutes; or requests
_GRAIN = round(GRAIN_SECONDS * 1000)
_MOMENTS_PER_SECOND = 64


class Evidence(NamedTuple):
    """What a word holds. The values are milliseconds or numbers of requests, 0 is none; a moment is 1/64 s."""

    known: int = 0
    rival: int = 0
    rivals: int = 0
    moment: int = 0
    """When the last close was seen that counted."""

    @classmethod
    def decode(cls, word: int) -> "Evidence":
        """Read a word."""
        return cls(
            word & _MOST,
            word >> _AGE_BITS & _MOST,
            word >> 2 * _AGE_BITS & ((1 << _RIVALS_BITS) - 1),
            word >> 2 * _AGE_BITS + _RIVALS_BITS,
        )

    def encode(self) -> int:
        """Write the word."""
        high = self.moment << _RIVALS_BITS | self.rivals
        return (high << _AGE_BITS | self.rival) << _AGE_BITS | self.known

    def is_of(self, moment: int) -> bool:
        """Say whether the last close that counted was seen just before."""
        since = (moment - self.moment) % (1 << _MOMENT_BITS)
        return self.moment > 0 and since < MOMENT_SECONDS * _MOMENTS_PER_SECOND

    @property
    def safe(self) -> int:
        """The age up to which a connection is used, if one is known."""
        return max(int(self.known * ALIKE) - _GRAIN, 0)


class KeepAlive:
    """What is known of the connections of one backend, shared by all workers. No clock: callers pass the time.

    Seconds are those since a connection became idle; `limit` is the age up to which connections are used while nothing
    is known of the backend.
    """

    __slots__ = ("ages", "cells", "counts")

    def __init__(self, cells: Cells, ages: int, counts: int) -> None:
        """`ages` and `counts` are the indexes of its two words: who has seen one need not ask again till it changes."""
        self.cells = cells
        self.ages = ages
        self.counts = counts

    @property
    def idle_seconds(self) -> float:
        """The age up to which a connection can be used; below 0 if it is not known."""
        seen = Evidence.decode(self.cells.load(self.ages))
        return seen.safe / 1000 if seen.known else -1.0

    @property
    def requests(self) -> int:
        """The number of requests that a connection serves; 0 if it is not known."""
        return Evidence.decode(self.cells.load(self.counts)).known

    def closed(self, seconds: float, requests: int, now: float, limit: float) -> None:
        """Learn from an idle connection that the backend has closed after so many requests."""
        if seconds < SHORTEST_SECONDS:
            self._learn(self.counts, lambda seen: after_count(seen, requests, _moment(now)))
        else:
            self._learn(self.ages, lambda seen: after_close(seen, _age(seconds), _moment(now), _age(limit)))
            self._disprove_count(requests)

    def met_stale(self, seconds: float, requests: int, now: float, limit: float) -> None:
        """Learn from a request that met a closed connection; `requests` is how many it had served before."""
        if seconds < SHORTEST_SECONDS:
            self._learn(self.counts, lambda seen: after_count(seen, requests, _moment(now)))
        else:
            self._learn(self.ages, lambda seen: after_stale(seen, _age(seconds), _moment(now), _age(limit)))

    def outlived(self, seconds: float, requests: int) -> None:
        """Learn from an idle connection that is still open."""
        self._learn(self.ages, lambda seen: after_survival(seen, _age(seconds)))
        if seconds >= SHORTEST_SECONDS:
            self._disprove_count(requests)

    def _disprove_count(self, requests: int) -> None:
        self._learn(self.counts, lambda seen: Evidence(moment=seen.moment) if 0 < seen.known <= requests else seen)

    def _learn(self, cell: int, lesson: Callable[[Evidence], Evidence]) -> None:
        while True:
            word = self.cells.load(cell)
            after = lesson(Evidence.decode(word)).encode()
            if after == word or self.cells.compare_exchange(cell, word, after):
                return


def after_close(seen: Evidence, age: int, moment: int, limit: int) -> Evidence:
    """Return what is known after an idle connection was closed."""
    if seen.is_of(moment):
        if not seen.rivals:
            return seen
        if not _are_alike(age, seen.rival):
            return seen._replace(rival=0, rivals=0)
        if seen.known:  # it takes more to shake it
            return seen
    if seen.known and _are_alike(age, seen.known):
        known = (seen.known + age) // 2
        is_younger = seen.rival < seen.known  # two timeouts behind one address: the shorter one has to win
        rivals = seen.rivals - 1 if seen.rivals and is_younger else 0
        return Evidence(known, seen.rival if rivals else 0, rivals, moment)
    rival, rivals = _with_rival(seen, age, limit)
    if rivals < ENOUGH:
        return Evidence(seen.known, rival, rivals, moment)
    return Evidence(rival, moment=moment)


def after_stale(seen: Evidence, age: int, moment: int, limit: int) -> Evidence:
    """Return what is known after a request met a connection that had been closed at this age or before."""
    if seen.is_of(moment) and seen.rivals:
        rival, rivals = min(seen.rival, age), seen.rivals
    else:
        rival, rivals = _with_rival(seen, age, limit)
    if rivals < ENOUGH:
        safe = min(limit, age // CAUTION)
        return Evidence(int((safe + _GRAIN) / ALIKE) or 1, rival, rivals, moment)
    return Evidence(rival, moment=moment)


def after_survival(seen: Evidence, age: int) -> Evidence:
    """Return what is known after an idle connection has reached this age."""
    is_disproved = seen.known and age * ALIKE > seen.known
    return Evidence(moment=seen.moment) if is_disproved else seen


def after_count(seen: Evidence, requests: int, moment: int) -> Evidence:
    """Return what is known after a connection was closed right behind the response to so many requests."""
    if not 0 < requests <= _MOST:
        return seen
    if seen.is_of(moment):
        return seen._replace(rival=0, rivals=0) if seen.rivals and requests != seen.rival else seen
    if requests == seen.known:
        return Evidence(seen.known, moment=moment)
    rivals = seen.rivals + 1 if requests == seen.rival else 1
    if rivals < ENOUGH:
        return Evidence(seen.known, requests, rivals, moment)
    return Evidence(requests, moment=moment)


def hint(value: bytes | None) -> tuple[float, int]:
    """Return for how many seconds and requests a Keep-Alive field lets connections be used; -1 and 0 if it is silent.

    RFC 2068 section 19.7.1.1. Some count `max` down from one response to the next, so it has to be that of the first.
    """
    seconds, requests = -1.0, 0
    for parameter in (value or b"").lower().split(b","):
        name, _, text = parameter.partition(b"=")
        number = int(text) if text.strip().isdigit() and len(text) < 10 else -1
        if name.strip() == b"timeout" and number >= 0:
            seconds = number - 1.0 if number > 2 else number / 2
        elif name.strip() == b"max" and number > 0:
            requests = number
    return seconds, requests


def _with_rival(seen: Evidence, age: int, limit: int) -> tuple[int, int]:
    """Return the rival of what is known, and how many closes in a row are for it, after one at this age."""
    safe = seen.safe if seen.known else limit
    are_early = age < safe and seen.rival < safe
    goes_on = _are_alike(age, seen.rival, COARSELY if are_early else ALIKE)
    return (min(age, seen.rival), seen.rivals + 1) if seen.rivals and goes_on else (age, 1)


def _are_alike(one: int, other: int, share: float = ALIKE) -> bool:
    return min(one, other) >= max(one, other) * share - _GRAIN


def _age(seconds: float) -> int:
    return _MOST if seconds == inf else min(max(int(seconds * 1000), 1), _MOST)


def _moment(now: float) -> int:
    return int(now * _MOMENTS_PER_SECOND) % (1 << _MOMENT_BITS)
