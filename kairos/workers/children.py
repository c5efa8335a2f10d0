"""The supervisor's child processes: fork them, talk to them, and learn how they end."""

import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, NoReturn

from kairos.workers.channel import Channel, ChannelError, Message
from kairos.workers.signals import HANDLED, SignalQueue, leave_to_the_supervisor

logger = logging.getLogger("kairos.supervisor")

Closer = Callable[[Collection[socket.socket]], None]  # closes what is not in the collection


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """One process. `said` is called with each of its messages, then `ended` once with how it ended."""

    name: str
    pid: int
    channel: Channel
    said: Callable[[Message], None]
    ended: Callable[[str], None]

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal. The process is there until `Children` has reaped it, so the pid cannot be someone else's."""
        os.kill(self.pid, number)


class Children:
    """All processes of one supervisor. `private` are the functions by which a child closes what is not for it."""

    def __init__(self) -> None:
        self.on_signal: Callable[[int], None]  # set before the first turn
        self.private: list[Closer] = []
        self._signals = SignalQueue()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._signals, selectors.EVENT_READ)
        self._children: list[Child] = []

    def fork(
        self,
        name: str,
        main: Callable[[Channel], None],
        *,
        said: Callable[[Message], None],
        ended: Callable[[str], None],
        keep: Collection[socket.socket] = (),
    ) -> Child:
        """Run `main` in a new process, with its end of a new channel and, of the sockets, those to keep.

        OSError if the machine has no room for another process.
        """
        ours, theirs = Channel.pair()
        flush_streams()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)  # or the child could catch them in our name
        try:
            pid = os.fork()
            if pid == 0:
                self._become(name, main, before, theirs, ours, keep)
        except OSError:
            ours.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        child = Child(name, pid, ours, said, ended)
        self._children.append(child)
        self._selector.register(ours, selectors.EVENT_READ, child)
        return child

    def send(self, child: Child, kind: str, fds: Sequence[int] = (), **fields: Any) -> None:
        """Send a message, now or as soon as the child reads."""
        child.channel.send(kind, fds, **fields)
        self._watch(child)

    def turn(self, deadline: float) -> None:
        """Wait until something happens, or up to `deadline`, and tell whom it concerns."""
        timeout = None if deadline == inf else max(0.0, deadline - time.monotonic())
        for key, events in self._selector.select(timeout):
            if key.data is not None:
                self._hear(key.data, events)
        for number in self._signals.take():
            if number == signal.SIGCHLD:
                self._reap()
            else:
                self.on_signal(number)

    def kill_all(self) -> None:
        """End every process, wait until it has, and close everything. Nobody is told."""
        for child in self._children:
            child.kill()
        for child in self._children:
            os.waitpid(child.pid, 0)
            child.channel.close()
        self._children.clear()
        self._selector.close()
        self._signals.close()

    def _become(
        self,
        name: str,
        main: Callable[[Channel], None],
        mask: Collection[int],
        theirs: Channel,
        ours: Channel,
        keep: Collection[socket.socket],
    ) -> NoReturn:
        """Be the child: close what is the supervisor's, run, and leave without its clean-up, whatever happens."""
        status = 1
        try:
            try:
                leave_to_the_supervisor()
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                for channel in (ours, *(child.channel for child in self._children)):
                    channel.close()
                self._selector.close()
                self._signals.forget()
                for close in self.private:
                    close(keep)
                main(theirs)
                theirs.finish()
                status = 0
            except SystemExit as exit_:
                status = exit_.code if isinstance(exit_.code, int) else int(bool(exit_.code))
            except BaseException:
                logger.exception("%s failed", name)
            flush_streams()
        finally:
            os._exit(status)  # or the child would go on as a second supervisor

    def _hear(self, child: Child, events: int = selectors.EVENT_READ) -> None:
        """Write what waits to be written, and pass on what the child said."""
        try:
            if events & selectors.EVENT_WRITE:
                child.channel.flush()
            messages = child.channel.receive()
        except ChannelError as error:
            logger.error("%s sent nonsense and is killed: %s", child.name, error)
            child.kill()
            self._forget(child)
            return
        self._watch(child)
        for message in messages:
            child.said(message)

    def _watch(self, child: Child) -> None:
        """Wait for what the child's channel needs; at the end of the file, for nothing."""
        if child.channel.at_eof:
            self._forget(child)
        elif self._is_watched(child):
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if child.channel.has_backlog else 0)
            self._selector.modify(child.channel, wanted, child)

    def _forget(self, child: Child) -> None:
        if self._is_watched(child):
            self._selector.unregister(child.channel)

    def _is_watched(self, child: Child) -> bool:
        return child.channel.fileno() in self._selector.get_map()

    def _reap(self) -> None:
        """Find the children that have ended; hear their last words first."""
        for child in tuple(self._children):
            if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            if self._is_watched(child):
                self._hear(child)
            self._forget(child)
            child.channel.close()
            self._children.remove(child)
            _, status = os.waitpid(child.pid, 0)  # only now, because who heard the last words may still have killed it
            child.ended(how_it_ended(status))


def open_missing_streams() -> None:
    """Open /dev/null on those of the descriptors 0 to 2 that are closed; call it before anything else is opened.

    Otherwise a socket could get such a number, and what is meant for the log would be written into it.
    """
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(fd)


def flush_streams() -> None:
    """Write what was printed: a child would print it again. A stream that was closed at the start is None."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


WELL = "exit code 0"


def how_it_ended(status: int) -> str:
    """Say in words what waitpid returned."""
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
