"""A stored body that is too large to be sent at once."""

from typing import TYPE_CHECKING

from kairos.traffic.caching.store import Entry

if TYPE_CHECKING:
    import asyncio

    from kairos.proxy.exchange import Exchange

PIECE_BYTES = 128 << 10


class Reel:
    """It takes the place of the connection to a backend: it is paused while the client is slow, and can be aborted."""

    __slots__ = ("_entry", "_exchange", "_is_due", "_is_paused", "_left", "_loop", "_offset")

    def __init__(
        self, exchange: "Exchange", loop: "asyncio.AbstractEventLoop", entry: Entry, offset: int, left: int
    ) -> None:
        """Send the `left` bytes from `offset` on."""
        self._exchange: Exchange | None = exchange
        self._loop = loop
        self._entry = entry
        self._offset = offset
        self._left = left
        self._is_paused = False
        self._is_due = False  # at the next turn of the loop

    def pause_reading(self) -> None:
        """Send no more until `resume_reading`."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Go on."""
        self._is_paused = False
        self._schedule()

    def abort(self) -> None:
        """Stop at once."""
        self._exchange = None

    def send(self, data: bytes) -> None:
        """Send this piece, which has been read already, and then the rest, a piece at each turn of the loop."""
        exchange = self._exchange
        if exchange is None:
            return
        self._offset += len(data)
        self._left -= len(data)
        if self._left:
            exchange.response_body(data)
            if not self._is_paused:
                self._schedule()
        else:
            self._exchange = None
            exchange.end_response(data, None)

    def _schedule(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._is_due = False
        if self._exchange is None or self._is_paused:
            return
        try:
            data = self._entry.read(self._offset, min(self._left, PIECE_BYTES))
        except OSError:
            data = b""
        if data:
            self.send(data)
        else:
            self._exchange.downstream.abort_with_exchange("stored_body_lost")
