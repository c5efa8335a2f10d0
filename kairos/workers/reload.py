"""The two-phase reload: every worker prepares the new document, then all commit it, or none does.

How it works. The coordinator is told what happened and returns what to do. It has no clock and no sockets.

    phase       event                               next phase  actions
    IDLE        proposed (the first document)       PREPARING   Prepare to every worker
    IDLE        wanted                              GATHERING
    GATHERING   100 ms passed                       READING     ReadConfig
    READING     proposed                            PREPARING   Prepare to every worker
    READING     unchanged, or refused               IDLE
    PREPARING   all are ready                       COMMITTING  Commit to every worker
    PREPARING   all answered, died or are too late  IDLE        Abort to every worker, Refused
    COMMITTING  all have committed or died          IDLE        Applied
    any         stopped                             STOPPED     from PREPARING: Abort to every worker, Refused

In any phase but IDLE and GATHERING `wanted` is remembered, and starts another round after this one. A worker that
starts prepares the pending document if there is one, else the committed one, which it commits on its own. Whoever fails
to come to the committed document is killed: the worker that replaces it tries again. Only if nobody comes to the first
one is it refused after all. When all has stopped, workers that start are still brought to the committed document.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from math import inf


@dataclass(frozen=True, slots=True)
class ReadConfig:
    """Read the config now."""


@dataclass(frozen=True, slots=True)
class Prepare:
    """Send a worker the document of a generation."""

    slot: int
    generation: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Tell a worker to serve what it prepared."""

    slot: int
    generation: int


@dataclass(frozen=True, slots=True)
class Abort:
    """Tell a worker to forget what it prepared, or prepares."""

    slot: int
    generation: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End a worker that cannot be brought to the committed document."""

    slot: int
    reason: str


@dataclass(frozen=True, slots=True)
class Applied:
    """The reload is over: every worker serves this generation."""

    generation: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The reload is over: nothing changed, for these reasons."""

    generation: int
    reasons: tuple[str, ...]


Action = ReadConfig | Prepare | Commit | Abort | Kill | Applied | Refused


class Phase(Enum):
    """How far a reload has come."""

    IDLE = auto()
    GATHERING = auto()
    READING = auto()
    PREPARING = auto()
    COMMITTING = auto()
    STOPPED = auto()


class Step(Enum):
    """How far one worker has come with the generation that it was asked for."""

    PREPARING = auto()
    READY = auto()
    FAILED = auto()
    COMMITTING = auto()
    SERVING = auto()
    KILLED = auto()


@dataclass(slots=True)
class Member:
    """A worker as the coordinator knows it. `serves` is 0 until it has committed something."""

    generation: int = 0
    step: Step = Step.PREPARING
    deadline: float = inf
    serves: int = 0


class Coordinator:
    """Decide who prepares and commits what. `committed` is the generation in force, 0 before the first one."""

    def __init__(self, gather_seconds: float, prepare_seconds: float, commit_seconds: float) -> None:
        self._gather_seconds = gather_seconds
        self._prepare_seconds = prepare_seconds
        self._commit_seconds = commit_seconds
        self._members: dict[int, Member] = {}
        self._reasons: list[str] = []
        self._due = inf  # the end of GATHERING
        self._again = False
        self._last = 0  # the newest number given; that of a refused generation is not used again
        self.phase = Phase.IDLE
        self.committed = 0
        self.pending = 0

    @property
    def deadline(self) -> float:
        """When to call `tick`."""
        return min((self._due, *(member.deadline for member in self._members.values())))

    # What the operator wants.

    def wanted(self, now: float) -> None:
        """Reload soon; all who want that within a moment get one generation."""
        if self.phase is Phase.IDLE:
            self.phase = Phase.GATHERING
            self._due = now + self._gather_seconds
        elif self.phase is not Phase.GATHERING:
            self._again = True

    def stopped(self, now: float) -> list[Action]:
        """Begin no reload any more, and give up one that nobody has committed."""
        actions = self._abort(["the gateway ends"], now) if self.pending and self.committed else []
        self._due = inf
        self.phase = Phase.STOPPED
        return actions

    # What the config child says.

    def proposed(self, now: float) -> list[Action]:
        """Make a new document the pending generation."""
        self.phase = Phase.PREPARING
        self._last += 1
        self.pending = self._last
        self._reasons = []
        return [self._prepare(slot, self.pending, now) for slot in self._not_killed()]

    def nothing_new(self, now: float) -> None:
        """Go on as before: the document is the same, or there is none."""
        self._rest(now)

    # What becomes of the workers.

    def started(self, slot: int, now: float) -> list[Action]:
        """Bring the new process in a slot to the pending document, or to the committed one."""
        self._members[slot] = Member()
        generation = self.pending or self.committed
        return [self._prepare(slot, generation, now)] if generation else []

    def ready(self, slot: int, generation: int, now: float) -> list[Action]:
        """Let the worker commit, now or together with the others."""
        member = self._waiting(slot, generation, Step.PREPARING)
        if member is None:
            return []
        if generation == self.committed:
            return [self._commit(slot, now)]
        member.step = Step.READY
        member.deadline = inf
        return self._settled(now)

    def failed(self, slot: int, generation: int, reasons: Sequence[str], now: float) -> list[Action]:
        """Count a worker out that cannot prepare a generation."""
        if self._waiting(slot, generation, Step.PREPARING) is None:
            return []
        return self._gave_up(slot, reasons, now)

    def committed_by(self, slot: int, generation: int, now: float) -> list[Action]:
        """Note that a worker serves a generation."""
        member = self._waiting(slot, generation, Step.COMMITTING)
        if member is None:
            return []
        member.step = Step.SERVING
        member.deadline = inf
        member.serves = generation
        return self._settled(now)

    def died(self, slot: int, how: str, now: float) -> list[Action]:
        """Go on without a worker whose process has ended."""
        member = self._members.pop(slot)
        if member.step not in (Step.SERVING, Step.KILLED):
            self._note([f"worker {slot} ended ({how}) before it served the config"])
        return self._settled(now)

    def tick(self, now: float) -> list[Action]:
        """Do what is due, and give up on who is late."""
        if now >= self._due:
            self._due = inf
            self.phase = Phase.READING
            return [ReadConfig()]
        actions: list[Action] = []
        for slot, member in self._members.items():
            if now >= member.deadline:
                doing = "prepare" if member.step is Step.PREPARING else "commit"
                actions += self._gave_up(slot, [f"worker {slot} did not {doing} the config in time"], now)
        return actions

    # Private.

    def _gave_up(self, slot: int, reasons: Sequence[str], now: float) -> list[Action]:
        """Count a worker out: that refuses a generation which is pending, but not the one in force."""
        member = self._members[slot]
        member.deadline = inf
        self._note(reasons)
        if member.generation != self.committed:
            member.step = Step.FAILED
            return self._settled(now)
        member.step = Step.KILLED
        return [Kill(slot, "; ".join(reasons)), *self._settled(now)]

    def _settled(self, now: float) -> list[Action]:
        """Go to the next phase if every worker has come to an end with this one."""
        steps = {member.step for member in self._members.values()}
        if self.phase is Phase.PREPARING and Step.PREPARING not in steps:
            if self._reasons:
                return self._abort((), now)
            if Step.READY in steps:
                return self._commit_all(now)
        elif self.phase is Phase.COMMITTING and steps <= {Step.SERVING}:
            if not steps and self.committed == 1:
                return self._refuse(self.committed, now)
            self._rest(now)
            return [Applied(self.committed)]
        return []

    def _commit_all(self, now: float) -> list[Action]:
        self.phase = Phase.COMMITTING
        self.committed, self.pending = self.pending, 0
        return [self._commit(slot, now) for slot in self._not_killed()]

    def _note(self, reasons: Sequence[str]) -> None:
        """Remember why a reload fails, if one runs."""
        if self.phase in (Phase.PREPARING, Phase.COMMITTING):
            self._reasons += (reason for reason in reasons if reason not in self._reasons)

    def _abort(self, reasons: Sequence[str], now: float) -> list[Action]:
        """Everyone goes on with what it serves; a worker that serves nothing yet gets the committed document."""
        self._note(reasons)
        refused, self.pending = self.pending, 0
        actions: list[Action] = []
        for slot in self._not_killed():
            actions.append(Abort(slot, refused))
            member = self._members[slot]
            member.generation = member.serves
            member.step = Step.SERVING
            member.deadline = inf
            if self.committed and not member.serves:
                actions.append(self._prepare(slot, self.committed, now))
        return [*actions, *self._refuse(refused, now)]

    def _refuse(self, generation: int, now: float) -> list[Action]:
        self._rest(now)
        return [Refused(generation, tuple(self._reasons))]

    def _rest(self, now: float) -> None:
        self.phase = Phase.IDLE
        if self._again:
            self._again = False
            self.wanted(now)

    def _not_killed(self) -> list[int]:
        return [slot for slot, member in self._members.items() if member.step is not Step.KILLED]

    def _prepare(self, slot: int, generation: int, now: float) -> Action:
        return self._ask(slot, generation, Step.PREPARING, now + self._prepare_seconds, Prepare)

    def _commit(self, slot: int, now: float) -> Action:
        return self._ask(slot, self.committed, Step.COMMITTING, now + self._commit_seconds, Commit)

    def _ask(
        self, slot: int, generation: int, step: Step, deadline: float, order: Callable[[int, int], Action]
    ) -> Action:
        member = self._members[slot]
        member.generation = generation
        member.step = step
        member.deadline = deadline
        return order(slot, generation)

    def _waiting(self, slot: int, generation: int, step: Step) -> Member | None:
        """Return the worker if this is the answer that it owes; late answers to what was given up count no more."""
        member = self._members.get(slot)
        return member if member and (member.generation, member.step) == (generation, step) else None
