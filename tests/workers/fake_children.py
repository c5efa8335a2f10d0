"""Children without processes: who is forked, told and killed is written down, and dies when the test says so."""

import signal
from collections.abc import Callable, Sequence
from typing import Any

from kairos.workers.channel import Message


class FakeChild:
    """A child that exists only on paper."""

    def __init__(self, name: str, pid: int, said: Callable[[Message], None], ended: Callable[[str], None]) -> None:
        self.name = name
        self.pid = pid
        self.said = said
        self.ended = ended
        self.signals: list[int] = []
        self.told: list[tuple[str, dict[str, Any]]] = []

    def kill(self, number: int = signal.SIGKILL) -> None:
        self.signals.append(number)


class FakeChildren:
    """Stand in for Children. `has_room` says whether a fork succeeds."""

    def __init__(self) -> None:
        self.forked: list[FakeChild] = []
        self.has_room = True

    def fork(self, name: str, main: object, *, said: Any, ended: Any, keep: Sequence[Any] = ()) -> FakeChild:
        if not self.has_room:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        child = FakeChild(name, 1000 + len(self.forked), said, ended)
        self.forked.append(child)
        return child

    def send(self, child: FakeChild, kind: str, fds: Sequence[int] = (), **fields: Any) -> None:
        child.told.append((kind, fields))

    @property
    def names(self) -> list[str]:
        return [child.name for child in self.forked]
