"""Notice that a client has left although nothing is read from it."""

import asyncio
import select
from collections.abc import Callable
from contextlib import suppress

LEFT = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR  # the peer has ended its side, or all is over


class Hangups:
    """Watch connections for their end beside what the loop does with them.

    A paused transport does not look at its socket, so the end of the stream would be seen only after the pause. An
    epoll set of our own asks for that end and nothing else; it costs two system calls per pause.
    """

    __slots__ = ("_epoll", "_left", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll: select.epoll | None = None
        self._left: dict[int, Callable[[], None]] = {}

    def open(self) -> select.epoll:
        """Take the descriptor that is needed while there are any: a flood of clients may later have them all."""
        self._epoll = epoll = select.epoll()
        self._loop.add_reader(epoll.fileno(), self._look)
        return epoll

    def watch(self, fd: int, left: Callable[[], None]) -> None:
        """Call `left` once when the connection of this socket has come to its end."""
        epoll = self._epoll or self.open()
        epoll.register(fd, LEFT | select.EPOLLONESHOT)
        self._left[fd] = left

    def forget(self, fd: int) -> None:
        """Watch this socket no more."""
        if self._left.pop(fd, None) is not None and self._epoll is not None:
            with suppress(OSError):  # it is closed already, and so not in the set any more
                self._epoll.unregister(fd)

    def close(self) -> None:
        """Watch nothing more."""
        if self._epoll is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None
        self._left.clear()

    def _look(self) -> None:
        for fd, _ in self._epoll.poll(0) if self._epoll is not None else ():
            left = self._left.get(fd)
            if left is not None:
                left()
