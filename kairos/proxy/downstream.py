"""One connection from a client: it reads requests and writes responses."""

import asyncio
from typing import TYPE_CHECKING, cast

from kairos.errors import BadRequest, KairosError, Side
from kairos.filters import LocalReply
from kairos.protocols.http1 import chunked
from kairos.protocols.http1.chunked import ChunkedReader, MalformedChunk
from kairos.protocols.http1.head import CHUNKED, RequestHead, validate_request
from kairos.protocols.http1.serialize import forwarded
from kairos.proxy.exchange import Exchange
from kairos.proxy.replies import local_reply
from kairos.proxy.ticker import NEVER
from kairos.shm import layout

if TYPE_CHECKING:
    from kairos.proxy.plane import DataPlane

HEAD_SECONDS = 15.0  # for a whole head, from its first byte
IDLE_SECONDS = 75.0  # between requests
STALL_SECONDS = 60.0  # without progress, while bytes are due from the client or wait for it
LINGER_SECONDS = 2.0  # to let a client read a refusal while it is still sending
DRAIN_IDLE_SECONDS = 1.0  # a drain closes connections that have been idle for so long
LARGEST_HEAD = 32 << 10
MOST_FIELDS = 100
LARGEST_BODY = 10 << 20
LARGEST_BACKLOG = 64 << 10  # of pipelined requests
BUFFER_HIGH, BUFFER_LOW = 64 << 10, 16 << 10


class PayloadTooLarge(KairosError):
    """The body of the request is larger than the limit."""

    kind = "payload_too_large"
    side = Side.DOWNSTREAM
    status = 413


class Downstream:
    """A connection from a client, serving one exchange after the other.

    How it works: bytes go to the head of the next request while there is no exchange, to the body of the current
    request while that is unfinished, and else wait in `_buffer` (pipelining) until the exchange has ended.
    """

    __slots__ = (
        "_buffer",
        "_chunks",
        "_exchange",
        "_head_deadline",
        "_idle_since",
        "_is_closing",
        "_is_full",
        "_is_processing",
        "_is_reading",
        "_left",
        "_received",
        "_searched",
        "_transport",
        "_unsent",
        "client",
        "deadline",
        "forwarded",
        "plane",
    )

    def __init__(self, plane: "DataPlane") -> None:
        self.plane = plane
        self.client = ""
        self.forwarded = b""
        self.deadline = NEVER
        self._exchange: Exchange | None = None
        self._buffer = b""
        self._chunks: ChunkedReader | None = None
        self._left = 0  # bytes of a counted body still to come
        self._received = 0  # bytes of a chunked body so far
        self._searched = 0  # how much of `_buffer` is known not to hold the end of a head
        self._idle_since = 0.0
        self._head_deadline = NEVER
        self._unsent = 0  # bytes that waited for the client when it was last asked about its progress
        self._is_closing = False
        self._is_full = False
        self._is_processing = False
        self._is_reading = True

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        plane = self.plane
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(BUFFER_HIGH, BUFFER_LOW)
        peer = transport.get_extra_info("peername")
        self.client = peer[0] if peer else ""
        self.forwarded = forwarded(self.client, "http")
        self._rest()
        plane.downstreams.add(self)
        plane.ticker.watch(self)
        plane.row.add(layout.CONNECTIONS_ACCEPTED, 1)
        plane.row.add(layout.CONNECTIONS_OPEN, 1)

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        exchange = self._exchange
        if self._is_closing:
            return  # lingering: read only so that the client can read the answer
        if exchange is None:
            self._process(data)
        elif exchange.request_done:
            self._buffer += data
            if len(self._buffer) > LARGEST_BACKLOG:
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
        plane.ticker.forget(self)
        plane.downstreams.discard(self)
        plane.row.add(layout.CONNECTIONS_OPEN, -1)
        self.eof_received()

    def pause_writing(self) -> None:
        """Hold the other side back: this one reads too slowly."""
        self._is_full = True
        self._unsent = self._transport.get_write_buffer_size()
        self._watch()
        if self._exchange is not None and self._exchange.upstream is not None:
            self._exchange.upstream.pause_reading()

    def resume_writing(self) -> None:
        """Let the other side go on."""
        self._is_full = False
        exchange = self._exchange
        if self._is_closing:
            return
        if exchange is None:
            self._rest()
            self._process(b"")
        else:
            self._watch()
            if exchange.upstream is not None:
                exchange.upstream.resume_reading()

    # What the exchange asks for.

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def pause_reading(self) -> None:
        """Take nothing more from the client; its silence is then not its fault."""
        if self._is_reading and not self._transport.is_closing():
            self._is_reading = False
            self._transport.pause_reading()
            self._watch()

    def resume_reading(self) -> None:
        """Go on reading."""
        if not self._is_reading and not self._transport.is_closing():
            self._is_reading = True
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
        if len(self._buffer) <= LARGEST_BACKLOG:
            self.resume_reading()
        if self._buffer and not self._is_processing:
            self._process(b"")

    def abort(self) -> None:
        """Break off at once: the client must see that what it has is not whole."""
        self._is_closing = True
        self._exchange = None
        self._transport.abort()

    # What the ticker and the drain call.

    def expired(self, now: float) -> None:
        """Give up on a client that does not go on."""
        exchange = self._exchange
        if self._is_full or self._is_closing:
            earlier, self._unsent = self._unsent, self._transport.get_write_buffer_size()
            if 0 < self._unsent < earlier:
                self.deadline = now + STALL_SECONDS
            else:
                self.abort_with_exchange("client_stalled")
        elif exchange is not None and not exchange.request_done:
            exchange.request_failed(BadRequest("The request body stalled", reason="request_body_timeout", status=408))
        elif self._buffer and exchange is None:
            error = BadRequest("The request head did not arrive in time", reason="request_head_timeout", status=408)
            self._refuse(error)
        else:
            self._close()

    def drain(self, now: float) -> None:
        """Close if nothing is under way and nothing has been for a moment, else let the next answer say `close`."""
        is_idle = self._exchange is None and not self._buffer and not self._is_closing
        if is_idle and now - self._idle_since >= DRAIN_IDLE_SECONDS:
            self._close()

    def abort_with_exchange(self, reason: str) -> None:
        """Break off the connection and the exchange on it."""
        exchange = self._exchange
        self.abort()
        if exchange is not None:
            exchange.client_left(reason)

    # Reading requests.

    def _process(self, data: bytes) -> None:
        """Begin exchanges with what has arrived, one after the other, until one has to wait."""
        searched, self._searched = self._searched, 0
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        self._is_processing = True
        while data and self._exchange is None and not self._is_closing and not self._is_full:
            rest = self._next_request(data, searched)
            if rest is None:
                break
            data, searched = rest, 0
        self._is_processing = False
        if self._is_closing:
            return
        self._buffer = data
        if self._exchange is None and not self._is_full:
            self.resume_reading()
        elif len(data) > LARGEST_BACKLOG:
            self.pause_reading()

    def _next_request(self, data: bytes, searched: int) -> bytes | None:
        """Begin an exchange with the head in `data`; return what follows it, or None if the head is not yet whole."""
        if data[0] in b"\r\n":  # RFC 9112 section 2.2: empty lines before a request are ignored
            return data.lstrip(b"\r\n")
        end = data.find(b"\r\n\r\n", searched) + 4
        if (len(data) if end == 3 else end) > LARGEST_HEAD:
            self._refuse(_too_large(f"The request head is larger than {LARGEST_HEAD} bytes"))
            return b""
        if end == 3:
            if self._head_deadline == NEVER:
                self._head_deadline = self.plane.ticker.now + HEAD_SECONDS
            self.deadline = self._head_deadline
            self._searched = max(len(data) - 3, 0)
            return None
        raw = data[:end]
        try:
            if raw.count(b"\n") > MOST_FIELDS + 2:
                raise _too_large(f"The request has more than {MOST_FIELDS} header fields")
            validate_request(raw)
            head = RequestHead(raw)
        except BadRequest as error:
            self._refuse(error)
            return b""
        return self._begin(head, data[end:])

    def _begin(self, head: RequestHead, rest: bytes) -> bytes:
        self.deadline = self._head_deadline = NEVER
        exchange = self._exchange = Exchange(self, head, self.plane.snapshot)
        length = head.body_length
        if length > LARGEST_BODY:
            exchange.request_failed(PayloadTooLarge(f"The request body is larger than {LARGEST_BODY} bytes"))
            return b""
        if length == 0:
            exchange.begin()
            return rest
        self._watch()
        if length == CHUNKED:
            self._chunks = ChunkedReader()
            self._received = 0
        else:
            self._left = length
        if rest:
            self._read_body(rest)
        if self._exchange is exchange:
            exchange.begin()
        rest, self._buffer = self._buffer, b""
        return rest

    def _read_body(self, data: bytes) -> None:
        """Pass on a piece of a request's body; what follows the body waits in `_buffer`."""
        exchange = cast("Exchange", self._exchange)
        self.deadline = self.plane.ticker.now + STALL_SECONDS
        if self._chunks is None:
            left = self._left
            if len(data) > left:
                data, self._buffer = data[:left], data[left:]
            self._left = left - len(data)
            done = self._left == 0
        else:
            try:
                data, done = self._read_chunks(data)
            except KairosError as error:
                exchange.request_failed(error)
                return
        if done:
            self.deadline = NEVER
        exchange.request_body(data, done)

    def _read_chunks(self, data: bytes) -> tuple[bytes, bool]:
        """Frame the chunked data anew, so that no odd framing reaches a backend."""
        chunks = cast("ChunkedReader", self._chunks)
        try:
            pieces, used = chunks.feed(data)
        except MalformedChunk as error:
            raise BadRequest(f"The chunked body is malformed: {error}", reason="malformed_chunk") from None
        self._received += sum(map(len, pieces))
        if self._received > LARGEST_BODY:
            raise PayloadTooLarge(f"The request body is larger than {LARGEST_BODY} bytes")
        framed = chunked.encode(pieces)
        if not chunks.is_complete:
            return framed, False
        self._chunks = None
        self._buffer = data[used:]
        return framed + chunked.LAST_CHUNK, True

    # Ends.

    def _refuse(self, error: BadRequest) -> None:
        """Answer a request that could not be read, and close."""
        plane = self.plane
        row = plane.row
        row.add(layout.REQUESTS, 1)
        row.add(layout.LOCAL_REPLIES, 1)
        row.add(layout.RESPONSES_1XX + error.status // 100 - 1, 1)
        request_id = plane.request_id()
        lines = plane.ticker.date_line + b"Connection: close\r\n"
        self.write(local_reply(LocalReply.refusal(error), request_id, lines))
        if plane.access_log is not None:
            plane.access_log.write_refused(self.client, error, request_id)
        self._close(lingers=True)

    def _close(self, lingers: bool = False) -> None:
        """Close when everything is sent; linger if the client may still be sending, or a reset would eat the answer."""
        self._is_closing = True
        self._buffer = b""
        self._unsent = self._transport.get_write_buffer_size()
        if lingers and self._transport.can_write_eof():
            self.resume_reading()
            self.deadline = self.plane.ticker.now + LINGER_SECONDS
            self._transport.write_eof()
        else:
            self.deadline = self.plane.ticker.now + STALL_SECONDS
            self._transport.close()

    # Deadlines.

    def _rest(self) -> None:
        """Wait for the next request."""
        self._idle_since = self.plane.ticker.now
        self._watch()

    def _watch(self) -> None:
        """Set the deadline by what the client owes: to read what waits for it, to send a request or its body."""
        exchange = self._exchange
        if self._is_full:
            self.deadline = self.plane.ticker.now + STALL_SECONDS
        elif exchange is None:
            self.deadline = min(self._head_deadline, self.plane.ticker.now + IDLE_SECONDS)
        elif self._is_reading and not exchange.request_done:
            self.deadline = self.plane.ticker.now + STALL_SECONDS
        else:
            self.deadline = NEVER


def _too_large(message: str) -> BadRequest:
    return BadRequest(message, reason="request_head_too_large", status=431)
