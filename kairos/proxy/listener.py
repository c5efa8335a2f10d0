"""A listening socket: it accepts clients, and stops for a moment when the process has no descriptor left."""

import asyncio
import errno
import logging
import socket

from kairos.proxy.downstream import Downstream
from kairos.proxy.plane import DataPlane

BATCH = 64  # connections accepted before others get their turn
PAUSE_SECONDS = 0.5  # after running out of descriptors

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_log = logging.getLogger("kairos.listener")


class Listener:
    """Accept from one socket. We accept ourselves because an event loop's server would close what it cannot keep."""

    __slots__ = ("_is_closed", "_plane", "_resume", "_socket", "_starting")

    def __init__(self, plane: DataPlane, sock: socket.socket) -> None:
        self._plane = plane
        self._socket = sock
        self._is_closed = False
        self._resume: asyncio.TimerHandle | None = None
        self._starting: set[asyncio.Task[object]] = set()

    @property
    def is_starting(self) -> bool:
        """Say whether an accepted connection has not been handed over yet."""
        return bool(self._starting)

    def start(self) -> None:
        """Accept from now on."""
        self._socket.setblocking(False)
        self._plane.loop.add_reader(self._socket, self._accept_some)

    def close(self) -> None:
        """Take what has connected already, then close. May be called again."""
        if self._is_closed:
            return
        self._is_closed = True
        self._plane.loop.remove_reader(self._socket)
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        while self._accept_one():
            pass
        self._socket.close()

    def _accept_some(self) -> None:
        for _ in range(BATCH):
            if not self._accept_one():
                return

    def _accept_one(self) -> bool:
        """Accept a connection if there is one."""
        try:
            sock, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionAbortedError:
            return True  # it has left the queue again; there may be others
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            if not self._is_closed:
                self._pause(error)
            return False
        sock.setblocking(False)
        loop = self._plane.loop
        task = loop.create_task(loop.connect_accepted_socket(lambda: Downstream(self._plane), sock))
        self._starting.add(task)
        task.add_done_callback(self._started)
        return True

    def _started(self, task: asyncio.Task[object]) -> None:
        self._starting.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, OSError):
            raise error

    def _pause(self, error: OSError) -> None:
        _log.warning("accepting pauses for %s s: %s (raise the limit of open files)", PAUSE_SECONDS, error.strerror)
        self._plane.loop.remove_reader(self._socket)
        self._resume = self._plane.loop.call_later(PAUSE_SECONDS, self.start)
