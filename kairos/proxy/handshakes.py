"""Connections on their way into TLS: from the socket that was accepted to the transport that HTTP runs on."""

import logging
import socket
import ssl
import sys
from contextlib import suppress
from ssl import SSLEOFError, SSLError, SSLWantReadError, SSLWantWriteError, SSLZeroReturnError
from time import time
from typing import TYPE_CHECKING, Any

from kairos.errors import BadRequest
from kairos.filters import LocalReply
from kairos.proxy import limits, openssl
from kairos.proxy.client_certificates import lines_of
from kairos.proxy.poller import IN, OUT
from kairos.proxy.replies import local_reply
from kairos.proxy.tls_transport import TlsTransport
from kairos.security.peers import peer_address
from kairos.shm import layout

if TYPE_CHECKING:
    from kairos.proxy.downstream import Downstream
    from kairos.proxy.identities import Identities
    from kairos.proxy.plane import DataPlane

LOG_SECONDS = 1.0  # at most one line per second
DRAIN_SECONDS = 1.0  # that a handshake may have gone on for when a drain comes

_log = logging.getLogger("kairos.tls")
_openssl = openssl.functions()


class Handshakes:
    """The handshakes of one listener that have not come to an end."""

    __slots__ = ("_hidden", "_plane", "_silent_until", "waiting")

    def __init__(self, plane: "DataPlane") -> None:
        self._plane = plane
        self._hidden = 0
        self._silent_until = 0.0
        self.waiting: set[Handshake] = set()

    def begin(self, sock: socket.socket, peer: Any, downstream: "Downstream", identities: "Identities | None") -> None:
        """Shake hands on a non-blocking socket, then hand the connection to `downstream`."""
        most = self._plane.snapshot.settings.limits.connections
        if most and len(self.waiting) >= most:
            sock.close()
            why = f"limits.max_connections_per_worker is {most}, and so many handshakes are under way"
            self._failed(downstream.address or peer_address(peer), why)
            return
        if identities is None or not identities.is_ready:  # TLS was switched on a moment ago
            sock.close()
            return
        handshake = Handshake(self, sock, peer, downstream, identities)
        self.waiting.add(handshake)
        try:
            handshake.wait()
        except OSError as error:
            self._failed(handshake.address, f"the kernel does not watch its socket: {error.strerror}")
            handshake.stop()

    def drain(self, now: float) -> None:
        """Give those up that have had a moment."""
        for handshake in tuple(self.waiting):
            if now - handshake.begun >= DRAIN_SECONDS:
                handshake.stop()

    def close(self) -> None:
        """Give all up that are still under way."""
        for handshake in tuple(self.waiting):
            handshake.stop()

    def failed(self, handshake: "Handshake", error: OSError | None) -> None:
        """Count, and tell the operator, but not more often than the log can bear."""
        if error is None:
            seconds = self._plane.snapshot.settings.timeouts.tls_handshake
            self._failed(handshake.address, f"it took more than {seconds:g} s (timeouts.tls_handshake_seconds)")
        elif not isinstance(error, SSLError) or isinstance(error, (SSLEOFError, SSLZeroReturnError)):
            self._count()  # who leaves may be a health check that only connects
            _log.debug("%s has left during the TLS handshake", handshake.address)
        else:
            self._failed(handshake.address, explained(error))

    def refused(self, handshake: "Handshake", why: str) -> None:
        """Count and tell of a client whose certificate does not count after all."""
        self._failed(handshake.address, f"the client's certificate is not accepted: {why}")

    def _count(self) -> None:
        self._plane.row.add(layout.TLS_FAILURES, 1)

    def _failed(self, client: str, why: str) -> None:
        self._count()
        now = self._plane.ticker.now
        if now < self._silent_until:
            self._hidden += 1
            return
        more = f" ({self._hidden} more since the last)" if self._hidden else ""
        self._silent_until, self._hidden = now + LOG_SECONDS, 0
        _log.info("%s: the TLS handshake has failed: %s%s", client, why, more)


class Handshake:
    """One handshake: each step answers what has arrived, until both sides agree."""

    __slots__ = (
        "__weakref__",
        "_downstream",
        "_events",
        "_fd",
        "_handle",
        "_handshakes",
        "_identities",
        "_peer",
        "_plane",
        "_socket",
        "begun",
        "connection",
        "deadline",
        "server_name",
    )

    def __init__(
        self,
        handshakes: Handshakes,
        sock: socket.socket,
        peer: Any,
        downstream: "Downstream",
        identities: "Identities",
    ) -> None:
        plane = downstream.plane
        self._handshakes = handshakes
        self._plane = plane
        self._socket = sock
        self._events = IN  # that are waited for
        self._fd = sock.fileno()
        self._downstream = downstream
        self._identities = identities
        self._peer = peer
        self.server_name: str | None = None
        self.begun = plane.ticker.now
        self.deadline = limits.deadline(plane.ticker.now, plane.snapshot.settings.timeouts.tls_handshake)
        self.connection, self._handle = identities.begin(sock, self)

    @property
    def address(self) -> str:
        """Who is at the other end, for the log."""
        return self._downstream.address or peer_address(self._peer) or "a client on a Unix socket"

    def wait(self) -> None:
        """Go on when something has arrived; to try before could cost an exception: so OpenSSL says that it waits."""
        self._plane.ticker.watch(self)
        self._plane.poller.watch(self._fd, self, IN)

    def ready(self, events: int) -> None:
        """Go on as far as it goes without waiting."""
        if _openssl.waits(self._handle):
            self._await(IN)
            return
        try:
            self.connection.do_handshake()
        except SSLWantReadError:
            self._await(IN)
        except SSLWantWriteError:
            self._await(OUT)
        except OSError as error:
            self._fail(error)
        else:
            self._succeed()

    def _await(self, events: int) -> None:
        if events != self._events:
            self._events = events
            self._plane.poller.change(self._fd, events)

    def expired(self, now: float) -> None:
        """Give up on a client that does not go on."""
        self._handshakes.failed(self, None)
        self.stop()

    def stop(self) -> None:
        """Give up."""
        self._leave()
        self._plane.poller.closes(self._fd)
        self._socket.close()

    def _leave(self) -> None:
        self._handshakes.waiting.discard(self)
        self._plane.ticker.forget(self)

    def _succeed(self) -> None:
        if self._identities.client_auth == "none":
            self._downstream.secured()
        else:
            try:
                self._downstream.secured(self.server_name or "", lines_of(self.connection, time()))
            except ValueError as error:
                self._handshakes.refused(self, str(error))
                self.stop()
                return
        row = self._plane.row
        row.add(layout.TLS_HANDSHAKES, 1)
        if self.connection.session_reused:
            row.add(layout.TLS_RESUMED, 1)
        self._leave()
        self._await(IN)
        plane = self._plane
        TlsTransport(plane.loop, self._socket, self.connection, self._peer, plane.poller).start(self._downstream)

    def _fail(self, error: OSError) -> None:
        self._handshakes.failed(self, error)
        if isinstance(error, SSLError) and error.reason == "HTTP_REQUEST":
            self._answer_plainly()
        self.stop()

    def _answer_plainly(self) -> None:
        """Tell a client that speaks plain HTTP; nothing has been sent that would make it nonsense."""
        error = BadRequest("The plain HTTP request was sent to HTTPS port", reason="plain_http_to_tls")
        lines = self._plane.ticker.date_line + b"Connection: close\r\n"
        answer = local_reply(LocalReply.refusal(error), self._plane.request_id(), lines)
        with suppress(OSError):  # then it is not told
            self._socket.send(answer)
            self._socket.shutdown(socket.SHUT_WR)
            self._socket.recv(64 << 10)  # unread, it would make a reset of the end and eat the answer


def explained(error: SSLError) -> str:
    """Say in words why a handshake has failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate is not accepted: {error.verify_message}"
    return (error.reason or str(error)).lower().replace("_", " ")


def leave_names_out_of_the_log() -> None:
    """Do not write of bytes that no server's name can have: the handshake fails, and that is told."""
    usual = sys.unraisablehook

    def hook(what: "sys.UnraisableHookArgs") -> None:
        if not isinstance(what.exc_value, UnicodeDecodeError) or not isinstance(what.object, bytes):
            usual(what)

    sys.unraisablehook = hook
