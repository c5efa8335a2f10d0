"""The housekeeping that one worker does for all, a little at every tick.

How it works
------------
A pass looks at every file: once in a while, and soon after a purge. It removes what is of no more use, what is purged,
and what processes have left that were killed, and puts the sizes of the shards right. A purge is carried out when a
pass has ended that began a minute after it: whoever found no rule against an answer has put it in its place by then,
or was killed for not moving.
"""

import os
import time
from collections.abc import Callable, Generator, Iterator
from typing import TypeAlias

from kairos._speedups import Cells
from kairos.cache import words
from kairos.cache.files import Files, Listed
from kairos.cache.usage import SHARDS, UNFINISHED
from kairos.resilience.lease import Lease

SLICE_SECONDS = 0.002  # that a tick may take
PASS_SECONDS = 30.0  # from one pass to the next
PURGE_SECONDS = 1.0  # the same after a purge
SETTLED_SECONDS = 60.0  # after which nobody puts a file in its place who does not know of a rule

Steps: TypeAlias = Generator[None, None, None]


class Sweep:
    """One worker's part of it. `clock` measures slices of time; `leftovers` removes what dead gateways have left."""

    __slots__ = (
        "_cells",
        "_checkpoint",
        "_clock",
        "_done",
        "_ended_at",
        "_files",
        "_lease",
        "_leftovers",
        "_rules",
        "_steps",
    )

    def __init__(
        self,
        cells: Cells,
        slot: int,
        files: Files,
        leftovers: Callable[[], Iterator[None]],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._cells = cells
        self._files = files
        self._lease = Lease(cells, words.LEASE, slot)
        self._leftovers: Callable[[], Iterator[None]] | None = leftovers
        self._clock = clock
        self._steps: Steps | None = None  # of the pass that is under way
        self._ended_at = -PASS_SECONDS  # the last one
        self._rules = 0  # the value of words.RULES when it began
        self._done = 0  # the value up to which all has been carried out
        self._checkpoint: tuple[int, int, float] | None = None  # a value of words.RULES, a stamp not below, and when

    def step(self, now: float) -> None:
        """Do a little, if it is this worker's turn. Raises OSError."""
        if not self._lease.keep(now):
            self._steps = None
            return
        if self._steps is None:
            if now - self._ended_at < (PASS_SECONDS if self._looked_up() else PURGE_SECONDS):
                return
            self._steps = self._pass(now)
        end = self._clock() + SLICE_SECONDS
        try:
            for _ in self._steps:
                if self._clock() >= end:
                    return
        except OSError:
            self._steps, self._ended_at = None, now
            raise
        self._steps, self._ended_at = None, now

    @property
    def is_under_way(self) -> bool:
        """Say whether this worker is in the middle of a pass."""
        return self._steps is not None

    def stop(self) -> None:
        """Let another worker go on."""
        self._steps = None
        self._lease.give_up()

    def _looked_up(self) -> bool:
        """Say whether a pass has begun since the latest purge."""
        return self._cells.load(words.RULES) == self._rules

    def _pass(self, now: float) -> Steps:
        if self._leftovers is not None:
            yield from self._leftovers()
            self._leftovers = None
        self._rules = self._cells.load(words.RULES)
        stamp = self._cells.load(words.SEQUENCE)  # after the rules: not below any of theirs
        if self._checkpoint is None and self._rules != self._done:
            self._checkpoint = self._rules, stamp, now
        is_settled = self._checkpoint is not None and now - self._checkpoint[2] >= SETTLED_SECONDS
        self._files.purges.learn(self._rules)
        for shard in range(SHARDS + 1):
            yield from self._look_through(shard, now)
        self._files.usage.settle()
        if self._checkpoint is not None and is_settled:
            self._done, stamp, _ = self._checkpoint
            self._checkpoint = None
            self._files.purges.retire(words.latest_rule(self._done), stamp)

    def _look_through(self, shard: int, now: float) -> Steps:
        """Remove what has to go from a shard, and put its size right unless others change it meanwhile."""
        usage = self._files.usage
        before, count = usage.of(shard), 0
        for file in self._files.listed(shard):
            has_to_go = _is_left(file) if shard == UNFINISHED else self._is_of_no_use(file, now)
            if has_to_go:
                before -= self._files.unlink(file.path, shard)
            else:
                count += file.pages
            yield
        usage.correct(shard, before, count)

    def _is_of_no_use(self, file: Listed, now: float) -> bool:
        if file.useless_at <= now:
            return True
        if self._rules == self._done:
            return False
        head = self._files.head_of(file.path)
        return head is None or self._files.purges.cover(head)


def _is_left(file: Listed) -> bool:
    """Say whether nobody will finish a file: its name begins with the number of the process."""
    try:
        os.kill(int(os.path.basename(file.path).split("-")[0]), 0)
    except (ProcessLookupError, ValueError):
        return True
    except PermissionError:
        pass
    return False
