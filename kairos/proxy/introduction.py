"""Connections that begin with a PROXY header: it is read, and nothing after it, before anyone else reads."""

import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from kairos.protocols.proxy_protocol import LONGEST, ProxyHeader, ProxyHeaderError, parse

if TYPE_CHECKING:
    from kairos.proxy.plane import DataPlane

SECONDS = 5.0  # a proxy sends the header at once
LOG_SECONDS = 1.0  # at most one line per second

_log = logging.getLogger("kairos.listener")


class Introductions:
    """The connections of one listener that wait for their header."""

    __slots__ = ("_done", "_hidden", "_plane", "_silent_until", "waiting")

    def __init__(self, plane: "DataPlane", done: Callable[[socket.socket, ProxyHeader], None]) -> None:
        """`done` gets each socket from which a header was read, with the header."""
        self._plane = plane
        self._done = done
        self._hidden = 0
        self._silent_until = 0.0
        self.waiting: set[Introduction] = set()

    def begin(self, sock: socket.socket, peer: str) -> None:
        """Wait for the header of a connection, if this peer may speak for others; else close it."""
        if not self._plane.snapshot.forwarding.peers.trusts(peer):
            self.refuse(sock, f"{peer or 'the peer on the Unix socket'} is none of server.trusted_proxies")
            return
        introduction = Introduction(self, self._plane, sock, peer)
        self.waiting.add(introduction)
        introduction.read()

    def finished(self, introduction: "Introduction", header: ProxyHeader) -> None:
        """Hand a connection on."""
        self.waiting.discard(introduction)
        self._done(introduction.socket, header)

    def failed(self, introduction: "Introduction", why: str) -> None:
        """Give a connection up."""
        self.waiting.discard(introduction)
        self.refuse(introduction.socket, f"{why} from {introduction.peer or 'the peer on the Unix socket'}")

    def refuse(self, sock: socket.socket, why: str) -> None:
        """Close a connection and say why, but not more often than the log can bear."""
        sock.close()
        now = self._plane.ticker.now
        if now < self._silent_until:
            self._hidden += 1
            return
        more = f" ({self._hidden} more since the last)" if self._hidden else ""
        self._silent_until, self._hidden = now + LOG_SECONDS, 0
        _log.warning("a connection without PROXY header is closed: %s%s", why, more)

    def close(self) -> None:
        """Give all up that still wait."""
        for introduction in tuple(self.waiting):
            introduction.stop()
            introduction.socket.close()
        self.waiting.clear()


class Introduction:
    """Read the header of one connection.

    How it works: what has come is looked at, and then taken as far as it belongs to the header. A header that is not
    whole yet has nothing behind it, so that all of it can be taken; what follows a whole one stays for the protocol.
    """

    __slots__ = ("_introductions", "_is_watching", "_plane", "_received", "deadline", "peer", "socket")

    def __init__(self, introductions: Introductions, plane: "DataPlane", sock: socket.socket, peer: str) -> None:
        self._introductions = introductions
        self._plane = plane
        self._received = b""
        self._is_watching = False
        self.deadline = plane.ticker.now + SECONDS
        self.peer = peer
        self.socket = sock

    def read(self) -> None:
        """Take what has arrived."""
        try:
            news = self.socket.recv(LONGEST, socket.MSG_PEEK)
            found = parse(self._received + news)
            length = len(news) if found is None else found[1] - len(self._received)
            if length:
                self._received += self.socket.recv(length)
        except BlockingIOError:
            self._watch()
        except (OSError, ProxyHeaderError) as error:
            self._fail(error.strerror or "" if isinstance(error, OSError) else str(error))
        else:
            if found is not None:
                self.stop()
                self._introductions.finished(self, found[0])
            elif not news:
                self._fail("the end of the connection")
            else:
                self._watch()

    def expired(self, now: float) -> None:
        """Give up on a peer that sends no header."""
        self._fail("nothing in time")

    def stop(self) -> None:
        """Look at the connection no more."""
        if self._is_watching:
            self._is_watching = False
            self._plane.loop.remove_reader(self.socket)
            self._plane.ticker.forget(self)

    def _watch(self) -> None:
        if not self._is_watching:
            self._is_watching = True
            self._plane.loop.add_reader(self.socket, self.read)
            self._plane.ticker.watch(self)

    def _fail(self, why: str) -> None:
        self.stop()
        self._introductions.failed(self, why)
