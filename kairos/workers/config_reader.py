"""Read the config in a child process, so that what is heavy or goes wrong there does not stay with the supervisor."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from kairos.workers import documents
from kairos.workers.channel import Channel, Message
from kairos.workers.children import Child, Children
from kairos.workers.signals import TERMINATION


@dataclass(frozen=True, slots=True)
class Accepted:
    """The config holds; `findings` are lines for the log."""

    document: bytes
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The config cannot be used; `lines` say why."""

    lines: tuple[str, ...]
    exit_code: int = 1


Outcome = Accepted | Refused


class ConfigReader:
    """Run `main`, which sends a document or says why there is none. One reading at a time, with one outcome."""

    def __init__(
        self,
        children: Children,
        main: Callable[[Channel], None],
        seconds: float,
    ) -> None:
        self._children = children
        self._main = main
        self._seconds = seconds
        self._child: Child | None = None
        self._outcome: Outcome | None = None
        self.missed_signals: list[int] = []  # that came during `wait`, and are still to be obeyed
        self.deadline = inf
        self.on_outcome: Callable[[Outcome], None]  # set before the first turn

    def start(self) -> None:
        """Begin to read."""
        self._outcome = None
        now = time.monotonic()
        try:
            self._child = self._children.fork("config reader", self._main, said=self._said, ended=self._ended)
            self.deadline = now + self._seconds
        except OSError as error:
            self._outcome = Refused((f"the config reader cannot be started: {error.strerror}",))
            self.deadline = now

    def wait(self) -> Outcome | None:
        """Wait until the reading is over; None if a signal to end comes first."""
        outcomes: list[Outcome] = []
        self.on_outcome = outcomes.append
        self._children.on_signal = self.missed_signals.append
        while not outcomes and not set(TERMINATION) & set(self.missed_signals):
            self._children.turn(self.deadline)
            self.tick(time.monotonic())
        return outcomes[0] if outcomes else None

    def tick(self, now: float) -> None:
        """Give up on a child that is late, or could not be started."""
        if now < self.deadline:
            return
        self.deadline = inf
        if self._child is not None:
            self._outcome = Refused((f"reading the config took more than {self._seconds:g} s",))
            self._child.kill()
        elif self._outcome is not None:
            self.on_outcome(self._outcome)

    def _said(self, message: Message) -> None:
        try:
            if self._outcome is None:
                self._outcome = _outcome(message)
        finally:
            for fd in message.fds:
                os.close(fd)

    def _ended(self, how: str) -> None:
        self._child = None
        self.deadline = inf
        self.on_outcome(self._outcome or Refused((f"the config reader ended without a result ({how})",)))


def _outcome(message: Message) -> Outcome:
    """Read the one message of a config child."""
    if message.lost_fds:
        return Refused(("the config cannot be taken over: too many open files",))
    if message.type == "document":
        return Accepted(documents.read(message.fds[0]), tuple(message.fields["findings"]))
    return Refused(tuple(message.fields["lines"]), message.fields["exit"])
