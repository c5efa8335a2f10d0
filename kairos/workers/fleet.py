"""The workers: one per slot, replaced when they die or hang, and new connections steered to those that accept."""

import logging
import signal
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from typing import Any

from kairos.config.listening import Listener
from kairos.shm import layout
from kairos.shm.zone import Zone
from kairos.workers import heartbeat, steering
from kairos.workers.channel import Channel, Message
from kairos.workers.children import WELL, Child, Children
from kairos.workers.listeners import Listeners
from kairos.workers.replacement import NO_ROOM_SECONDS, Backoff

LAST_DEATH_SECONDS = 0.2  # less than the second after which clients repeat what was turned away

logger = logging.getLogger("kairos.supervisor")

WorkerMain = Callable[[int, Sequence[tuple[Listener, socket.socket]], Zone, Channel], None]


class Fleet:
    """Keep a worker in every slot until `drain`. Who acts on what they say and do sets the three callbacks."""

    def __init__(
        self, children: Children, listeners: Listeners, zone: Zone, main: WorkerMain, watch: heartbeat.Watch
    ) -> None:
        self._children = children
        self._listeners = listeners
        self._zone = zone
        self._main = main
        self._watch = watch
        self._workers: dict[int, Child] = {}
        self._started_at: dict[int, float] = {}
        self._vacant = dict.fromkeys(range(zone.slots), 0.0)  # when to fill the slot
        self._backoffs = [Backoff() for _ in range(zone.slots)]
        self._accepting: set[int] = set()
        self._steers = zone.slots > 1
        self._is_unready = False
        self._drain_deadline = inf  # until it drains
        self._close_at = inf  # while it drains and the listeners are still open here
        self._replaces = True
        self._check_at = 0.0
        self.on_start: Callable[[int], None]
        self.on_message: Callable[[int, Message], None]
        self.on_death: Callable[[int, str], None]

    @property
    def deadline(self) -> float:
        """When to call `tick`."""
        return min((self._check_at, self._close_at, *self._vacant.values()))

    @property
    def is_empty(self) -> bool:
        """Say whether no worker runs, and none is to be started."""
        return not self._workers and not self._vacant

    def tick(self, now: float) -> None:
        """Fill the slots whose time has come, and look for workers that hang."""
        if now >= self._close_at:
            self._close_listeners()
        for slot in [slot for slot, at in self._vacant.items() if now >= at]:
            self._start(slot, now)
        if now >= self._check_at:
            self._check_at = now + self._watch.interval
            self._check(now)

    def send(self, slot: int, kind: str, fds: Sequence[int] = (), **fields: Any) -> None:
        """Send a message to the worker in a slot, if there is one."""
        if slot in self._workers:
            self._children.send(self._workers[slot], kind, fds, **fields)

    def send_all(self, kind: str, fds: Sequence[int] = (), **fields: Any) -> None:
        """Send a message to every worker."""
        for slot in self._workers:
            self.send(slot, kind, fds, **fields)

    def kill(self, slot: int) -> None:
        """End the worker in a slot, if there is one; it will be replaced."""
        if slot in self._workers:
            self._workers[slot].kill()

    def kill_all(self) -> None:
        """End every worker."""
        for child in self._workers.values():
            child.kill()

    def accepts(self, slot: int) -> None:
        """Send new connections to a worker that has begun to accept, or let it drain if it was only waited for."""
        if slot in self._accepting:
            return
        self._accepting.add(slot)
        if self._drains:
            self._drain(slot, time.monotonic())
        else:
            self._steer()

    def unready(self) -> None:
        """Let readiness fail everywhere; workers are replaced as before."""
        self._is_unready = True
        self.send_all("unready")

    def drain(self, seconds: float, now: float, *, serves_waiting: bool) -> None:
        """Let no more connections come; every worker finishes what runs, within `seconds`, and goes.

        If `serves_waiting`, connections that wait where no worker accepts get one: the slots that are empty now, or
        are so a moment later, are filled once more, and such workers drain as soon as they accept. Called again it
        moves the deadline.
        """
        if not self._drains:
            self._turn_away()
        self._drain_deadline = now + seconds
        if serves_waiting:
            self._close_at = now + LAST_DEATH_SECONDS
            self._vacant = dict.fromkeys(self._vacant, now)
        else:
            self._close_listeners()
        for slot in self._workers:
            if slot in self._accepting or not serves_waiting:
                self._drain(slot, now)

    @property
    def _drains(self) -> bool:
        return self._drain_deadline < inf

    def _drain(self, slot: int, now: float) -> None:
        self.send(slot, "drain", seconds=max(0.0, self._drain_deadline - now))

    def _turn_away(self) -> None:
        """Let the kernel put no new connection into a queue."""
        self._steers = False
        self._listeners.withdraw()
        try:
            for group in self._listeners.multiplied:  # and not those of systemd, which keeps them for the next gateway
                for sock in group.sockets:
                    steering.turn_away(sock)
        except OSError as error:
            logger.warning("connections that come at the last moment may be reset: %s", error.strerror)

    def _close_listeners(self) -> None:
        """Leave what still waits to the workers that there are, and replace nobody any more."""
        self._close_at = inf
        self._replaces = False
        self._vacant.clear()
        self._listeners.close()

    def _start(self, slot: int, now: float) -> None:
        listening = self._listeners.of(slot)
        self._zone.row(slot).store(layout.HEARTBEAT, time.monotonic_ns())
        try:
            self._workers[slot] = self._children.fork(
                f"worker {slot}",
                partial(self._main, slot, listening, self._zone),
                said=partial(self.on_message, slot),
                ended=partial(self._ended, slot),
                keep=[sock for _, sock in listening],
            )
        except OSError as error:
            logger.error("worker %d cannot be started: %s", slot, error.strerror)
            self._vacant[slot] = now + NO_ROOM_SECONDS
            return
        del self._vacant[slot]
        self._started_at[slot] = now
        if self._is_unready:
            self.send(slot, "unready")
        self.on_start(slot)

    def _ended(self, slot: int, how: str) -> None:
        """Clear up after a worker, and see to a new one unless that is no longer wanted."""
        now = time.monotonic()
        child = self._workers.pop(slot)
        self._zone.clear_gauges(slot)
        self._accepting.discard(slot)
        if self._drains and how == WELL:
            logger.debug("%s (pid %d) has drained", child.name, child.pid)
        elif not self._replaces:
            logger.error("%s (pid %d) ended: %s", child.name, child.pid, how)
        else:
            self._zone.cells.add(layout.WORKERS_DIED, 1)
            self._steer()
            delay = self._backoffs[slot].died(now, now - self._started_at[slot])
            self._vacant[slot] = now + delay
            when = f"in {delay:g} s" if delay else "now"
            logger.error("%s (pid %d) ended: %s; it is replaced %s", child.name, child.pid, how, when)
        self.on_death(slot, how)

    def _check(self, now: float) -> None:
        """Dump, then kill, workers whose heartbeat has stopped."""
        beats = {slot: self._zone.row(slot).load(layout.HEARTBEAT) / 1e9 for slot in self._workers}
        for action in self._watch.check(beats, now):
            child = self._workers[action.slot]
            if isinstance(action, heartbeat.Dump):
                logger.error("%s (pid %d) hangs; its stacks follow", child.name, child.pid)
                child.kill(signal.SIGUSR2)
            else:
                logger.error("%s (pid %d) still hangs and is killed", child.name, child.pid)
                child.kill()

    def _steer(self) -> None:
        """Let new connections come to workers that accept; to all slots if none does, where they wait."""
        if not self._steers:
            return
        try:
            for group in self._listeners.multiplied:
                steering.steer(group.sockets, sorted(self._accepting))
        except OSError as error:
            self._steers = False
            logger.warning("the kernel cannot steer connections away from empty slots: %s", error.strerror)
