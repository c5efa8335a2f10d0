"""Other processes that live as long as the gateway, such as the demo backends."""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from math import inf

from kairos.workers.channel import Message
from kairos.workers.children import Children
from kairos.workers.replacement import NO_ROOM_SECONDS, Backoff

logger = logging.getLogger("kairos.supervisor")


class Extras:
    """Run each function in a process of its own, and again whenever it ends."""

    def __init__(self, children: Children, mains: Sequence[Callable[[], None]]) -> None:
        self._children = children
        self._mains = mains
        self._backoffs = [Backoff() for _ in mains]
        self._started_at = [0.0 for _ in mains]
        self._due = dict.fromkeys(range(len(mains)), 0.0)  # when to start which

    @property
    def deadline(self) -> float:
        """When to call `tick`."""
        return min(self._due.values(), default=inf)

    def tick(self, now: float) -> None:
        """Start those that are due."""
        for index in [index for index, at in self._due.items() if now >= at]:
            self._start(index, now)

    def _start(self, index: int, now: float) -> None:
        main = self._mains[index]
        ended = partial(self._ended, index)
        try:
            self._children.fork(f"extra {index}", lambda _: main(), said=_ignore, ended=ended)
        except OSError as error:
            logger.error("extra process %d cannot be started: %s", index, error.strerror)
            self._due[index] = now + NO_ROOM_SECONDS
            return
        del self._due[index]
        self._started_at[index] = now

    def _ended(self, index: int, how: str) -> None:
        now = time.monotonic()
        self._due[index] = now + self._backoffs[index].died(now, now - self._started_at[index])
        logger.error("extra process %d ended: %s; it is started again", index, how)


def _ignore(message: Message) -> None:
    """Extra processes do not know that they have a channel."""
