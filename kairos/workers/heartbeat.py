"""Find workers that hang: their heartbeat is old, although we were here to see a newer one."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Dump:
    """Make the worker in a slot write its stacks."""

    slot: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End the worker in a slot."""

    slot: int


class Watch:
    """Look at heartbeats every `interval` seconds. No clock: callers pass `now`.

    A heartbeat older than `stale_seconds` gets the worker a chance of `dump_seconds` to write its stacks, then its end.
    If we come late ourselves, the machine or the whole process group was stopped: then everyone gets the time anew.
    """

    __slots__ = ("_checked_at", "_dump_seconds", "_dumped_at", "_resumed_at", "_stale_seconds", "interval")

    def __init__(self, stale_seconds: float, dump_seconds: float) -> None:
        self._stale_seconds = stale_seconds
        self._dump_seconds = dump_seconds
        self._checked_at = inf
        self._resumed_at = 0.0
        self._dumped_at: dict[int, float] = {}
        self.interval = min(stale_seconds / 5, dump_seconds)

    def check(self, beats: Mapping[int, float], now: float) -> list[Dump | Kill]:
        """Say what to do about the workers whose latest heartbeats these are, by slot."""
        if now - self._checked_at > self._stale_seconds / 2:
            self._resumed_at = now
        self._checked_at = now
        stale = {slot for slot, beat in beats.items() if now - max(beat, self._resumed_at) >= self._stale_seconds}
        self._dumped_at = {slot: at for slot, at in self._dumped_at.items() if slot in stale}
        actions: list[Dump | Kill] = []
        for slot in sorted(stale):
            if slot not in self._dumped_at:
                self._dumped_at[slot] = now
                actions.append(Dump(slot))
            elif now - self._dumped_at[slot] >= self._dump_seconds:
                actions.append(Kill(slot))
        return actions
