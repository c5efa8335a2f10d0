"""One connection from a client: it reads requests and writes responses."""

import asyncio
from typing import TYPE_CHECKING, cast

from kairos._speedups import count_lines, head_end
from kairos.errors import BadRequest, KairosError, Overloaded
from kairos.filters import LocalReply
from kairos.protocols.http1.head import RequestHead, fault, is_hopeless
from kairos.protocols.proxy_protocol import Endpoint
from kairos.proxy import admission, client_certificates, json_bodies, limits
from kairos.proxy.body import RequestBody
from kairos.proxy.client import Client
from kairos.proxy.exchange import Exchange
from kairos.proxy.listener_options import PLAIN, ListenerOptions
from kairos.proxy.progress import Progress
from kairos.proxy.replies import local_reply
from kairos.proxy.ticker import NEVER
from kairos.proxy.writer import Writer
from kairos.security.peers import peer_address
from kairos.shm import layout

if TYPE_CHECKING:
    from kairos.protocols.proxy_protocol import ProxyHeader
    from kairos.proxy.generation import Snapshot
    from kairos.proxy.owned import Owned
    from kairos.proxy.plane import DataPlane

LINGER_SECONDS = 2.0  # to let a client read a refusal while it is still sending
CLOSE_SECONDS = 60.0  # to let a client read the rest of the last answer
DRAIN_IDLE_SECONDS = 1.0  # a drain closes connections that have been idle for so long
LARGEST_BACKLOG = 64 << 10  # of pipelined requests
BUFFER_HIGH, BUFFER_LOW = 64 << 10, 16 << 10

# C values when compiled, and then not seen from outside.
_CR, _LF = b"\r\n"
_LARGEST_BACKLOG = LARGEST_BACKLOG
_NEVER = NEVER


class Downstream:
    """A connection from a client, serving one exchange after the other.

    How it works: bytes go to the head of the next request while there is no exchange, to the body of the current
    request while that is unfinished, and else wait in `_buffer` (pipelining) until the exchange has ended.
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_certificate",
        "_client",
        "_exchange",
        "_fd",
        "_forwarding",
        "_head_deadline",
        "_idle_since",
        "_is_closing",
        "_is_processing",
        "_is_reading",
        "_progress",
        "_searched",
        "_told",
        "_transport",
        "_writer",
        "_written",
        "address",
        "deadline",
        "has_certificate",
        "is_full",
        "is_nobody",
        "is_secure",
        "is_verified",
        "listener",
        "owns",
        "plane",
        "server_name",
    )

    def __init__(self, plane: "DataPlane", listener: ListenerOptions = PLAIN) -> None:
        self.plane = plane
        self.listener = listener
        self.address = ""
        self.deadline = _NEVER
        self.is_secure = False  # the client speaks TLS
        self.owns: set[Owned] | None = None  # where connections to backends are kept for this one alone
        self.server_name = b""  # for which its certificate was asked, and for which alone it counts
        self._body: RequestBody | None = None
        self._buffer = b""
        self._certificate = b""  # what backends are told of the client's
        self.has_certificate = False  # or none, where one was asked for
        self.is_verified = False  # it has shown one
        self.is_nobody = False  # what is asked for is for the cache alone
        self._client: Client | None = None
        self._exchange: Exchange | None = None
        self._fd = -1
        self._forwarding: object = None  # the rules under which `_client` was made
        self._head_deadline = _NEVER
        self._idle_since = 0.0
        self._is_closing = False
        self.is_full = False
        self._is_processing = False
        self._is_reading = True
        self._progress: Progress | None = None  # of what the client owes now
        self._told: ProxyHeader | None = None  # what a proxy has said of both ends
        self._searched = 0  # how much of `_buffer` is known not to hold the end of a head
        self._written = 0

    def introduce(self, header: "ProxyHeader") -> None:
        """Take the word of a proxy for who the client is, before the connection is made."""
        if header.source is not None:
            self.address = header.source.host
            self._told = header
        self.is_secure = header.is_secure

    def secured(self, server_name: str = "", certificate: bytes = b"") -> None:
        """Note that the connection is inside TLS, before it is made.

        If the client was asked for a certificate, these are the server's name that it has named, and what backends are
        told about the certificate.
        """
        self.is_secure = True
        self.server_name = server_name.lower().rstrip(".").encode()
        self._certificate = certificate
        self.has_certificate = bool(certificate)
        self.is_verified = self.has_certificate and certificate != client_certificates.NONE

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        plane = self.plane
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(BUFFER_HIGH, BUFFER_LOW)
        self._writer = Writer(self._transport)
        if not self.address:
            self.address = peer_address(transport.get_extra_info("peername"))
        sock = transport.get_extra_info("socket")
        self._fd = -1 if sock is None else sock.fileno()
        self._rest()
        plane.downstreams.add(self)
        plane.ticker.watch(self)
        plane.row.add(layout.CONNECTIONS_ACCEPTED, 1)
        plane.row.add(layout.CONNECTIONS_OPEN, 1)
        most = plane.snapshot.settings.limits.connections
        if most and len(plane.downstreams) + len(plane.tunnels) > most:
            setting, reason = "limits.max_connections_per_worker", "too_many_connections"
            self._refuse(Overloaded(most, setting=setting, reason=reason), b"")

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        exchange = self._exchange
        if self._is_closing:
            return  # lingering: read only so that the client can read the answer
        if exchange is None:
            self._process(data)
        elif exchange.request_done:
            self._buffer += data
            if len(self._buffer) > _LARGEST_BACKLOG:
                self.pause_reading()
        else:
            self._read_body(data)

    def eof_received(self) -> None:
        """A client that ends its side has left (it closes both sides, as far as one can see)."""
        if self._exchange is not None:
            exchange, self._exchange = self._exchange, None
            exchange.client_left()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, whatever was under way."""
        plane = self.plane
        self._is_closing = True
        plane.hangups.forget(self._fd)
        plane.ticker.forget(self)
        plane.downstreams.discard(self)
        plane.row.add(layout.CONNECTIONS_OPEN, -1)
        self.eof_received()
        for owned in self.owns or ():
            owned.left(self)

    def pause_writing(self) -> None:
        """Hold the other side back: this one reads too slowly."""
        self.is_full = True
        self._watch()
        if self._exchange is not None and self._exchange.upstream is not None:
            self._exchange.upstream.pause_reading()

    def resume_writing(self) -> None:
        """Let the other side go on."""
        self.is_full = False
        exchange = self._exchange
        if self._is_closing:
            return
        if exchange is None:
            self._rest()
            self._process(b"")
        else:
            self._watch()
            exchange.client_reads_on()

    def stand_in(self, client: "Downstream", transport: asyncio.Transport) -> None:
        """Begin on behalf of a client who will not hear of it. It is not counted, and nobody looks after it."""
        self._transport = transport
        self._writer = Writer(transport)
        self.is_nobody = True
        self.address, self.is_secure, self._told = client.address, client.is_secure, client._told  # noqa: SLF001
        self._certificate, self.has_certificate = client._certificate, client.has_certificate  # noqa: SLF001
        self.is_verified = client.is_verified

    def serve(self, exchange: Exchange) -> None:
        """Begin with an exchange that has not come over this connection."""
        self._exchange = exchange

    # What the exchange asks for.

    def ends(self) -> tuple[Endpoint | None, Endpoint | None]:
        """Return both ends of the connection, the client's and ours, or None for what is not known."""
        if self._told is not None:
            return self._told.source, self._told.destination
        peer, ours, sock = map(self._transport.get_extra_info, ("peername", "sockname", "socket"))
        return _endpoint(peer), _endpoint(ours if sock is None else sock.getsockname())

    def client(self, snapshot: "Snapshot") -> Client:
        """Return who is at the other end, by the rules of a snapshot."""
        if self._client is None or self._forwarding is not snapshot.forwarding:
            self._forwarding = snapshot.forwarding
            scheme = b"https" if self.is_secure else b"http"
            self._client = Client(snapshot.forwarding, self.address, scheme, self._certificate)
        return self._client

    def serves(self, exchange: Exchange) -> bool:
        """Say whether an exchange is still under way here."""
        return self._exchange is exchange

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""
        if not self._is_closing:
            self._written += len(data)
            self._writer.write(data)

    def pause_reading(self) -> None:
        """Take nothing more from the client; its silence is then not its fault."""
        if self._is_reading and not self._is_closing:
            self._is_reading = False
            self._transport.pause_reading()
            if self._fd >= 0:
                self.plane.hangups.watch(self._fd, self._hung_up)
            self._watch()

    def resume_reading(self) -> None:
        """Go on reading."""
        if not self._is_reading and not self._transport.is_closing():
            self._is_reading = True
            self.plane.hangups.forget(self._fd)
            self._transport.resume_reading()
            self._watch()

    def keeps_alive(self, exchange: Exchange) -> bool:
        """Say whether the connection will be used again after this exchange."""
        return exchange.head.keep_alive and exchange.request_done and not self.plane.is_draining

    def exchange_ended(self, keep: bool) -> None:
        """Go on with the next request, or close."""
        exchange, self._exchange = self._exchange, None
        if not keep:
            self._close(lingers=exchange is not None and not exchange.request_done)
            return
        self._rest()
        if not self._is_reading and len(self._buffer) <= _LARGEST_BACKLOG:
            self.resume_reading()
        if self._buffer and not self._is_processing:
            self._process(b"")

    def hand_over(self) -> tuple[asyncio.Transport, bytes]:
        """Let go of the connection, for whose transport there is another protocol now; and of what was read ahead."""
        early, self._buffer = self._buffer, b""
        self._exchange = None
        self.resume_reading()
        self._is_closing = True
        self.plane.hangups.forget(self._fd)
        self.plane.ticker.forget(self)
        self.plane.downstreams.discard(self)
        for owned in self.owns or ():
            owned.left(self)
        return self._transport, early

    def abort(self) -> None:
        """Break off at once: the client must see that what it has is not whole."""
        self._is_closing = True
        self.deadline = _NEVER
        self._exchange = None
        self._transport.abort()

    # What the ticker and the drain call.

    def expired(self, now: float) -> None:
        """Give up on a client that does not go on, unless it has made progress meanwhile."""
        exchange = self._exchange
        if self.is_full or self._is_closing:
            progress = cast("Progress", self._progress)
            progress.advanced(now, limits.delivered(self._written, self._transport, self._fd))
            self.deadline = progress.look(now)
            if not self.deadline:
                error = limits.not_read(exchange, progress.measured(now))
                self.abort_with_exchange(error.reason, error)
        elif exchange is not None and not exchange.request_done:
            progress = cast("Progress", self._progress)
            self.deadline = progress.look(now)
            if not self.deadline:
                self.deadline = _NEVER
                exchange.request_failed(limits.body_too_slow(exchange, progress.measured(now)))
        elif self._buffer and exchange is None:
            self._refuse(limits.head_too_slow(self.plane.snapshot, len(self._buffer)), self._buffer)
        else:
            self._close()

    def has_event_stream(self) -> bool:
        """Say whether an answer flows that can end between any two events."""
        return self._exchange is not None and self._exchange.is_event_stream()

    def leave(self) -> None:
        """End the event stream between two events."""
        if self._exchange is not None:
            self._exchange.leave()

    def drain(self, now: float) -> None:
        """Close if nothing is under way and nothing has been for a moment, else let the next answer say `close`.

        An event stream has no next answer: it ends when it has been told to leave.
        """
        if self._exchange is not None:
            self._exchange.drain()
        elif not self._buffer and not self._is_closing and now - self._idle_since >= DRAIN_IDLE_SECONDS:
            self._close()

    def abort_with_exchange(self, reason: str, error: KairosError | None = None) -> None:
        """Break off the connection and the exchange on it."""
        exchange = self._exchange
        self.abort()
        if exchange is not None:
            exchange.client_left(reason, error)

    def _hung_up(self) -> None:
        """The client has left while nothing is read from it."""
        self.abort_with_exchange("client_left")

    # Reading requests.

    def _process(self, data: bytes) -> None:
        """Begin exchanges with what has arrived, one after the other, until one has to wait."""
        searched, self._searched = self._searched, 0
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        self._is_processing = True
        while data and self._exchange is None and not self._is_closing and not self.is_full:
            rest = self._next_request(data, searched)
            if rest is None:
                break
            data, searched = rest, 0
        self._is_processing = False
        if self._is_closing:
            return
        self._buffer = data
        if self._exchange is None and not self.is_full:
            if not self._is_reading:
                self.resume_reading()
        elif len(data) > _LARGEST_BACKLOG:
            self.pause_reading()

    def _next_request(self, data: bytes, searched: int) -> bytes | None:
        """Begin an exchange with the head in `data`; return what follows it, or None if the head is not yet whole."""
        if data[0] == _CR or data[0] == _LF:  # RFC 9112 section 2.2: empty lines before a request are ignored
            return data.lstrip(b"\r\n")
        plane = self.plane
        snapshot = plane.snapshot
        text = data  # a pointer when compiled: a slice of it is a plain copy
        end = head_end(data, searched)
        if end < 0:
            if len(data) > snapshot.target_bytes:  # more than the shortest head that has such a target
                error = limits.head_too_large(snapshot, data, is_whole=False)
                if error is not None:
                    self._refuse(error, data)
                    return b""
            if is_hopeless(data, searched):
                self._refuse(fault(data), data)
                return b""
            if self._head_deadline == _NEVER:
                self._head_deadline = limits.deadline(plane.ticker.now, snapshot.request_head_seconds)
            self.deadline = self._head_deadline
            self._searched = max(len(data) - 3, 0)
            return None
        raw = data if end == len(data) else text[:end]
        try:
            if end > snapshot.target_bytes or end > snapshot.head_bytes or count_lines(raw) > snapshot.fields + 2:
                error = limits.head_too_large(snapshot, raw, is_whole=True)
                if error is not None:
                    raise error
            head = RequestHead(raw)
        except BadRequest as refusal:
            self._refuse(refusal, raw)
            return b""
        return self._begin(head, snapshot, b"" if end == len(data) else text[end : len(data)])

    def _begin(self, head: RequestHead, snapshot: "Snapshot", rest: bytes) -> bytes:
        self.deadline = self._head_deadline = _NEVER
        exchange = self._exchange = Exchange(self, head, snapshot)
        if not admission.find_route(exchange):
            return rest if exchange.request_done else b""
        if exchange.request_done:
            exchange.begin()
            return rest
        route = exchange.route
        self._progress = Progress(route.body_stall_seconds, route.body_rate)
        connection = head.connection
        if snapshot.told:  # in trailers neither
            connection = b"%b,%b" % (snapshot.told, connection or b"")
        exchange.change = json_bodies.of_request(route.request_change, head)
        self._body = RequestBody(head.body_length, route.body_bytes, connection, exchange.change)
        self._watch()
        if rest:
            self._read_body(rest)
        if self._exchange is exchange:
            exchange.begin()
        rest, self._buffer = self._buffer, b""
        return rest

    def _read_body(self, data: bytes) -> None:
        """Pass on a piece of a request's body; what follows the body waits in `_buffer`."""
        exchange: Exchange = self._exchange  # type: ignore[assignment]
        body: RequestBody = self._body  # type: ignore[assignment]
        try:
            framed, used = body.feed(data)
        except KairosError as error:
            exchange.request_failed(error)
            return
        if body.is_complete:
            self._body = None
            self._buffer = data[used:]
            self.deadline = _NEVER
            exchange.request_body(framed, True)
            return
        progress: Progress = self._progress  # type: ignore[assignment]
        progress.advanced(self.plane.ticker.now, body.received)
        exchange.request_body(framed, False)

    # Ends.

    def _refuse(self, error: KairosError, request: bytes) -> None:
        """Answer a request that could not be read, and close."""
        plane = self.plane
        row = plane.row
        row.add(layout.REQUESTS, 1)
        row.add(layout.LOCAL_REPLIES, 1)
        row.add(layout.RESPONSES_1XX + error.status // 100 - 1, 1)
        request_id = plane.request_id()
        lines = plane.ticker.date_line + b"Connection: close\r\n"
        has_body = not request.startswith(b"HEAD ")
        self.write(local_reply(LocalReply.refusal(error), request_id, lines, has_body=has_body))
        plane.limit_log.tell(plane.ticker.now, error, self.address)
        if plane.access_log is not None:
            plane.access_log.write_refused(self.address, error, request_id.decode())
        self._close(lingers=True)

    def _close(self, lingers: bool = False) -> None:
        """Close when everything is sent; linger if the client may still be sending, or a reset would eat the answer."""
        now = self.plane.ticker.now
        self._buffer = b""
        lingers = lingers and self._transport.can_write_eof()
        if lingers:
            self.resume_reading()
        self._is_closing = True
        self._progress = Progress(LINGER_SECONDS if lingers else CLOSE_SECONDS, 0)
        delivered = self._written  # and if nothing waits, the connection is gone in a moment
        if lingers or self._transport.get_write_buffer_size():
            delivered = limits.delivered(self._written, self._transport, self._fd)
        self.deadline = self._progress.begin(now, delivered)
        if lingers:
            self._transport.write_eof()
        else:
            self._transport.close()

    # Deadlines.

    def _rest(self) -> None:
        """Wait for the next request."""
        now = self.plane.ticker.now
        self._idle_since = now
        if self.is_full:
            self._watch()
            return
        seconds = self.plane.snapshot.client_idle_seconds
        self.deadline = now + seconds if seconds else _NEVER
        if self._head_deadline < self.deadline:
            self.deadline = self._head_deadline

    def _watch(self) -> None:
        """Set the deadline by what the client owes: to read what waits for it, to send a request or its body."""
        exchange = self._exchange
        now = self.plane.ticker.now
        if self.is_full:
            seconds, rate = limits.reading(exchange)
            self._progress = Progress(seconds, rate)
            self.deadline = self._progress.begin(now, limits.delivered(self._written, self._transport, self._fd))
        elif exchange is None:
            self._rest()
        elif self._is_reading and not exchange.request_done and self._body is not None:
            route = exchange.route
            self._progress = Progress(route.body_stall_seconds, route.body_rate)
            self.deadline = self._progress.begin(now, self._body.received)
        else:
            self.deadline = _NEVER


def _endpoint(name: object) -> Endpoint | None:
    """Return an end of a connection from its socket's name; None on a Unix socket."""
    return Endpoint(peer_address(name), name[1]) if isinstance(name, tuple) else None
