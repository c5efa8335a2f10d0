"""One connection to a backend: it sends requests and reads responses."""

import asyncio
from typing import TYPE_CHECKING, cast

from kairos.errors import Retry, UpstreamError, UpstreamTimeout
from kairos.protocols.http1.chunked import ChunkedReader, MalformedChunk
from kairos.protocols.http1.head import CHUNKED, UNTIL_CLOSE, ResponseHead, validate_response
from kairos.proxy.ticker import NEVER
from kairos.shm import layout

if TYPE_CHECKING:
    from kairos.proxy.exchange import Exchange
    from kairos.proxy.plane import DataPlane
    from kairos.proxy.pool import Pool

HEAD_SECONDS = 30.0  # from the last byte of the request to the head of the response
SILENCE_SECONDS = 60.0  # between two reads of a response body
CLOSE_SECONDS = 5.0  # to send what is left
LARGEST_HEAD = 32 << 10
BUFFER_HIGH, BUFFER_LOW = 64 << 10, 16 << 10


class Upstream:
    """A connection to a backend, idle in its pool or serving one exchange.

    How it works: `_left` tells where the connection is in a response.

    | `_left`      | meaning                                             |
    |--------------|-----------------------------------------------------|
    | IDLE         | no exchange; any byte from the backend is a fault   |
    | AWAITS_HEAD  | the request is out, or on its way                   |
    | n >= 0       | n bytes of the body are to come                     |
    | CHUNKED      | a chunked body is to come                           |
    | UNTIL_CLOSE  | the body ends with the connection                   |
    """

    __slots__ = (
        "_buffer",
        "_chunks",
        "_exchange",
        "_is_paused",
        "_keep_alive",
        "_left",
        "_plane",
        "_pool",
        "_transport",
        "deadline",
        "is_closing",
        "is_reused",
        "requests",
    )

    AWAITS_HEAD = -3
    IDLE = -4

    def __init__(self, plane: "DataPlane", pool: "Pool") -> None:
        self._plane = plane
        self._pool = pool
        self._exchange: Exchange | None = None
        self._left = self.IDLE
        self._buffer = b""
        self._chunks: ChunkedReader | None = None
        self._is_paused = False
        self._keep_alive = False
        self.deadline = NEVER
        self.is_closing = False
        self.is_reused = False
        self.requests = 0

    # What the exchange asks for.

    def send(self, exchange: "Exchange", data: bytes) -> None:
        """Begin an exchange with the head of its request and what there is of its body."""
        self._exchange = exchange
        self._left = self.AWAITS_HEAD
        self.deadline = NEVER  # until the request has been sent
        self.is_reused = self.requests > 0
        self.requests += 1
        self._transport.write(data)

    def write(self, data: bytes) -> None:
        """Send more of the request's body."""
        self._transport.write(data)

    def await_head(self) -> None:
        """Start the clock of the response: the request has been sent."""
        if self._left == self.AWAITS_HEAD:
            self.deadline = self._plane.ticker.now + HEAD_SECONDS

    def pause_reading(self) -> None:
        """Read no more until `resume_reading`: the client is slow, and that is not the backend's silence."""
        if not self._is_paused and not self.is_closing:
            self._is_paused = True
            self.deadline = NEVER
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on reading."""
        if self._is_paused and not self.is_closing:
            self._is_paused = False
            self.deadline = self._plane.ticker.now + SILENCE_SECONDS
            self._transport.resume_reading()

    def close(self) -> None:
        """End the connection when everything is sent."""
        self.is_closing = True
        self.deadline = self._plane.ticker.now + CLOSE_SECONDS
        self._transport.close()

    def abort(self) -> None:
        """End the connection and its exchange at once, whatever is in flight."""
        self._exchange = None
        self.is_closing = True
        self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(BUFFER_HIGH, BUFFER_LOW)
        self._plane.ticker.watch(self)
        self._plane.row.add(layout.UPSTREAM_OPEN, 1)

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        try:
            if self._left == self.AWAITS_HEAD:
                self._read_head(data)
            elif self._left == self.IDLE:
                self.close()  # nothing was asked: whatever this is, it must not answer the next request
            else:
                self._read_body(data)
        except UpstreamError as error:
            self._fail(error)

    def eof_received(self) -> None:
        """End a response that ends with the connection; `connection_lost` will follow."""
        self.is_closing = True
        if self._left == UNTIL_CLOSE:
            self._finish(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """End, whatever was under way."""
        self.is_closing = True
        self._plane.ticker.forget(self)
        self._plane.row.add(layout.UPSTREAM_OPEN, -1)
        if self._exchange is None:
            self._pool.remove(self)
        elif self._left == self.AWAITS_HEAD and not self._buffer:
            reason = "stale_reuse" if self.is_reused else "closed_before_head"
            self._fail(UpstreamError("the connection was closed", reason=reason, retry=Retry.IDEMPOTENT))
        else:
            self._fail(UpstreamError("the answer was cut short", reason="response_cut_short"))

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
        """Give up waiting."""
        if self.is_closing:
            self.abort()
        elif self._exchange is None:
            self.close()
        elif self._left == self.AWAITS_HEAD:
            self._fail(UpstreamTimeout(f"Request timeout after {HEAD_SECONDS:.0f}s", reason="response_head_timeout"))
        else:
            self._fail(UpstreamTimeout("the answer stalled", reason="response_stalled"))

    # Reading a response.

    def _read_head(self, data: bytes) -> None:
        """Read the head of the response, and the interim answers before it."""
        searched = max(len(self._buffer) - 3, 0)
        data = self._buffer + data
        while self._left == self.AWAITS_HEAD:
            end = data.find(b"\r\n\r\n", searched) + 4
            if (len(data) if end == 3 else end) > LARGEST_HEAD:
                raise UpstreamError("the head of the answer is too large", reason="response_head_too_large")
            if end == 3:
                self._buffer = data
                return
            self._take_head(data[:end])
            data, searched = data[end:], 0
        self._buffer = b""
        self._read_body(data)

    def _take_head(self, raw: bytes) -> None:
        validate_response(raw)
        exchange = cast("Exchange", self._exchange)
        head = ResponseHead(raw, to_head=exchange.head.method == b"HEAD")
        if head.status == 101:
            raise UpstreamError("the backend changed protocols unasked", reason="unexpected_upgrade")
        if head.status < 200:
            self.is_reused = False  # it lives: if it is lost from here on, that is no stale reuse
            exchange.interim(head)
            return
        self._keep_alive = head.keep_alive
        self._left = head.body_length
        self.deadline = self._plane.ticker.now + SILENCE_SECONDS
        if self._left == CHUNKED:
            self._chunks = ChunkedReader()
        exchange.begin_response(head)

    def _read_body(self, data: bytes) -> None:
        left = self._left
        if left >= 0:
            if len(data) < left:
                self._left = left - len(data)
                self._pass_on(data)
            else:
                self._finish(data[:left] if len(data) > left else data, overlong=len(data) > left)
        elif left == CHUNKED:
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
            self._finish(body, overlong=used < len(data))
        else:
            self._pass_on(body)

    def _pass_on(self, body: bytes) -> None:
        self.deadline = self._plane.ticker.now + SILENCE_SECONDS
        if self._exchange is not None:
            self._exchange.response_body(body)

    def _finish(self, body: bytes, overlong: bool = False) -> None:
        """End the response. The connection is given back first, so that the client's next request finds it."""
        exchange = cast("Exchange", self._exchange)
        self._exchange = None
        self._left = self.IDLE
        self.resume_reading()
        self.deadline = NEVER
        is_clean = self._keep_alive and exchange.request_done and not overlong and not self.is_closing
        if is_clean and not self._transport.get_write_buffer_size():
            self._pool.give(self)
        else:
            self.close()
        exchange.end_response(body)

    def _fail(self, error: UpstreamError) -> None:
        exchange = self._exchange
        self.abort()
        if exchange is not None:
            exchange.upstream_failed(error, self)
