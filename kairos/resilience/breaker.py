"""Leave a backend alone that keeps failing, and find out with one probe at a time when it is well again.

How it works
------------
All of a breaker is one word, shared by the workers and changed by compare-and-exchange: two bits of state, fifteen of a
count, and a moment in milliseconds. Zero is closed without failures, which is all that a healthy backend costs to ask.

    closed     count: failures in a row            moment: not used
    open       count: 0                            moment: the last failure
    half open  count: probes that went well        moment: when the probe under way left; 0 if there is none

A probe whose worker has died is forgotten after the time that the breaker stays open.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kairos._speedups import Cells as Words

CLOSED, OPEN, HALF_OPEN = 0, 1, 2
REFUSED, PASSED, PROBE = 0, 1, 2

MOST = (1 << 15) - 1  # what is counted at most
_STATE = 0x3
_COUNT_SHIFT, _MOMENT_SHIFT = 2, 17

# C integers when compiled.
_CLOSED, _OPEN, _HALF_OPEN = CLOSED, OPEN, HALF_OPEN
_REFUSED, _PASSED, _PROBE = REFUSED, PASSED, PROBE
_MOST = MOST


class Breaker:
    """The breaker of one backend, for routes with the same settings.

    `now` is CLOCK_MONOTONIC in seconds. Who asks with `take` has to report with `succeeded`, `failed` or `abandoned`
    and to say whether it was let through as a probe.
    """

    __slots__ = ("_cells", "_closes_at", "_index", "_milliseconds", "_opens_at")

    def __init__(self, cells: "Words", index: int, failures: int, successes: int, seconds: float) -> None:
        """`failures` in a row open it, for `seconds`; `successes` of probes close it."""
        self._cells = cells
        self._index = index
        self._opens_at = min(failures, _MOST)
        self._closes_at = min(successes, _MOST)
        self._milliseconds = max(int(seconds * 1000), 1)

    def look(self, now: float) -> int:
        """Return what `take` would return, and change nothing."""
        word = self._cells.load(self._index)
        return _PASSED if word & _STATE == _CLOSED else self._verdict(word, now)

    def take(self, now: float) -> int:
        """Return REFUSED, PASSED, or PROBE for the one request that finds out how the backend is."""
        word = self._cells.load(self._index)
        while word & _STATE != _CLOSED:
            if self._verdict(word, now) == _REFUSED:
                return _REFUSED
            probes = word >> _COUNT_SHIFT & _MOST if word & _STATE == _HALF_OPEN else 0
            if self._cells.compare_exchange(self._index, word, _word(_HALF_OPEN, probes, _moment(now))):
                return _PROBE
            word = self._cells.load(self._index)
        return _PASSED

    def succeeded(self, is_probe: bool) -> None:
        """Note that the backend has answered."""
        word = self._cells.load(self._index)
        while word:
            new = 0
            if word & _STATE != _CLOSED:
                if not is_probe or word & _STATE == _OPEN:
                    return  # a late answer from before it opened
                count = (word >> _COUNT_SHIFT & _MOST) + 1
                if count < self._closes_at:
                    new = _word(_HALF_OPEN, count, 0)
            if self._cells.compare_exchange(self._index, word, new):
                return
            word = self._cells.load(self._index)

    def failed(self, now: float, is_probe: bool, may_open: bool = True) -> bool:
        """Note that the backend has failed; return whether that opened the breaker.

        `may_open` is False while too few requests were seen to judge the backend.
        """
        while True:
            word = self._cells.load(self._index)
            state = word & _STATE
            if state == _CLOSED:
                count = min((word >> _COUNT_SHIFT & _MOST) + 1, _MOST)
                opens = count >= self._opens_at and may_open
                new = _word(_OPEN, 0, _moment(now)) if opens else _word(_CLOSED, count, 0)
            elif state == _OPEN or is_probe:
                new = _word(_OPEN, 0, _moment(now))
            else:
                return False  # a late failure from before the probe
            if self._cells.compare_exchange(self._index, word, new):
                return state != _OPEN and new & _STATE == _OPEN

    def abandoned(self) -> None:
        """Note that a probe ended without telling anything, because its client has left: let the next one be one."""
        while True:
            word = self._cells.load(self._index)
            if word & _STATE != _HALF_OPEN:
                return
            count = word >> _COUNT_SHIFT & _MOST
            if self._cells.compare_exchange(self._index, word, _word(_HALF_OPEN, count, 0)):
                return

    def state(self) -> int:
        """Return CLOSED, OPEN or HALF_OPEN."""
        return self._cells.load(self._index) & _STATE

    def count(self) -> int:
        """Return the failures in a row while it is closed, the probes that went well while it is half open."""
        return self._cells.load(self._index) >> _COUNT_SHIFT & _MOST

    def seconds_left(self, now: float) -> float:
        """Return how long it refuses at most, if nothing happens."""
        word = self._cells.load(self._index)
        if word & _STATE == _CLOSED:
            return 0.0
        return max((word >> _MOMENT_SHIFT) + self._milliseconds - _moment(now), 0) / 1000

    def _verdict(self, word: int, now: float) -> int:
        """Judge a word that is not closed."""
        moment = word >> _MOMENT_SHIFT
        if word & _STATE == _HALF_OPEN and moment == 0:
            return _PROBE
        return _REFUSED if _moment(now) < moment + self._milliseconds else _PROBE


def _word(state: int, count: int, moment: int) -> int:
    return moment << _MOMENT_SHIFT | count << _COUNT_SHIFT | state


def _moment(now: float) -> int:
    """Return the time in whole milliseconds, and never 0, which stands for none."""
    return max(int(now * 1000), 1)
