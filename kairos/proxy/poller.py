"""Watch sockets that are ours alone, in an epoll set of our own that the event loop watches as one.

How it works: for each socket that it is to watch itself, libuv makes up to six system calls, and a reset it tells of
once and then polls no more, even if there is something to be read before it. Here a new socket costs one call, one
that is closed none, and the kernel tells of everything as long as it is so.
"""

import asyncio
import select
from typing import Protocol

IN, OUT = select.EPOLLIN, select.EPOLLOUT
OVER = select.EPOLLHUP | select.EPOLLERR  # of this the kernel tells unasked
BATCH = 256  # sockets that are told before the event loop has its turn


class Watching(Protocol):
    """What wants to know about a socket."""

    def ready(self, events: int) -> None:
        """Do what can be done now, of `IN`, `OUT` and `OVER`. It may be told when there is nothing, too."""


class Poller:
    """The sockets of a worker that are watched here."""

    __slots__ = ("_epoll", "_loop", "_watching")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll: select.epoll | None = None
        self._watching: dict[int, Watching] = {}

    def open(self) -> select.epoll:
        """Take the descriptor that is needed while there are any: a flood of clients may later have them all."""
        self._epoll = epoll = select.epoll()
        self._loop.add_reader(epoll.fileno(), self._look)
        return epoll

    def watch(self, fd: int, watching: Watching, events: int) -> None:
        """Tell of this socket from now on. Raises OSError if the kernel watches no more."""
        epoll = self._epoll or self.open()
        epoll.register(fd, events)
        self._watching[fd] = watching

    def hand_over(self, fd: int, watching: Watching) -> None:
        """Tell another one from now on."""
        self._watching[fd] = watching

    def change(self, fd: int, events: int) -> None:
        """Tell of other events of a socket that is watched."""
        if self._epoll is not None:
            self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Tell of this socket no more."""
        if self._watching.pop(fd, None) is not None and self._epoll is not None:
            self._epoll.unregister(fd)

    def closes(self, fd: int) -> None:
        """Tell of this socket no more: it is closed in a moment, and then the kernel forgets it by itself."""
        self._watching.pop(fd, None)

    def close(self) -> None:
        """Watch nothing more."""
        if self._epoll is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None
        self._watching.clear()

    def _look(self) -> None:
        epoll = self._epoll
        if epoll is None:
            return
        for fd, events in epoll.poll(0, BATCH):
            watching = self._watching.get(fd)
            if watching is not None:
                watching.ready(events)
