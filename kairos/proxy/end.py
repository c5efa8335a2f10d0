"""One of the two connections of a tunnel: it reads, and its peer writes."""

import asyncio
import os
from typing import TYPE_CHECKING, cast

from kairos.config.policies import WebSocket
from kairos.protocols.websocket.control import close_frame, payload_of, ping_frame
from kairos.protocols.websocket.frames import PROTOCOL_ERROR
from kairos.protocols.websocket.frames import Frames as FrameScanner  # the name of the compiled one is taken
from kairos.proxy import limits
from kairos.proxy.writer import Writer
from kairos.shm import layout

if TYPE_CHECKING:
    from kairos.protocols.websocket.handshake import Agreement
    from kairos.proxy.plane import DataPlane
    from kairos.proxy.tunnel import Tunnel

OUR_PING = os.urandom(8)  # so that nobody else's Pong is taken for an answer to ours

# C values when compiled, and then not seen from outside.
_BYTES_IN, _BYTES_OUT = layout.WEBSOCKET_BYTES_IN, layout.WEBSOCKET_BYTES_OUT
_MESSAGES_IN, _MESSAGES_OUT = layout.WEBSOCKET_MESSAGES_IN, layout.WEBSOCKET_MESSAGES_OUT


class End:
    """The protocol of a connection that has changed from HTTP to something else.

    How it works: what arrives is looked at once and written to the peer as it is. Only where something is special
    (`_is_plain` is False) it goes the long way: a header that has not arrived as a whole is held back, a Pong for us is
    taken out, a frame of our own waits for the end of the one that is under way. A stream that `is_over` has had its
    last frame, a Close; what still arrives is read only to find the Close that answers ours.
    """

    __slots__ = (
        "_frames",
        "_held",
        "_is_client",
        "_is_plain",
        "_last_code",
        "_row",
        "_ticker",
        "_tunnel",
        "_unsent",
        "_writer",
        "full_since",
        "has_ended",
        "heard_at",
        "is_full",
        "is_lost",
        "is_over",
        "moved_at",
        "peer",
        "pinged_at",
        "transport",
    )

    peer: "End"
    transport: asyncio.Transport
    _writer: Writer

    def __init__(self, tunnel: "Tunnel", plane: "DataPlane", frames: FrameScanner | None, *, is_client: bool) -> None:
        """`frames` follows what arrives here; None if that is no WebSocket."""
        self._tunnel = tunnel
        self._row = plane.row
        self._ticker = plane.ticker
        self._frames = frames
        self._is_client = is_client
        self._held = b""  # the beginning of a frame that cannot be passed on yet
        self._is_plain = True
        self._last_code = 0  # of the Close that ends this stream as soon as a frame has ended
        self._unsent = 0  # what waited for the other side of this connection when that was last looked at
        self.full_since = 0.0  # or since when the other side has not progressed
        self.has_ended = False  # nothing more will arrive
        self.heard_at = 0.0  # when our last Ping was answered
        self.is_full = False  # the other side of this connection reads too slowly
        self.is_lost = False
        self.is_over = False
        self.moved_at = plane.ticker.now  # when something was last passed on
        self.pinged_at = 0.0  # when we last asked whether it lives

    def join(self, peer: "End", transport: asyncio.Transport) -> None:
        """Take the connection over."""
        self.peer = peer
        self.transport = transport
        self._writer = Writer(transport)
        transport.set_protocol(cast("asyncio.Protocol", self))

    def write(self, data: bytes) -> None:
        """Send to the other side of this connection."""
        self._writer.write(data)

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        """Relay what has arrived."""
        frames = self._frames
        if not self._is_plain:
            self._receive(data)
            return
        if frames is None:
            self.moved_at = self._ticker.now
            self.peer.write(data)
            self._row.add(_BYTES_IN if self._is_client else _BYTES_OUT, len(data))
            return
        size = frames.scan(data)
        if size < len(data):
            self._receive_in_parts(data, size)
        else:
            self._pass(data)

    def eof_received(self) -> bool:
        """Pass the end of a stream on: the other one may go on (RFC 9293 section 3.6)."""
        self.has_ended = True
        if self._held and not self.is_over:
            self.peer.write(self._held)
            self._held = b""
        return self._tunnel.ended(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other connection too."""
        self.is_lost = self.has_ended = True
        self._writer.stop()
        self._tunnel.lost(self)

    def pause_writing(self) -> None:
        """Hold the other side back: this one reads too slowly."""
        self.is_full = True
        self.full_since = self._ticker.now
        if self.peer.is_open():
            self.peer.transport.pause_reading()
        self._tunnel.slowed(self.full_since)

    def resume_writing(self) -> None:
        """Let the other side go on."""
        self.is_full = False
        peer = self.peer
        if peer.is_open():
            peer.heard_at = self._ticker.now  # its silence was not its fault
            peer.transport.resume_reading()

    # Frames.

    def _pass(self, data: bytes) -> None:
        """Write whole frames, or parts of data frames, to the peer; and count them."""
        self.moved_at = self._ticker.now
        self.peer.write(data)
        frames: FrameScanner = self._frames  # type: ignore[assignment]
        self._row.add(_BYTES_IN if self._is_client else _BYTES_OUT, len(data))
        if frames.messages:
            self._row.add(_MESSAGES_IN if self._is_client else _MESSAGES_OUT, frames.messages)
            frames.messages = 0
        if frames.close_code:
            self._tunnel.saw_close(frames.close_code)

    def _receive(self, data: bytes) -> None:
        """Take what has arrived while something is special."""
        if self.is_over:
            self._read_answer(data)
            return
        if self._held:
            data = self._held + data
            self._held = b""
        frames: FrameScanner = self._frames  # type: ignore[assignment]
        self._receive_in_parts(data, frames.scan(data))

    def _receive_in_parts(self, data: bytes, size: int) -> None:
        """Pass on the first `size` bytes, do what has to be done there, and go on."""
        frames: FrameScanner = self._frames  # type: ignore[assignment]
        while True:
            if size:
                self._pass(data[:size])
                data = data[size:]
            if frames.fault:
                self._tunnel.close(frames.fault)
            elif self._last_code and not frames.left:
                self._say_goodbye()
            if self.is_over:
                self._read_answer(data)
                return
            if not frames.pong:
                break
            pong, data = data[: frames.pong], data[frames.pong :]
            if payload_of(pong) == OUR_PING:
                self.heard_at = self._ticker.now
            else:
                self._pass(pong)
            size = frames.scan(data)
        self._held = data
        self._is_plain = not data and not self._last_code

    # How a WebSocket ends.

    def finish(self, code: int) -> None:
        """End this stream with a Close frame, as soon as the frame that is under way has ended."""
        frames = cast("FrameScanner", self._frames)
        self._is_plain = False
        self._last_code = code
        if frames.close_code or self.peer.is_lost or self.has_ended:  # it has had its Close, or cannot have one
            self.is_over = True
        elif frames.left:
            frames.stops = True
        else:
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        """Send the peer a Close."""
        self.is_over = True
        self.peer.write(close_frame(self._last_code, self._mask()))
        self.peer.farewell_sent()

    def farewell_sent(self) -> None:
        """Note that the other side of this connection has been sent a Close."""
        if cast("FrameScanner", self._frames).fault == PROTOCOL_ERROR:  # its answer would not be found
            self.end_writing()

    def _read_answer(self, data: bytes) -> None:
        """Look for the Close that answers ours."""
        frames = self._frames
        if frames is None or frames.fault == PROTOCOL_ERROR:
            return
        frames.accept_any_size()
        frames.stops = frames.stops_at_pongs = False
        data = self._held + data
        self._held = data[frames.scan(data) :]
        self.close_if_answered()

    def close_if_answered(self) -> None:
        """Close the connection if it has had a Close both ways (RFC 6455 section 7.1.1)."""
        if cast("FrameScanner", self._frames).close_code and self.peer.is_over:
            self.let_go()

    def is_open(self) -> bool:
        """Say whether the connection is neither lost nor about to be closed by us."""
        return not self.is_lost and not self.transport.is_closing()

    def end_writing(self) -> None:
        """Let the other side of this connection know that nothing more comes."""
        if not self.is_open():
            return
        self._writer.stop()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def is_alone(self, awaits_answer: bool) -> None:
        """Send nothing more to the peer, which is gone; close, or wait for the answer to a Close."""
        self.is_over = True
        self._is_plain = False
        if not awaits_answer:
            self.let_go()

    def let_go(self) -> None:
        """Close the connection when everything is sent."""
        if not self.is_lost:
            self._writer.stop()
            self.transport.close()

    def abort(self) -> None:
        """Break the connection off."""
        if not self.is_lost:
            self._writer.stop()
            self.transport.abort()

    def forget(self) -> None:
        """Let go of everything that leads back here."""
        self.peer = self.transport = self._tunnel = self._writer = None  # type: ignore[assignment]

    # What the ticker leads to.

    def ask(self, now: float) -> None:
        """Send a Ping to the other side of this connection, unless a frame is on its way there, or has to wait."""
        peer, frames = self.peer, cast("FrameScanner", self._frames)
        if peer.is_between_frames() and not self.is_full and self.is_open():
            frames.stops_at_pongs = True
            self.pinged_at = now
            self.write(ping_frame(OUR_PING, peer._mask()))  # noqa: SLF001 (of the same class)

    def is_between_frames(self) -> bool:
        """Say whether a frame of our own may be sent to the peer now."""
        return not (cast("FrameScanner", self._frames).left or self.is_over or self.has_ended)

    def is_busy(self, now: float, seconds: float) -> bool:
        """Say whether it is worth while to wait for the end of a frame, or of what is on its way to the other side."""
        return self.has_progressed(now) or (not self.is_over and now - self.moved_at < seconds)

    def has_progressed(self, now: float) -> bool:
        """Say whether the other side of this connection has read something since the last call."""
        if self.is_lost:
            return False
        sock = self.transport.get_extra_info("socket")
        unsent = -limits.delivered(0, self.transport, -1 if sock is None else sock.fileno())
        before, self._unsent = self._unsent, unsent
        if unsent == before:
            return False
        self.full_since = now
        return True

    def _mask(self) -> bytes:
        """Return the mask of a frame of ours that goes to the peer (RFC 6455 section 5.1)."""
        return os.urandom(4) if self._is_client else b""


def scanner(settings: WebSocket, agreement: "Agreement", *, is_masked: bool) -> FrameScanner | None:
    """Return what follows one direction; None if it has no frames."""
    if not agreement.is_websocket:
        return None
    return FrameScanner(
        is_masked=is_masked,
        has_extensions=agreement.has_extensions,
        most_frame=settings.frame_bytes,
        most_message=settings.message_bytes,
    )
