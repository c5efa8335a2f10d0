"""TLS with backends: whom to trust, what to show them, and sessions that are resumed."""

import socket
import ssl
from dataclasses import replace
from functools import lru_cache
from typing import Any

from kairos.config.document import Backend, Tls

SCHEMES = ("https", "wss")
SYSTEM = Tls()
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
SESSION_SECONDS = 3600.0  # after a full handshake: who resumes looks at no certificate (RFC 8446 section 4.6.1)

_ESTABLISHED = 1  # TCP_ESTABLISHED of Linux
_PEEKED_BYTES = 4096
_HEADER_BYTES = 5  # of a record: its type, its version, and the length of what follows (RFC 8446 section 5.1)
_ALERT, _APPLICATION_DATA = 21, 23
_ENCRYPTED_ALERT_BYTES = 19  # an alert of two bytes, its type, and a tag of 16 bytes (RFC 8446 section 5.2)


class UpstreamTls:
    """TLS with one backend. To an event loop it is the context of its connections, which is asked for `wrap_bio` only.

    How it works: backends with the same settings share an SSLContext, because reading the authorities of a system takes
    long. The session is that of one backend. TLS 1.3 sends what it takes to resume one after the handshake, so it is
    taken from a connection that has begun to answer.
    """

    __slots__ = ("_context", "_session", "_verified_at", "server_name")

    def __init__(self, backend: Backend) -> None:
        """Raises ValueError if one of the files is unusable."""
        tls = backend.tls or SYSTEM
        self.server_name = tls.server_name or backend.host
        self._context = context_of(tls)
        self._session: ssl.SSLSession | None = None
        self._verified_at = 0.0  # when there was the full handshake that led to the session

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, server_side: bool = False, server_hostname: Any = None
    ) -> ssl.SSLObject:
        """Begin a connection."""
        return self._context.wrap_bio(incoming, outgoing, server_side, server_hostname, self._session)

    def may_resume(self, now: float) -> bool:
        """Say whether the next connection resumes a session, if the backend plays along."""
        if self._session is not None and now - self._verified_at > SESSION_SECONDS:
            self._session = None
        return self._session is not None

    def keep(self, connection: ssl.SSLObject, now: float) -> None:
        """Take the session of a connection on which something has been read, unless it has resumed ours.

        There may be a new ticket then, but to take it costs as much as resuming saves, and most servers accept a ticket
        again and again. With one that does not the next handshake is a full one, from which the next session comes.
        """
        if connection.session_reused:
            return
        session = connection.session
        if session is not None and (session.has_ticket or session.id):
            self._session, self._verified_at = session, now

    def forget(self) -> None:
        """Resume nothing: the next handshake is a full one."""
        self._session = None


def context_of(tls: Tls) -> ssl.SSLContext:
    """Return the context for connections to a backend. Raises ValueError if one of its files is unusable."""
    return _context(replace(tls, server_name=None))


@lru_cache(maxsize=64)
def _context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except OSError as error:  # ssl.SSLError is one too
        raise ValueError(f"the CA file {tls.ca_file} cannot be used: {error.strerror or error}") from None
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.minimum_version = VERSIONS[tls.min_version]
    if tls.client_cert is not None:
        try:
            context.load_cert_chain(tls.client_cert, tls.client_key, password=lambda: b"")  # rather than to ask for it
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise ValueError(f"the client certificate {tls.client_cert} cannot be used: {why}") from None
    return context


def is_quiet(sock: socket.socket) -> bool:
    """Say whether what waits on an idle connection is no more than session tickets. Raises OSError if it has ended."""
    state: bytes = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    if state[0] != _ESTABLISHED:
        return False  # the other side has closed, whatever it has sent before
    return not announces_end(sock.recv(_PEEKED_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT))


def announces_end(records: bytes) -> bool:
    """Say whether an alert is among the records that wait on an idle connection: usually close_notify.

    They are encrypted, but their types and lengths are not. TLS 1.3 disguises alerts as data; other data of that length
    would be an answer that nobody has asked for. Session tickets are longer, and so are key updates.
    """
    at = 0
    while at + _HEADER_BYTES <= len(records):
        length = int.from_bytes(records[at + 3 : at + _HEADER_BYTES])
        kind = records[at]
        if kind == _ALERT or (kind == _APPLICATION_DATA and length <= _ENCRYPTED_ALERT_BYTES):
            return True
        at += _HEADER_BYTES + length
    return False
