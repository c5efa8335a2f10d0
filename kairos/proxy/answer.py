"""The answer of a backend on its way to the client: with the head that the client gets, and framed anew."""

from typing import TYPE_CHECKING, cast

from kairos.protocols.event_stream import EventStream
from kairos.protocols.http1 import chunked
from kairos.protocols.http1.fields import CONTENT_CODING, trailer_section
from kairos.protocols.http1.forwarded import tells_https
from kairos.protocols.http1.head import CHUNKED, UNTIL_CLOSE, ResponseHead
from kairos.protocols.http1.serialize import response_head
from kairos.proxy.encoding import Encoding, encoded
from kairos.proxy.replies import NOSNIFF_AND_ID

if TYPE_CHECKING:
    from kairos.balancing.sticky import StickyCookie
    from kairos.proxy.exchange import Exchange
    from kairos.proxy.target import Target

# C values when compiled, and then not seen from outside.
_CHUNKED = CHUNKED
_UNTIL_CLOSE = UNTIL_CLOSE
_NOSNIFF_AND_ID = NOSNIFF_AND_ID


class Answer:
    """One answer, from its head to its last piece.

    How it works: the head waits for the first piece of the body, so that both leave in one write. `piece` and
    `last_piece` return what to send. Where the body is compressed the encoding stands before them: it calls `frame`
    when it knows the head, and `framed` and `last_framed` with what it has made. It holds no exchange, which would be
    a cycle: the exchange hands itself in.
    """

    __slots__ = ("_connection", "_encoding", "_head", "_is_chunked", "events")

    def __init__(self, exchange: "Exchange", head: ResponseHead) -> None:
        self._begin(exchange, head)  # with types when compiled

    def _begin(self, exchange: "Exchange", head: ResponseHead) -> None:
        self._connection = head.connection  # what the backend says of its connection
        self.events: EventStream | None = None  # where events end, if the answer consists of them and can end anywhere
        if head.is_event_stream and head.body_length < 0 and CONTENT_CODING.values(head.raw)[0] is None:
            self.events = EventStream()
        self._encoding: Encoding | None = None
        if exchange.route.compressor is not None and not exchange.downstream.is_nobody:
            head, self._encoding = encoded(exchange.route.compressor, exchange.head, head)
        if self._encoding is None:
            self.frame(exchange, head)

    def frame(self, exchange: "Exchange", head: ResponseHead) -> None:
        """Decide how the body is framed, by the head for it."""
        is_http11 = exchange.head.is_http11
        is_open = head.body_length == _CHUNKED or head.body_length == _UNTIL_CLOSE
        self._head: ResponseHead | None = head
        self._is_chunked = is_open and is_http11
        exchange.keeps_client = exchange.downstream.keeps_alive(exchange) and (is_http11 or not is_open)

    def piece(self, exchange: "Exchange", data: bytes) -> bytes:
        """Take a piece of the body."""
        if self._encoding is not None:
            return self._encoding.piece(self, exchange, data)
        return self.framed(exchange, data)

    def framed(self, exchange: "Exchange", data: bytes) -> bytes:
        """Return a piece of the body as it is sent."""
        if self._is_chunked:
            data = chunked.encode((data,))
        return data if self._head is None else self._with_head(exchange, data)

    def last_piece(self, exchange: "Exchange", data: bytes, trailers: list[tuple[bytes, bytes]] | None) -> bytes:
        """Take the last piece of the body, and what trailers the backend has sent."""
        if self._encoding is not None:
            return self._encoding.last_piece(self, exchange, data, trailers)
        return self.last_framed(exchange, data, trailers)

    def is_busy(self) -> bool:
        """Say whether a part of what was taken is not made yet; `goes_on` of the exchange will tell."""
        return self._encoding is not None and self._encoding.is_busy

    def last_framed(self, exchange: "Exchange", data: bytes, trailers: list[tuple[bytes, bytes]] | None) -> bytes:
        """Return the last piece of the body as it is sent."""
        if self._is_chunked:
            lines = b""
            if trailers and exchange.head.takes_trailers:
                lines = trailer_section(trailers, self._connection, drops_underscores=False)
            data = chunked.encode((data,)) + chunked.last_chunk(lines)
        return data if self._head is None else self._with_head(exchange, data)

    def _with_head(self, exchange: "Exchange", data: bytes) -> bytes:
        head: ResponseHead = self._head  # type: ignore[assignment]
        self._head = None
        date = b"" if head.has_date else exchange.downstream.plane.ticker.date_line
        coding = b"Transfer-Encoding: chunked\r\n" if self._is_chunked else b""
        via, connection, request_id = exchange.snapshot.via, exchange.connection_line(), exchange.request_id
        if exchange.route.sticky is not None and exchange.attempts.target is not None:
            connection += sticky_line(exchange)
        if self.events is not None:
            exchange.snapshot = None  # type: ignore[assignment]  # it may outlive many generations, and keeps none alive
        own = (coding, _NOSNIFF_AND_ID, request_id, b"\r\n", date, via, connection, exchange.lines, b"\r\n", data)
        return response_head(head, own, exchange.route.copies)


def sticky_line(exchange: "Exchange") -> bytes:
    """Lead the client back to the backend that answers, unless its cookie does so already."""
    is_secure = tells_https(exchange.forwarded)
    target = cast("Target", exchange.attempts.target)
    return cast("StickyCookie", exchange.route.sticky).line(exchange.head, target.pool.address, is_secure)
