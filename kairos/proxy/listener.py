"""A listening socket: it accepts clients, and stops for a moment when the process has few descriptors left."""

import asyncio
import errno
import logging
import os
import resource
import socket
from typing import Any, cast

from kairos._speedups import accept_one
from kairos.protocols.proxy_protocol import UNKNOWN, ProxyHeader
from kairos.proxy.downstream import Downstream
from kairos.proxy.handshakes import Handshakes
from kairos.proxy.introduction import Introductions
from kairos.proxy.listener_options import PLAIN, ListenerOptions
from kairos.proxy.plane import DataPlane
from kairos.security.peers import peer_address

BATCH = 64  # connections accepted before others get their turn
PAUSE_SECONDS = 0.5  # when descriptors run out
MIN_RESERVE = 16

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_log = logging.getLogger("kairos.listener")


def most_for_clients(open_files: int) -> int:
    """Return the number of descriptors, of those a process may have, at which to stop accepting.

    The rest is for connections to backends: a client that we could only tell that there is none left had better wait.
    """
    return open_files - min(max(MIN_RESERVE, open_files // 20), open_files // 4)


class Accepted(socket.SocketType):
    """The socket of a client, without what Python's own class does at its beginning and end.

    It is for those that no transport of the event loop gets: uvloop would close its descriptor a second time.
    """

    __slots__ = ("__weakref__",)


class Listener:
    """Accept from one socket while fewer than `descriptors` are in use, by default `most_for_clients` of the limit.

    We accept ourselves because an event loop's server would close what it cannot keep.
    """

    __slots__ = (
        "_descriptors",
        "_family",
        "_handshakes",
        "_introductions",
        "_is_closed",
        "_kind",
        "_plane",
        "_resume",
        "_socket",
        "_starting",
        "options",
    )

    def __init__(
        self,
        plane: DataPlane,
        sock: socket.socket,
        descriptors: int | None = None,
        options: ListenerOptions = PLAIN,
    ) -> None:
        self._plane = plane
        self._socket = sock
        self._family, self._kind = int(sock.family), int(sock.type)  # enumerations are slow
        self._introductions = Introductions(plane, self._introduced)
        self._handshakes = Handshakes(plane)
        self.options = options
        if descriptors is None:
            descriptors = most_for_clients(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self._descriptors = descriptors
        self._is_closed = False
        self._resume: asyncio.TimerHandle | None = None
        self._starting: set[asyncio.Task[object]] = set()

    @property
    def is_starting(self) -> bool:
        """Say whether an accepted connection has not been handed over yet."""
        return bool(self._starting or self._introductions.waiting or self._handshakes.waiting)

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

    def drain(self, now: float) -> None:
        """Give clients up that do not go on with their handshake."""
        self._handshakes.drain(now)

    def abort(self) -> None:
        """Break off what has not been handed over yet."""
        self._introductions.close()
        self._handshakes.close()

    def _accept_some(self) -> None:
        for _ in range(BATCH):
            if not self._accept_one():
                return

    def _accept_one(self) -> bool:
        """Accept a connection if there is one; say whether there may be more to accept."""
        try:
            fd = accept_one(self._socket)
        except ConnectionAbortedError:
            return True  # it has left the queue again; there may be others
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            if not self._is_closed:
                self._pause(error.strerror or str(error))
            return False
        if fd < 0:
            return False
        # After a PROXY header the listener may be one without TLS.
        is_ours = self.options.tls is not None and not self.options.proxy_protocol
        made: Any = Accepted if is_ours else socket.socket
        sock = made(self._family, self._kind, 0, fd)
        sock.setblocking(False)
        self._accepted(sock)
        has_room = self._is_closed or fd < self._descriptors
        if not has_room:
            self._pause("few descriptors are left")
        return has_room

    def _accepted(self, sock: socket.socket) -> None:
        if self.options.proxy_protocol or self.options.tls is not None:
            try:
                peer = sock.getpeername()
            except OSError:  # it has left again
                sock.close()
            else:
                if self.options.proxy_protocol:
                    self._introductions.begin(sock, peer_address(peer))
                else:
                    self._hand_over(sock, peer)
        else:
            self._hand_over(sock)

    def _hand_over(self, sock: socket.socket, peer: Any = None, header: ProxyHeader = UNKNOWN) -> None:
        connection = Downstream(self._plane, self.options)
        if header is not UNKNOWN:
            connection.introduce(header)
        if self.options.tls is not None:
            self._handshakes.begin(sock, peer, connection, self.options.identities)
        else:
            self._start(sock, cast("asyncio.Protocol", connection))

    def _start(self, sock: socket.socket, downstream: asyncio.Protocol) -> None:
        loop = self._plane.loop
        task = loop.create_task(loop.connect_accepted_socket(lambda: downstream, sock))
        self._starting.add(task)
        task.add_done_callback(self._started)

    def _introduced(self, sock: socket.socket, header: ProxyHeader) -> None:
        try:
            peer = sock.getpeername()
        except OSError:  # it has left again
            sock.close()
            return
        self._hand_over(sock, peer, header)

    def _started(self, task: asyncio.Task[object]) -> None:
        self._starting.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, OSError):
            raise error

    def _pause(self, why: str) -> None:
        _log.warning("accepting pauses: %s (raise the limit of open files)", why)
        self._plane.loop.remove_reader(self._socket)
        self._resume = self._plane.loop.call_later(PAUSE_SECONDS, self._try_again)

    def _try_again(self) -> None:
        if self._has_room():
            self._resume = None
            self.start()
        else:
            self._resume = self._plane.loop.call_later(PAUSE_SECONDS, self._try_again)

    def _has_room(self) -> bool:
        """Say whether a connection accepted now would leave enough: a new descriptor has the lowest number free."""
        try:
            fd = os.dup(self._socket.fileno())
        except OSError:
            return False
        os.close(fd)
        return fd < self._descriptors
