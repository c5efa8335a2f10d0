"""A connection over TLS as asyncio has connections: a transport that reads and writes with OpenSSL at once.

How it works: OpenSSL holds the socket itself, so that one call reads a record, or encrypts and sends it. The poller
tells only when the socket can be read, or written again after it was full; there is no copy between buffers, and no
task. OpenSSL takes no more from the kernel than the record that it returns, so that the poller sees all that is left.
"""

import asyncio
import socket
from ssl import SSLEOFError, SSLWantReadError, SSLWantWriteError, SSLZeroReturnError
from typing import TYPE_CHECKING, Any

from kairos.proxy.poller import IN, OUT, OVER

if TYPE_CHECKING:
    from kairos.proxy.poller import Poller

RECORD_BYTES = 16 << 10  # RFC 8446 section 5.1: the most that one record carries
RECORDS = 4  # read before others get their turn
BUFFER_HIGH, BUFFER_LOW = 64 << 10, 16 << 10

_RECORD_BYTES = RECORD_BYTES
_BUFFER = bytearray(RECORD_BYTES)  # what is in it is copied before anyone else can read
# Whether our side ends: not, as soon as everything is sent, it has, or the whole connection does.
_OPEN, _ENDS, _ENDED, _CLOSES = range(4)
_IN, _OUT, _OVER = IN, OUT, OVER


class TlsTransport:
    """The transport of a socket whose handshake is done."""

    __slots__ = (
        "_end",
        "_events",
        "_fd",
        "_high",
        "_is_deaf",
        "_is_full",
        "_is_lost",
        "_is_over",
        "_is_reading",
        "_loop",
        "_low",
        "_peer",
        "_poller",
        "_protocol",
        "_read",
        "_read_waits",
        "_received",
        "_socket",
        "_ssl",
        "_waiting",
        "_waiting_bytes",
        "_write",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        connection: Any,
        peer: object,
        poller: "Poller",
    ) -> None:
        """Do nothing before `start`. `connection` is OpenSSL's, `peer` the address of the other end.

        The poller watches for `IN`; until `start` it tells somebody else.
        """
        self._loop = loop
        self._socket = sock
        self._fd = sock.fileno()
        self._peer = peer
        self._poller = poller
        self._ssl = connection
        self._read = connection.read
        self._write = connection.write
        self._protocol: Any = None
        self._received: Any = None
        self._high, self._low = BUFFER_HIGH, BUFFER_LOW
        self._end = _OPEN
        self._events = _IN  # that the poller tells of
        self._is_deaf = False  # OpenSSL reads nothing more
        self._is_full = False
        self._is_lost = False
        self._is_over = False  # both ways; there may be something left to read
        self._is_reading = True
        self._read_waits = False  # OpenSSL has to write before it can read
        self._waiting: list[memoryview] = []  # what the kernel has not taken yet
        self._waiting_bytes = 0

    def start(self, protocol: Any) -> None:
        """Hand the connection to its protocol, and read."""
        self._poller.hand_over(self._fd, self)
        self.set_protocol(protocol)
        protocol.connection_made(self)

    # What asyncio's transports have.

    def set_protocol(self, protocol: Any) -> None:
        """Tell this protocol what happens from now on."""
        self._protocol = protocol
        self._received = protocol.data_received

    def get_protocol(self) -> Any:
        """Return who is told."""
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the connection: `peername`, `sockname`, `socket` or `ssl_object`."""
        if name == "peername":
            return self._peer
        if name == "sockname":
            return self._socket.getsockname()
        if name == "socket":
            return self._socket
        return self._ssl if name == "ssl_object" else default

    def is_closing(self) -> bool:
        """Say whether nothing can be written any more."""
        return self._is_lost or self._end == _CLOSES

    def is_reading(self) -> bool:
        """Say whether the protocol gets what arrives."""
        return self._is_reading and not self.is_closing()

    def pause_reading(self) -> None:
        """Leave what arrives in the kernel."""
        if self._is_reading and not self._is_lost:
            self._is_reading = False
            self._watch(self._events & ~_IN)

    def resume_reading(self) -> None:
        """Go on reading."""
        if not self._is_reading and not self._is_lost and self._end != _CLOSES:
            self._is_reading = True
            if self._is_over:
                self._loop.call_soon(self._readable)
            elif not self._read_waits:
                self._watch(self._events | _IN)

    def set_write_buffer_limits(self, high: int = BUFFER_HIGH, low: int = BUFFER_LOW) -> None:
        """Pause the protocol above `high` bytes, and resume it at `low`."""
        self._high, self._low = high, low

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the kernel has not taken yet."""
        return self._waiting_bytes

    def write(self, data: bytes) -> None:
        """Send bytes, now or as soon as the kernel takes them."""
        size = len(data)
        if self._is_lost or self._end != _OPEN or not size:
            return
        sent = 0
        if not self._waiting:
            sent = self._send(data, size)
            if sent == size or self._is_lost:
                return
            self._watch(self._events | _OUT)
        self._waiting.append(memoryview(data)[sent:])
        self._waiting_bytes += size - sent
        if self._waiting_bytes > self._high and not self._is_full:
            self._is_full = True
            self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        """Say whether our side can end before the other."""
        return True

    def write_eof(self) -> None:
        """End our side as soon as everything is sent. The peer can go on, unless something comes in that very moment.

        OpenSSL's connection does not survive that; then what still arrives is dropped.
        """
        if not self._is_lost and self._end == _OPEN:
            self._end = _ENDS
            if not self._waiting:
                self._say_goodbye()

    def close(self) -> None:
        """Close as soon as everything is sent."""
        if self._is_lost or self._end == _CLOSES:
            return
        has_ended = self._end == _ENDED
        self._end = _CLOSES
        self._is_reading = False
        if has_ended:
            self._finish(None)
        elif not self._waiting:
            self._say_goodbye()
        else:
            self._watch(self._events & ~_IN)

    def abort(self) -> None:
        """Close now: without close_notify, so that the other end knows that something is missing."""
        self._finish(None)

    # What the poller calls.

    def ready(self, events: int) -> None:
        """Read and write what can be. When the connection is over, each step leads to the next without the poller."""
        if events & _OVER:
            self._is_over = True
        try:
            if events & (_OUT | _OVER) and self._events & _OUT:
                self._writable()
            if events & (_IN | _OVER):
                self._readable()
        finally:
            if events & _OVER and not self._is_lost:  # or it would be told again and again
                self._poller.forget(self._fd)

    def _watch(self, events: int) -> None:
        """Have these events told."""
        if events != self._events and not self._is_over and not self._is_lost:
            self._events = events
            self._poller.change(self._fd, events)

    # Reading.

    def _readable(self) -> None:
        """Take what has arrived."""
        if self._is_deaf:
            self._discard()
            return
        buffer = _BUFFER  # a pointer when compiled
        for _ in range(RECORDS):
            if not self._is_reading or self._is_lost:
                return
            try:
                size = int(self._read(_RECORD_BYTES, _BUFFER))
            except SSLWantReadError:
                break
            except SSLWantWriteError:
                self._read_after_writing()
                return
            except OSError as error:
                self._read_failed(error)
                return
            if not size:
                self._ended()
                return
            try:
                self._received(bytes(buffer[:size]))
            except Exception as error:
                self._finish(error)  # nobody knows what state the protocol is in
                raise  # a defect: the loop's exception handler logs it
            if size < _RECORD_BYTES:
                break
        if self._is_over:
            self._loop.call_soon(self._readable)

    def _read_after_writing(self) -> None:
        """Let OpenSSL write first, which it wants in the middle of a read if the peer asks for new keys."""
        self._read_waits = True
        self._watch(_OUT)

    def _read_failed(self, error: OSError) -> None:
        if isinstance(error, (SSLEOFError, SSLZeroReturnError)):
            self._ended()
        else:
            self._finish(error)

    def _ended(self) -> None:
        """The other end sends nothing more."""
        if self._protocol.eof_received() and self._end == _OPEN:
            self.pause_reading()
        else:
            self.close()

    def _discard(self) -> None:
        """Read only so that the peer can go on to our end: nobody can decrypt any more what comes."""
        if not self._is_reading or self._is_lost:
            return
        try:
            data = self._socket.recv(4 * _RECORD_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._ended()
        elif self._is_over:
            self._loop.call_soon(self._readable)

    # Writing.

    def _send(self, data: Any, size: int) -> int:
        """Give OpenSSL what the kernel takes, record by record; return how much that was.

        OpenSSL tells of nothing before it has sent all that it was given: who reads slowly would seem to read nothing.
        """
        sent = 0
        try:
            if size <= _RECORD_BYTES:
                return int(self._write(data))
            view = memoryview(data)
            while sent < size:
                sent += self._write(view[sent : sent + _RECORD_BYTES])
        except SSLWantWriteError:
            pass
        except OSError as error:
            self._finish(error)
        return sent

    def _writable(self) -> None:
        """Send what waits."""
        while self._waiting:
            piece = self._waiting[0]
            size = len(piece)
            sent = self._send(piece, size)
            if self._is_lost:
                return
            self._waiting_bytes -= sent
            if sent < size:
                self._waiting[0] = piece[sent:]
                break
            del self._waiting[0]
        if not self._waiting:
            self._watch(self._events & ~_OUT)
        if self._read_waits:
            self._read_waits = False
            if self._is_reading:
                self._watch(self._events | _IN)
                self._readable()
        if self._is_full and self._waiting_bytes <= self._low:
            self._is_full = False
            self._protocol.resume_writing()
        if self._end != _OPEN and not self._waiting and not self._is_lost:
            self._say_goodbye()

    # Ends.

    def _say_goodbye(self) -> None:
        """Send close_notify (RFC 8446 section 6.1), and end our side or the connection."""
        try:
            self._ssl.shutdown()
        except SSLWantReadError:
            pass  # it has looked for the peer's, which has not come
        except SSLWantWriteError:
            self._watch(_OUT if self._end == _CLOSES else self._events | _OUT)
            return
        except (OSError, ValueError):
            self._is_deaf = True
        if self._end == _CLOSES:
            self._finish(None)
            return
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._finish(error)
            return
        self._end = _ENDED

    def _finish(self, error: Exception | None) -> None:
        """Let go of the socket; the protocol is told a moment later, as asyncio does it."""
        if self._is_lost:
            return
        self._is_lost = True
        self._poller.closes(self._fd)
        self._waiting.clear()
        self._waiting_bytes = 0
        self._loop.call_soon(self._lose, error)

    def _lose(self, error: Exception | None) -> None:
        protocol, self._protocol, self._received = self._protocol, None, None
        try:
            protocol.connection_lost(error)
        finally:
            self._socket.close()
