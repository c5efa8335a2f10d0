"""Bring documents to the workers: carry out between processes what the reload coordinator decides."""

import logging
import os
import time
from collections.abc import Callable, Sequence

from kairos.workers import documents
from kairos.workers.channel import Message
from kairos.workers.fleet import Fleet
from kairos.workers.reload import Abort, Action, Applied, Commit, Coordinator, Kill, Prepare, ReadConfig, Refused

logger = logging.getLogger("kairos.supervisor")


class Rollout:
    """Stand between the coordinator and the fleet. The three callbacks tell what becomes of a reload."""

    def __init__(
        self,
        coordinator: Coordinator,
        fleet: Fleet,
        *,
        read_config: Callable[[], None],
        applied: Callable[[int], None],
        refused: Callable[[Sequence[str]], None],
    ) -> None:
        self._coordinator = coordinator
        self._fleet = fleet
        self._read_config = read_config
        self._applied = applied
        self._refused = refused
        self._documents: dict[int, bytes] = {}  # at most two generations: the committed and the pending one
        fleet.on_start = self._worker_started
        fleet.on_message = self._worker_said
        fleet.on_death = self._worker_died

    @property
    def deadline(self) -> float:
        """When to call `tick`."""
        return self._coordinator.deadline

    @property
    def document(self) -> bytes:
        """The document in force."""
        return self._documents[self._coordinator.committed]

    def tick(self, now: float) -> None:
        """Do what is due."""
        self._perform(self._coordinator.tick(now))

    def propose(self, document: bytes) -> None:
        """Let all workers prepare a document, and commit it if all can."""
        actions = self._coordinator.proposed(time.monotonic())
        self._documents[self._coordinator.pending] = document
        self._perform(actions)

    def stop(self) -> None:
        """Take no new document; workers that start still come to the one in force."""
        self._perform(self._coordinator.stopped(time.monotonic()))

    def _worker_started(self, slot: int) -> None:
        self._perform(self._coordinator.started(slot, time.monotonic()))

    def _worker_died(self, slot: int, how: str) -> None:
        self._perform(self._coordinator.died(slot, how, time.monotonic()))

    def _worker_said(self, slot: int, message: Message) -> None:
        now = time.monotonic()
        fields = message.fields
        for fd in message.fds:  # a worker has none to give
            os.close(fd)
        if message.type == "ready":
            self._perform(self._coordinator.ready(slot, fields["generation"], now))
        elif message.type == "failed":
            self._perform(self._coordinator.failed(slot, fields["generation"], fields["reasons"], now))
        elif message.type == "committed":
            self._fleet.accepts(slot)
            self._perform(self._coordinator.committed_by(slot, fields["generation"], now))

    def _perform(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case ReadConfig():
                    self._read_config()
                case Prepare(slot, generation):
                    self._send_document(slot, generation)
                case Commit(slot, generation):
                    self._fleet.send(slot, "commit", generation=generation)
                case Abort(slot, generation):
                    self._fleet.send(slot, "abort", generation=generation)
                case Kill(slot, reason):
                    logger.error("worker %d is killed: %s", slot, reason)
                    self._fleet.kill(slot)
                case Applied(generation):
                    self._documents = {generation: self._documents[generation]}
                    self._applied(generation)
                case Refused(generation, reasons):
                    del self._documents[generation]
                    self._refused(reasons)

    def _send_document(self, slot: int, generation: int) -> None:
        fd = documents.seal(self._documents[generation])
        try:
            self._fleet.send(slot, "prepare", [fd], generation=generation)
        finally:
            os.close(fd)
