"""How much of its limits each client has used, in memory that all workers share; exact for any number of them.

How it works
------------
The memory is cut into sets of cells; where a name belongs is told by its hash. Small sets hold what takes the same room
for ever, large ones what grows. A set is two cells, how many are in use and whether a change is under way that has to
be done to its end, and then its entries, one behind the other: the two halves of the hash, the size, the moment `clear`
from which on nothing is owed, how much is `used`, its `share` of the limit in 2^20ths, and what the kind of limit needs
besides:

    tokens   nothing. `clear` is the theoretical arrival time of GCRA, and `used` the latest moment of a request, so
             that a worker whose clock is late sees no fewer tokens
    fixed    nothing. `clear` is the end of the window
    log      the moment of every request in the window, the oldest first
    panes    the number of the newest pane, and how many requests came in it and in the 64 before it, as a ring

A set has one lock, and what needs several sets takes their locks in order, so that a verdict over several limits is one
step. A new entry pushes out others where the set is full: those that owe nothing, then those that have used the
smallest share. A process that is killed in such a change leaves a set in disorder, which the next one empties; one that
is killed elsewhere leaves an entry as it was before the request or after it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kairos._speedups import Cells as Row
    from kairos._speedups import GuardedCells as Guarded
    from kairos._speedups import Mark as Name

TOKENS, FIXED, LOG, PANES = 0, 1, 2, 3
LONGEST_LOG = 1024  # requests; larger limits are counted in panes
MOST = 1 << 40  # requests that are counted at most
LONGEST = 1 << 62  # nanoseconds that are counted at most
LEAST_CELLS = 1 << 16

# C integers when compiled.
_TOKENS, _FIXED, _LOG = TOKENS, FIXED, LOG
_LONGEST_LOG = LONGEST_LOG
_STRIPES = 256
_PANES = 64
_RING = _PANES + 1  # with the pane that is not over
_IN_USE, _IS_UNSAFE, _SET_HEAD = 0, 1, 2
_SIZE, _CLEAR, _USED, _SHARE, _OWN = 2, 3, 4, 5, 6  # cells of an entry; its hash comes first
_SMALL, _LARGE = 128, 2048  # cells of a set
_FIRST_STAMPS = 4


class Limit:
    """So many requests, `most`, in a window.

    `step` is what a token or a pane takes, in nanoseconds. A rate of tokens is rounded down to whole nanoseconds for
    each, so it is never above the limit, and below it by a thousandth for a million tokens a second.
    """

    __slots__ = ("kind", "most", "step", "window")

    def __init__(self, kind: int, requests: int, burst: int, seconds: int) -> None:
        most = min(requests + burst, MOST)
        window = seconds * 10**9
        step = 1
        if kind == TOKENS:
            step = -(-window // requests) if requests else LONGEST // max(most, 1)
            step = max(step, 1)
            most = min(most, LONGEST // step)
            window = most * step
        elif kind == PANES:
            step = -(-window // _PANES)
        elif kind == LOG and most > LONGEST_LOG:
            raise ValueError("a log does not hold so many requests")
        self.kind = kind
        self.most = most
        self.step = step
        self.window = window


class Verdict:
    """Whether a request is let through, and what the limit says that is nearest to its end. Times are nanoseconds."""

    __slots__ = ("is_allowed", "number", "remaining", "reset", "wait")

    is_allowed: bool
    number: int  # of that limit
    remaining: int  # requests that it would still let through now
    reset: int  # until nothing is used, if nothing comes
    wait: int  # until it lets one through again


def _verdict(is_allowed: bool, number: int, remaining: int, reset: int, wait: int) -> Verdict:
    verdict = Verdict.__new__(Verdict)  # without a call of Python when compiled
    verdict.is_allowed, verdict.number = is_allowed, number
    verdict.remaining, verdict.reset, verdict.wait = remaining, reset, wait
    return verdict


class Buckets:
    """What clients have used. `now` is CLOCK_MONOTONIC in nanoseconds; it may be late in some workers."""

    __slots__ = ("_cells", "_column", "_large", "_remaining", "_reset", "_row", "_small", "_start", "_wait")

    def __init__(self, cells: "Guarded", row: "Row", column: int) -> None:
        """`row` counts under `column` the entries that were pushed out although they owed something."""
        if len(cells) < LEAST_CELLS:
            raise ValueError("there is too little memory for rate limits")
        self._cells = cells
        self._row = row
        self._column = column
        half = len(cells) // 2
        self._small = half // _SMALL  # the number of small sets
        self._start = self._small * _SMALL  # of the large ones
        self._large = (len(cells) - self._start) // _LARGE
        self._remaining = self._reset = self._wait = 0  # of the latest verdict about one limit

    def look(self, limits: "tuple[Limit, ...]", marks: "tuple[Name, ...]", now: int) -> Verdict:
        """Return what `take` would return, and change nothing."""
        return self._decide(limits, marks, now, False)

    def take(self, limits: "tuple[Limit, ...]", marks: "tuple[Name, ...]", now: int) -> Verdict:
        """Let a request through if all limits agree, and count it with all of them, else with none.

        `marks` says who it is for each limit. No two may be the same.
        """
        return self._decide(limits, marks, now, True)

    def give_back(self, limits: "tuple[Limit, ...]", marks: "tuple[Name, ...]", now: int) -> None:
        """Undo a `take` that let a request through."""
        for number in range(len(limits)):
            mark, limit = marks[number], limits[number]
            base = self._place(limit, mark)
            stripe = self._stripe(base)
            self._cells.lock(stripe)
            try:
                at = self._find(base, mark)
                if at >= 0:
                    self._uncount(limit, at, now)
            finally:
                self._cells.unlock(stripe)

    def _decide(self, limits: "tuple[Limit, ...]", marks: "tuple[Name, ...]", now: int, counts: bool) -> Verdict:
        if len(limits) > 1:
            return self._decide_all(limits, marks, now, counts)
        limit, mark = limits[0], marks[0]
        base = self._place(limit, mark)
        stripe = self._stripe(base)
        self._cells.lock(stripe)
        try:
            at = self._find(base, mark)
            is_allowed = self._judge(limit, at, now)
            if is_allowed and counts:
                self._count(limit, base, at, mark, now)
        finally:
            self._cells.unlock(stripe)
        return _verdict(is_allowed, 0, self._remaining, self._reset, self._wait)

    def _decide_all(self, limits: "tuple[Limit, ...]", marks: "tuple[Name, ...]", now: int, counts: bool) -> Verdict:
        stripes = self._stripes(limits, marks)
        locked = 0
        try:
            for stripe in stripes:
                self._cells.lock(stripe)
                locked += 1
            verdict = self._judge_all(limits, marks, now)
            if verdict.is_allowed and counts:
                for number in range(len(limits)):
                    mark, limit = marks[number], limits[number]
                    base = self._place(limit, mark)
                    self._count(limit, base, self._find(base, mark), mark, now)
        finally:
            for stripe in stripes[:locked]:
                self._cells.unlock(stripe)
        return verdict

    def _stripes(self, limits: "tuple[Limit, ...]", marks: "tuple[Name, ...]") -> list[int]:
        """Return the locks in the order in which everybody takes them."""
        stripes: list[int] = []
        for number in range(len(limits)):
            stripe = self._stripe(self._place(limits[number], marks[number]))
            if stripe not in stripes:
                stripes.append(stripe)
        stripes.sort()
        return stripes

    def _judge_all(self, limits: "tuple[Limit, ...]", marks: "tuple[Name, ...]", now: int) -> Verdict:
        """Ask all limits: of those that refuse the longest wait tells, of those that allow the one with least left."""
        all_allow, chosen, remaining, reset, wait = True, 0, MOST, 0, 0
        for number in range(len(limits)):
            limit, mark = limits[number], marks[number]
            is_allowed = self._judge(limit, self._find(self._place(limit, mark), mark), now)
            is_nearer = self._remaining < remaining if is_allowed else self._wait > wait
            if (all_allow and not is_allowed) or (is_nearer and all_allow == is_allowed):
                all_allow, chosen = is_allowed, number
                remaining, reset, wait = self._remaining, self._reset, self._wait
        return _verdict(all_allow, chosen, remaining, reset, wait)

    def _place(self, limit: Limit, mark: "Name") -> int:
        """Return the first cell of the set to which a name belongs."""
        low = mark.low & 0x7FFFFFFFFFFFFFFF
        if limit.kind <= _FIXED:
            return low % self._small * _SMALL
        return self._start + low % self._large * _LARGE

    def _stripe(self, base: int) -> int:
        if base < self._start:
            return base // _SMALL % _STRIPES
        return (base - self._start) // _LARGE % _STRIPES

    def _set_cells(self, base: int) -> int:
        return _SMALL if base < self._start else _LARGE

    def _find(self, base: int, mark: "Name") -> int:
        """Return where the entry is, or -1. A set that somebody left in disorder is emptied."""
        cells = self._cells
        if cells.load(base + _IS_UNSAFE):
            cells.store(base + _IN_USE, 0)
            cells.store(base + _IS_UNSAFE, 0)
        start = base + _SET_HEAD
        return cells.find(start, start + cells.load(base + _IN_USE), mark.low, mark.high)

    def _judge(self, limit: Limit, at: int, now: int) -> bool:
        """Say whether one more request is let through; the numbers are as they are when it has been counted."""
        clear = self._cells.load(at + _CLEAR) if at >= 0 else 0
        if limit.kind == _TOKENS:
            if clear > now:
                now = max(now, self._cells.load(at + _USED))
            return self._judge_tokens(limit, max(clear - now, 0))
        if limit.kind == _FIXED:
            used = self._cells.load(at + _USED) if clear > now else 0
            left = clear - now if clear > now else limit.window
            return self._judge_count(limit, used, left, left)
        if clear <= now:
            return self._judge_count(limit, 0, limit.window, limit.window)
        if limit.kind == _LOG:
            return self._judge_log(limit, at, clear, now)
        return self._judge_panes(limit, at, clear, now)

    def _judge_tokens(self, limit: Limit, owed: int) -> bool:
        after = limit.window - owed - limit.step  # what is left with this request, in nanoseconds
        if after < 0:
            self._remaining, self._reset, self._wait = 0, owed, -after
            return False
        self._remaining, self._reset, self._wait = after // limit.step, owed + limit.step, 0
        return True

    def _judge_count(self, limit: Limit, used: int, reset: int, wait: int) -> bool:
        self._reset = reset
        if used >= limit.most:
            self._remaining, self._wait = 0, max(wait, 1)
            return False
        self._remaining, self._wait = limit.most - used - 1, 0
        return True

    def _judge_log(self, limit: Limit, at: int, clear: int, now: int) -> bool:
        cells = self._cells
        used, passed = cells.load(at + _USED), self._passed(limit, at, now)
        used -= passed
        if used < limit.most:
            return self._judge_count(limit, used, limit.window, 0)
        wait = limit.window
        if limit.most:
            wait = cells.load(at + _OWN + passed + used - limit.most) + limit.window - now
        return self._judge_count(limit, used, clear - now, wait)

    def _passed(self, limit: Limit, at: int, now: int) -> int:
        """Return how many requests at the beginning of a log are as old as the window."""
        cells, used = self._cells, self._cells.load(at + _USED)
        number = 0
        while number < used and cells.load(at + _OWN + number) + limit.window <= now:
            number += 1
        return number

    def _judge_panes(self, limit: Limit, at: int, clear: int, now: int) -> bool:
        cells, newest = self._cells, self._cells.load(at + _OWN)
        current = max(now // limit.step, newest)
        used = cells.load(at + _USED)
        for pane in range(newest - _PANES, min(current - _PANES, newest + 1)):
            used -= cells.load(at + _OWN + 1 + pane % _RING)
        if used < limit.most:
            return self._judge_count(limit, used, (current + _RING) * limit.step - now, 0)
        pane, freed = current - _PANES, 0
        while pane <= newest and used - freed >= limit.most:
            freed += cells.load(at + _OWN + 1 + pane % _RING)
            pane += 1
        return self._judge_count(limit, used, clear - now, (pane + _PANES) * limit.step - now)

    def _count(self, limit: Limit, base: int, at: int, mark: "Name", now: int) -> None:
        """Count one request that is let through. A killed process leaves an entry of before or after."""
        cells = self._cells
        if at < 0:
            at = self._add(limit, base, mark, now)
        clear = cells.load(at + _CLEAR)
        if limit.kind == _TOKENS:
            now = max(now, cells.load(at + _USED))
            clear = max(clear, now) + limit.step
            cells.store(at + _SHARE, (clear - now) // max(limit.window >> 20, 1))
            cells.store(at + _USED, now)
            cells.store(at + _CLEAR, clear)
            return
        used = cells.load(at + _USED) + 1
        if clear <= now:
            used = 1
        if limit.kind == _FIXED:
            cells.store(at + _USED, used)
            if clear <= now:
                cells.store(at + _CLEAR, now + limit.window)
        elif limit.kind == _LOG:
            at = self._write_log(limit, base, at, mark, now)
            used = cells.load(at + _USED)
        else:
            cells.store(base + _IS_UNSAFE, 1)  # because ring and sum have to fit each other
            used = self._count_in_pane(limit, at, now)
            cells.store(base + _IS_UNSAFE, 0)
        cells.store(at + _SHARE, (used << 20) // limit.most)

    def _write_log(self, limit: Limit, base: int, at: int, mark: "Name", now: int) -> int:
        """Note the moment of a request; return where the entry is then."""
        cells, used = self._cells, self._cells.load(at + _USED)
        passed = used if cells.load(at + _CLEAR) <= now else self._passed(limit, at, now)
        if passed:
            cells.store(base + _IS_UNSAFE, 1)
            cells.move(at + _OWN, at + _OWN + passed, used - passed)
            used -= passed
            cells.store(at + _USED, used)
            cells.store(base + _IS_UNSAFE, 0)
        if _OWN + used >= cells.load(at + _SIZE):
            at = self._grow(base, at, mark, min(used, _LONGEST_LOG - used), now)
        moment = now
        if used:
            moment = max(now, cells.load(at + _OWN + used - 1))  # clocks of others may be early
        cells.store(at + _OWN + used, moment)
        cells.store(at + _USED, used + 1)
        cells.store(at + _CLEAR, moment + limit.window)
        return at

    def _count_in_pane(self, limit: Limit, at: int, now: int) -> int:
        """Count a request in the pane of now; return how many are in the ring."""
        cells, ring = self._cells, at + _OWN + 1
        newest, used = cells.load(at + _OWN), cells.load(at + _USED)
        current = max(now // limit.step, newest)
        if cells.load(at + _CLEAR) <= now:
            newest, used = current - _RING, 0
        for pane in range(max(newest, current - _RING) + 1, current + 1):
            if used:
                used -= cells.load(ring + pane % _RING)
            cells.store(ring + pane % _RING, 0)
        cells.store(ring + current % _RING, cells.load(ring + current % _RING) + 1)
        cells.store(at + _OWN, current)
        cells.store(at + _USED, used + 1)
        cells.store(at + _CLEAR, (current + _RING) * limit.step)
        return used + 1

    def _uncount(self, limit: Limit, at: int, now: int) -> None:
        cells = self._cells
        clear, used = cells.load(at + _CLEAR), cells.load(at + _USED)
        if clear <= now:
            return
        if limit.kind == _TOKENS:
            cells.store(at + _CLEAR, clear - limit.step)
            return
        if used == 0:
            return
        if limit.kind > _LOG:
            pane = cells.load(at + _OWN)
            oldest = pane - _RING + 1
            while pane > oldest and cells.load(at + _OWN + 1 + pane % _RING) == 0:
                pane -= 1
            if cells.load(at + _OWN + 1 + pane % _RING) == 0:
                return  # who counted it was killed before the sum and the panes fitted again
            cell = at + _OWN + 1 + pane % _RING
            cells.store(cell, cells.load(cell) - 1)
        cells.store(at + _USED, used - 1)

    def _add(self, limit: Limit, base: int, mark: "Name", now: int) -> int:
        """Begin an entry, which owes nothing; return where it is."""
        cells, size = self._cells, _OWN
        if limit.kind == _LOG:
            size += _FIRST_STAMPS
        elif limit.kind > _LOG:
            size += 1 + _RING
        self._make_room(base, mark, size, now)
        at = base + _SET_HEAD + cells.load(base + _IN_USE)
        for cell in range(at, at + size):
            cells.store(cell, 0)
        cells.store(at, mark.low)
        cells.store(at + 1, mark.high)
        cells.store(at + _SIZE, size)
        cells.store(base + _IN_USE, at + size - base - _SET_HEAD)
        return at

    def _grow(self, base: int, at: int, mark: "Name", more: int, now: int) -> int:
        """Lengthen an entry by `more` cells; return where it is then."""
        cells = self._cells
        self._make_room(base, mark, more, now)
        at = self._find(base, mark)
        behind = at + cells.load(at + _SIZE)
        in_use = cells.load(base + _IN_USE)
        cells.store(base + _IS_UNSAFE, 1)
        cells.move(behind + more, behind, base + _SET_HEAD + in_use - behind)
        cells.store(at + _SIZE, behind + more - at)
        cells.store(base + _IN_USE, in_use + more)
        cells.store(base + _IS_UNSAFE, 0)
        return at

    def _make_room(self, base: int, mark: "Name", size: int, now: int) -> None:
        """Push out entries until there is room for `size` more cells, but not that of `mark`."""
        room = self._set_cells(base) - _SET_HEAD - size
        while self._cells.load(base + _IN_USE) > room:
            self._push_out(base, mark, now)

    def _push_out(self, base: int, mark: "Name", now: int) -> None:
        """Remove the entry that owes nothing or else has used the smallest share, but not that of `mark`."""
        cells = self._cells
        at = base + _SET_HEAD
        end = at + cells.load(base + _IN_USE)
        least, chosen = LONGEST, -1
        while at < end:
            share = cells.load(at + _SHARE) + 1 if cells.load(at + _CLEAR) > now else 0
            if share < least and not (cells.load(at) == mark.low and cells.load(at + 1) == mark.high):
                least, chosen = share, at
            at += cells.load(at + _SIZE)
        if least:
            self._row.add(self._column, 1)
        size = cells.load(chosen + _SIZE)
        cells.store(base + _IS_UNSAFE, 1)
        cells.move(chosen, chosen + size, end - chosen - size)
        cells.store(base + _IN_USE, end - size - base - _SET_HEAD)
        cells.store(base + _IS_UNSAFE, 0)
