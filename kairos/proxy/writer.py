"""Write to a connection past its transport, as long as nothing waits there.

How it works: what the socket takes at once does not go through uvloop's transport, whose bookkeeping costs more than to
send it. A transport closes its socket only after it has called `connection_lost`, so that the descriptor is the
connection's until then.
"""

import asyncio

from kairos._speedups import send_now

MOST_BYTES = 64 << 10  # of more the socket may not take all, and what is left would have to be copied

_MOST_BYTES = MOST_BYTES


class Writer:
    """Writes to one transport, to which nobody else writes then."""

    __slots__ = ("_fd", "_is_behind", "_unsent", "_write")

    def __init__(self, transport: asyncio.Transport) -> None:
        """Something may wait in the transport already. Over TLS everything goes there."""
        sock = transport.get_extra_info("socket")
        is_plain = sock is not None and transport.get_extra_info("ssl_object") is None
        self._fd = sock.fileno() if is_plain else -1
        self._is_behind = True  # something may wait in the transport
        self._unsent = transport.get_write_buffer_size
        self._write = transport.write

    def write(self, data: bytes) -> None:
        """Send, now if that can be."""
        size = len(data)
        if self._fd < 0 or size > _MOST_BYTES or (self._is_behind and self._unsent()):
            self._is_behind = True
            self._write(data)
            return
        sent = send_now(self._fd, data)
        self._is_behind = sent < size
        if self._is_behind:  # or the connection is broken, which the transport will find, too
            self._write(data[sent:])

    def stop(self) -> None:
        """Leave it all to the transport, because it is to end or has ended."""
        self._fd = -1
