"""How the gateway ends: readiness off, accept a while longer, drain, and stop hard at the deadline.

How it works. A signal or the time moves it on; it returns what to do.

    stage      event                              next       actions
    RUNNING    SIGTERM                            LINGERING  Unready
    RUNNING    SIGTERM without delay, or SIGINT   DRAINING   Unready, Drain
    LINGERING  the delay is over                  DRAINING   Drain
    LINGERING  another SIGTERM or SIGINT          FORCED     Drain in no time
    DRAINING   another SIGTERM or SIGINT          FORCED     Drain in no time
    DRAINING   the deadline has passed            OVER       KillAll
    FORCED     the deadline has passed            OVER       KillAll
"""

from dataclasses import dataclass
from enum import Enum, auto
from math import inf


@dataclass(frozen=True, slots=True)
class Unready:
    """Let readiness fail, so that load balancers look elsewhere."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Accept nothing more and finish what runs within so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class KillAll:
    """End whoever is still there."""


Action = Unready | Drain | KillAll


class Stage(Enum):
    """How near the end is."""

    RUNNING = auto()
    LINGERING = auto()
    DRAINING = auto()
    FORCED = auto()
    OVER = auto()


class Ending:
    """Decide when to drain and when to kill. No clock: callers pass `now`."""

    __slots__ = ("_delay_seconds", "_drain_seconds", "_grace_seconds", "deadline", "stage")

    def __init__(self, delay_seconds: float, drain_seconds: float, grace_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        self._drain_seconds = drain_seconds
        self._grace_seconds = grace_seconds  # for workers to leave by themselves at the end of a drain
        self.stage = Stage.RUNNING
        self.deadline = inf

    @property
    def has_begun(self) -> bool:
        """Say whether the end is near enough for nothing new to begin."""
        return self.stage is not Stage.RUNNING

    @property
    def drains(self) -> bool:
        """Say whether nobody is accepted and replaced any more."""
        return self.stage not in (Stage.RUNNING, Stage.LINGERING)

    def asked(self, now: float, *, delays: bool) -> list[Action]:
        """Obey a signal to end; `delays` if it leaves time to load balancers."""
        if self.stage is Stage.RUNNING:
            if delays and self._delay_seconds > 0:
                self.stage = Stage.LINGERING
                self.deadline = now + self._delay_seconds
                return [Unready()]
            return [Unready(), self._drain(Stage.DRAINING, self._drain_seconds, now)]
        if self.stage in (Stage.LINGERING, Stage.DRAINING):
            return [self._drain(Stage.FORCED, 0, now)]
        return []

    def tick(self, now: float) -> list[Action]:
        """Do what is due."""
        if now < self.deadline:
            return []
        if self.stage is Stage.LINGERING:
            return [self._drain(Stage.DRAINING, self._drain_seconds, now)]
        self.stage = Stage.OVER
        self.deadline = inf
        return [KillAll()]

    def _drain(self, stage: Stage, seconds: float, now: float) -> Action:
        self.stage = stage
        self.deadline = now + seconds + self._grace_seconds
        return Drain(seconds)
