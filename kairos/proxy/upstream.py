"""One connection to a backend: it sends requests and reads responses."""

import asyncio
import socket
import ssl
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, cast

from kairos._speedups import head_end
from kairos.errors import Limit, Retry, UpstreamError, UpstreamTimeout
from kairos.protocols.http1.chunked import ChunkedReader, MalformedChunk
from kairos.protocols.http1.head import CHUNKED, UNTIL_CLOSE, ResponseHead
from kairos.proxy import tls_faults
from kairos.proxy.ticker import NEVER
from kairos.proxy.upstream_tls import is_quiet
from kairos.proxy.writer import Writer
from kairos.shm import layout

if TYPE_CHECKING:
    from kairos.balancing.latency import Latency
    from kairos.proxy.downstream import Downstream
    from kairos.proxy.exchange import Exchange
    from kairos.proxy.plane import DataPlane
    from kairos.proxy.pool import Pool
    from kairos.proxy.upgrade import Upgrade

CLOSE_SECONDS = 5.0  # to send what is left
WHOLE_WRITE = 16 << 10  # bytes that an empty send buffer takes at once, or not at all
LEFTOVER = 256 << 10  # bytes of an answer that are read at a time when the transport is gone
SERVER_ERROR = 500  # RFC 9110 section 15.6, and up
BUFFER_HIGH, BUFFER_LOW = 64 << 10, 16 << 10

# C values when compiled, and then not seen from outside.
_CHUNKED = CHUNKED
_UNTIL_CLOSE = UNTIL_CLOSE
_AWAITS_HEAD = -3
_IDLE = -4
_SWITCHES = -5
_NEVER = NEVER


class Upstream:
    """A connection to a backend, idle in its pool or serving one exchange.

    How it works: `_left` tells where the connection is in a response.

    | `_left`      | meaning                                             |
    |--------------|-----------------------------------------------------|
    | _IDLE        | no exchange; any byte from the backend is a fault   |
    | _AWAITS_HEAD | the request is out, or on its way                   |
    | n >= 0       | n bytes of the body are to come                     |
    | _CHUNKED     | a chunked body is to come                           |
    | _UNTIL_CLOSE | the body ends with the connection                   |
    | _SWITCHES    | a tunnel takes the connection over                  |
    """

    __slots__ = (
        "_asked_at",
        "_buffer",
        "_chunks",
        "_exchange",
        "_has_left",
        "_is_last_call",
        "_is_paused",
        "_keep_alive",
        "_left",
        "_moved_at",
        "_plane",
        "_pool",
        "_sent",
        "_silence_seconds",
        "_socket",
        "_spare",
        "_transport",
        "_unsent",
        "_writer",
        "deadline",
        "expires",
        "header",
        "idle_seconds",
        "idle_since",
        "is_closing",
        "is_counted",
        "is_reused",
        "owner",
        "requests",
    )

    def __init__(self, plane: "DataPlane", pool: "Pool", sock: socket.socket | None = None) -> None:
        """`sock` is the socket below the transport, for a look at it that reads nothing."""
        self._plane = plane
        self._pool = pool
        self._socket = sock
        self._spare: socket.socket | None = None  # the same socket, to read what is left when a write has failed
        self._exchange: Exchange | None = None
        self._has_left = False  # something of the request that came before its last piece
        self._left = _IDLE
        self._asked_at = 0.0  # when the request had been sent, if the latency of the backend is measured
        self._buffer = b""
        self._chunks: ChunkedReader | None = None
        self._is_last_call = False  # whether it is the exchange that has no more time, not this attempt
        self._is_paused = False
        self._keep_alive = False
        self._moved_at = 0.0
        self._sent = 0  # bytes of the current request
        self._silence_seconds = _NEVER
        self.deadline = _NEVER
        self.expires = _NEVER  # the end of its life, whatever it does
        self.header = b""  # of the PROXY protocol, with which it has begun, and
        self.owner: Downstream | None = None  # whom that names
        self.idle_seconds = 0.0  # before its current request, or a tick less
        self.idle_since = 0.0  # by the precise clock
        self.is_closing = False
        self.is_counted = False  # among the connections of the pool
        self.is_reused = False
        self.requests = 0

    # What the exchange and the pool ask for.

    def send(self, exchange: "Exchange", data: bytes) -> None:
        """Begin an exchange with the head of its request and what there is of its body."""
        self._exchange = exchange
        self._left = _AWAITS_HEAD
        self.deadline = _NEVER  # until the request has been sent
        self.is_reused = self.requests > 0
        self.requests += 1
        self._has_left = False
        self._sent = len(data)
        self._asked_at = 0.0
        self._writer.write(data)

    def write(self, data: bytes) -> None:
        """Send more of the request's body."""
        if self._unsent() < self._sent:
            self._has_left = True
        self._sent += len(data)
        if self._spare is None and self._socket is not None and not self._pool.is_tls:
            with suppress(OSError):  # no descriptor is left, or the connection is: then there is only no second look
                self._spare = self._socket.dup()
        self._writer.write(data)

    def await_head(self, deadline: float) -> None:
        """Start the clock of the response: the request has been sent. The exchange has to begin to answer by then."""
        if self._left == _AWAITS_HEAD:
            exchange: Exchange = self._exchange  # type: ignore[assignment]
            seconds = exchange.route.response_head_seconds
            self.deadline = self._plane.ticker.now + seconds if seconds else _NEVER
            self._is_last_call = deadline < self.deadline
            if self._is_last_call:
                self.deadline = deadline
            if self._pool.latency is not None:
                self._asked_at = monotonic()

    def pause_reading(self) -> None:
        """Read no more until `resume_reading`: the client is slow, and that is not the backend's silence."""
        if not self._is_paused and not self.is_closing:
            self._is_paused = True
            if self._left != _AWAITS_HEAD:
                self.deadline = _NEVER
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on reading."""
        if self._is_paused and not self.is_closing:
            self._is_paused = False
            self._listen()
            self._transport.resume_reading()

    def is_alive(self) -> bool:
        """Look whether the backend has closed this idle connection, without reading from it."""
        if self._socket is None:
            return True
        try:
            found = self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            if not found or not self._pool.is_tls:
                return False  # it has ended, or there is an answer that nobody has asked for
            return is_quiet(self._socket)
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """End the connection when everything is sent."""
        self.is_closing = True
        self.deadline = self._plane.ticker.now + CLOSE_SECONDS
        self._writer.stop()
        self._transport.close()

    def hand_over(self) -> asyncio.Transport:
        """Let go of the connection, for whose transport there is another protocol now."""
        self._exchange = None
        self._let_go_of_spare()
        self.resume_reading()
        self.is_closing = True
        self._plane.ticker.forget(self)
        if self._socket is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # it may be silent for long
            self._socket = None
        return self._transport

    def abort(self) -> None:
        """End the connection and its exchange at once, whatever is in flight."""
        self._exchange = None
        self.is_closing = True
        self.deadline = _NEVER
        self._writer.stop()
        self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(BUFFER_HIGH, BUFFER_LOW)
        self._writer = Writer(self._transport)
        self._unsent = self._transport.get_write_buffer_size
        self._plane.ticker.watch(self)
        self._plane.row.add(layout.UPSTREAM_OPEN, 1)

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        try:
            if self._left == _AWAITS_HEAD:
                if self.is_reused and not self._buffer and self._unsent() >= self._sent:
                    raise _unasked()  # the request has not left yet, so this answers another, or nobody
                self._read_head(data)
            elif self._left == _IDLE:
                if not self.is_closing:
                    self._pool.closed(self)  # nothing was asked: so some announce that they close
                self.close()  # whatever this is, it must not answer the next request
            else:
                self._read_body(data)
        except UpstreamError as error:
            self._fail(error)

    def eof_received(self) -> None:
        """End a response that ends with the connection; `connection_lost` will follow."""
        if self._left == _IDLE and not self.is_closing:
            self._pool.closed(self)
        self.is_closing = True
        if self._left == _UNTIL_CLOSE:
            self._finish(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """End, whatever was under way."""
        if self._left == _IDLE and not self.is_closing:
            self._pool.closed(self)
        self.is_closing = True
        self._writer.stop()
        self._socket = None
        self._plane.ticker.forget(self)
        self._plane.row.add(layout.UPSTREAM_OPEN, -1)
        if self.is_counted:
            self._pool.opened(-1)
        if self._spare is not None:
            self._read_what_is_left(self._spare)
        if self._exchange is None:
            self._pool.remove(self)
        elif self._left == _AWAITS_HEAD and not self._buffer:
            if self.is_reused:
                self._pool.met_stale(self)
            self._fail(self._unanswered(exc))
        else:
            self._fail(UpstreamError("the answer was cut short", reason="response_cut_short"))

    def _unanswered(self, exc: Exception | None) -> UpstreamError:
        """Say what it means that the connection has ended before an answer began."""
        if isinstance(exc, ssl.SSLError) and not self.is_reused:
            fault = tls_faults.fault(exc)
            if fault.is_about_us:  # TLS 1.3 tells so late, but it has read nothing before (RFC 8446 section 4.4.2.4)
                message = f"TLS failed: {fault.message}"
                return UpstreamError(message, reason=fault.reason, retry=Retry.ALWAYS)
        reason = "stale_reuse" if self.is_reused else "closed_before_head"
        # A write that failed at once took nothing: then even a POST has not been seen by anybody.
        was_refused = isinstance(exc, BrokenPipeError) and self._sent <= WHOLE_WRITE and not self._has_left
        retry = Retry.ALWAYS if was_refused else Retry.IDEMPOTENT
        return UpstreamError("the connection was closed", reason=reason, retry=retry)

    def _read_what_is_left(self, spare: socket.socket) -> None:
        """Read an answer for which the backend did not wait to get the whole request (RFC 9112 section 9.5).

        It has closed, our next write has failed, and so the transport is gone before it has read the answer, which the
        kernel still holds.
        """
        with suppress(OSError):
            while self._left != _IDLE and self._exchange is not None:
                data = spare.recv(LEFTOVER, socket.MSG_DONTWAIT)
                if not data:
                    self.eof_received()
                    break
                self.data_received(data)
        self._let_go_of_spare()

    def _let_go_of_spare(self) -> None:
        if self._spare is not None:
            self._spare.close()
            self._spare = None

    def pause_writing(self) -> None:
        """Hold the other side back: this one reads too slowly."""
        if self._exchange is not None:
            self._exchange.downstream.pause_reading()

    def resume_writing(self) -> None:
        """Let the other side go on."""
        if self._exchange is not None:
            self._exchange.downstream.resume_reading()

    # What the ticker calls.

    def expired(self, now: float) -> None:
        """Give up waiting, unless something has come meanwhile."""
        if self.is_closing:
            self.abort()
        elif self._exchange is None:
            self._pool.retire(self)
        elif self._left == _AWAITS_HEAD:
            self._fail(self._too_late(self._exchange))
        elif now - self._moved_at < self._silence_seconds:
            self.deadline = self._moved_at + self._silence_seconds
        else:
            limit = Limit("timeouts.response_stall_seconds", f"{self._silence_seconds:g}", f"{now - self._moved_at:g}")
            self._fail(UpstreamTimeout("the answer stalled", reason="response_stalled", limit=limit))

    def _too_late(self, exchange: "Exchange") -> UpstreamTimeout:
        route = exchange.route
        phase = "exchange" if self._is_last_call else "response_head"
        seconds = route.exchange_seconds if self._is_last_call else route.response_head_seconds
        limit = Limit(f"timeouts.{phase}_seconds", f"{seconds:g}", "no answer")
        return UpstreamTimeout(f"Request timeout after {seconds:g}s", reason=f"{phase}_timeout", limit=limit)

    # Reading a response.

    def _listen(self) -> None:
        """Set how long the backend may be silent from now on. A read moves no deadline: `expired` looks when it was."""
        self._moved_at = self._plane.ticker.now
        if self._left != _IDLE and self._left != _AWAITS_HEAD:
            self.deadline = self._moved_at + self._silence_seconds

    def _read_head(self, data: bytes) -> None:
        """Read the head of the response, and the interim answers before it."""
        searched = 0
        if self._buffer:
            searched = max(len(self._buffer) - 3, 0)
            data = self._buffer + data
        most = self._plane.snapshot.response_head_bytes
        while self._left == _AWAITS_HEAD:
            end = head_end(data, searched)
            if (len(data) if end < 0 else end) > most:
                raise _too_large(most, len(data) if end < 0 else end)
            if end < 0:
                self._buffer = data
                return
            text = data  # a pointer when compiled: a slice of it is a plain copy
            size = len(data)
            self._take_head(text[:end])
            data, searched = text[end:size], 0
        self._buffer = b""
        if self._exchange is None:
            return
        if self._left == _SWITCHES:
            cast("Upgrade", self._exchange.upgrade).switch(self._exchange, self, data)
            return
        self._read_body(data)

    def _take_head(self, raw: bytes) -> None:
        exchange: Exchange = self._exchange  # type: ignore[assignment]
        head = ResponseHead(raw, exchange.head.method == b"HEAD")
        if head.status < 200:
            self._take_interim(head, exchange)
            return
        if self._pool.latency is not None:
            self._measure(head.status >= SERVER_ERROR)
        self._keep_alive = head.keep_alive
        if self.requests == 1:
            self._pool.answered(head, self._transport)
        self._left = head.body_length
        seconds = exchange.route.response_stall_seconds
        self._silence_seconds = _NEVER if head.is_event_stream or not seconds else seconds
        self._listen()
        if self._left == _CHUNKED:
            self._chunks = ChunkedReader()
        if not exchange.begin_response(head):
            return  # the request goes elsewhere

    def _measure(self, is_error: bool) -> None:
        """Tell how long the head of the answer took; one that came before all was sent tells nothing but an error."""
        latency: Latency = self._pool.latency  # type: ignore[assignment]
        now = self._plane.ticker.now
        asked_at, self._asked_at = self._asked_at, 0.0  # what comes after the head takes as long as it is
        seconds = monotonic() - asked_at if asked_at else 0.0
        if is_error:
            latency.failed(seconds, now)
        elif asked_at:
            latency.answered(seconds, now)

    def _take_switch(self, head: ResponseHead, exchange: "Exchange") -> None:
        if exchange.upgrade is None:
            raise UpstreamError("the backend changed protocols unasked", reason="unexpected_upgrade")
        exchange.upgrade.agree(head, exchange)
        if self._pool.latency is not None:
            self._measure(is_error=False)
        if self.requests == 1:
            self._pool.answered(head, self._transport)
        self._left = _SWITCHES

    def _take_interim(self, head: ResponseHead, exchange: "Exchange") -> None:
        if head.status == 101:
            self._take_switch(head, exchange)
            return
        self.is_reused = False  # it lives: if it is lost from here on, that is no stale reuse
        exchange.interim(head)

    def _read_body(self, data: bytes) -> None:
        left = self._left
        if left >= 0:
            if len(data) < left:
                self._left = left - len(data)
                self._pass_on(data)
            else:
                self._finish(data[:left] if len(data) > left else data, overlong=len(data) > left)
        elif left == _CHUNKED:
            self._read_chunks(data)
        else:
            self._pass_on(data)

    def _read_chunks(self, data: bytes) -> None:
        chunks = cast("ChunkedReader", self._chunks)
        try:
            pieces, used = chunks.feed(data)
        except MalformedChunk:
            raise UpstreamError("the framing of the answer is broken", reason="malformed_chunk") from None
        body = b"".join(pieces)
        if chunks.is_complete:
            self._chunks = None
            self._finish(body, overlong=used < len(data), trailers=chunks.trailers)
        else:
            self._pass_on(body)

    def _pass_on(self, body: bytes) -> None:
        self._moved_at = self._plane.ticker.now
        exchange = self._exchange  # so that it is there to the end of the call, in which it may let go of us
        if exchange is not None:
            exchange.response_body(body)

    def _finish(self, body: bytes, overlong: bool = False, trailers: list[tuple[bytes, bytes]] | None = None) -> None:
        """End the response. The connection is given back first, so that the client's next request finds it."""
        exchange: Exchange = self._exchange  # type: ignore[assignment]
        self._exchange = None
        self._left = _IDLE
        if self._spare is not None:
            self._let_go_of_spare()
        if self._is_paused:
            self.resume_reading()
        self.deadline = _NEVER
        is_clean = self._keep_alive and exchange.request_done and not overlong and not self.is_closing
        if is_clean and not self._unsent():
            self._pool.give(self)
        else:
            self.close()
        exchange.end_response(body, trailers)

    def _fail(self, error: UpstreamError) -> None:
        exchange = self._exchange
        if exchange is not None and self._pool.latency is not None and error.reason != "stale_reuse":
            self._measure(is_error=True)
        self.abort()
        if exchange is not None:
            exchange.upstream_failed(error, self)


def _too_large(allowed: int, measured: int) -> UpstreamError:
    limit = Limit("limits.max_response_header_bytes", allowed, measured)
    return UpstreamError("the head of the answer is too large", reason="response_head_too_large", limit=limit)


def _unasked() -> UpstreamError:
    return UpstreamError("the connection had an answer already", reason="stale_reuse", retry=Retry.ALWAYS)
