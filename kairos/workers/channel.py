"""What the supervisor and one of its processes say to each other, over a socketpair.

A frame is a length, the number of descriptors that belong to the message, and the message as JSON. Descriptors travel
by SCM_RIGHTS with the first byte of their frame, so they are here when the frame is complete, and in order. One read
returns those of one frame at most; of a receiver that has no room for them the kernel drops them.
"""

import array
import os
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Self

import orjson

MAX_MESSAGE_BYTES = 1 << 20
MAX_FDS = 16  # in one message
_READ_BYTES = 1 << 16
_FRAME = Struct("=IH")


class ChannelError(Exception):
    """The other side sent what is no message, or we tried to."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `type` says what it is about. Whoever receives it owns `fds`.

    `lost_fds` says that it has no descriptors because this process has too many open files to take them.
    """

    type: str
    fields: Mapping[str, Any]
    fds: tuple[int, ...] = ()
    lost_fds: bool = False


class Channel:
    """One end. Never blocks: `receive` when readable, `flush` when writable and `has_backlog`.

    It owns a raw socket, because asyncio's transports would drop the descriptors.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._received = bytearray()
        self._received_fds: deque[list[int] | None] = deque()  # by frame; None if the kernel dropped some
        self._backlog: deque[tuple[memoryview, list[int]]] = deque()
        self.at_eof = False

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        """Return both ends of a new channel."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(one), cls(other)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    @property
    def has_backlog(self) -> bool:
        """Say whether `flush` must be called when the socket is writable."""
        return bool(self._backlog)

    def send(self, kind: str, fds: Sequence[int] = (), **fields: Any) -> None:
        """Send a message of type `kind`, now or later. The caller keeps `fds`; at the end of file nothing happens."""
        data = orjson.dumps({"type": kind, **fields})
        if len(data) > MAX_MESSAGE_BYTES or len(fds) > MAX_FDS:
            raise ChannelError(f"the message {kind!r} is too large: {len(data)} bytes and {len(fds)} descriptors")
        if not self.at_eof:
            frame = _FRAME.pack(len(data), len(fds)) + data
            self._backlog.append((memoryview(frame), [os.dup(fd) for fd in fds]))
            self.flush()

    def flush(self) -> None:
        """Write as much as the socket takes."""
        try:
            while self._backlog:
                data, fds = self._backlog[0]
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
                sent = self._socket.sendmsg([data], rights)
                _close(fds)
                if sent < len(data):
                    self._backlog[0] = (data[sent:], [])
                else:
                    self._backlog.popleft()
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            self._drop_backlog()  # the other side is gone; `receive` still has what it said last

    def finish(self) -> None:
        """Write everything, however long that takes; for a process that is about to end."""
        if self._backlog:
            self._socket.setblocking(True)
            self.flush()

    def receive(self) -> list[Message]:
        """Return the complete messages that have arrived; sets `at_eof` when the other side is gone."""
        try:
            while self._read() and len(self._received) <= MAX_MESSAGE_BYTES:
                pass
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.at_eof = True
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def close(self) -> None:
        """Close this end, and every descriptor that nobody took."""
        self._drop_backlog()
        for fds in self._received_fds:
            _close(fds or [])
        self._received_fds.clear()
        self._socket.close()

    def _read(self) -> bool:
        """Read once; say whether there may be more."""
        space = socket.CMSG_SPACE(MAX_FDS * array.array("i").itemsize)
        data, ancillary, flags, _ = self._socket.recvmsg(_READ_BYTES, space, socket.MSG_CMSG_CLOEXEC)
        fds: list[int] = []
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.extend(array.array("i", content))
        if flags & socket.MSG_CTRUNC:
            _close(fds)
            self._received_fds.append(None)
        elif fds:
            self._received_fds.append(fds)
        self._received += data
        self.at_eof = not data
        return bool(data)

    def _next(self) -> Message | None:
        """Take one complete message off what was received."""
        if len(self._received) < _FRAME.size:
            return None
        length, fd_count = _FRAME.unpack_from(self._received)
        if length > MAX_MESSAGE_BYTES or fd_count > MAX_FDS:
            raise ChannelError(f"a frame of {length} bytes and {fd_count} descriptors is no message")
        end = _FRAME.size + length
        if len(self._received) < end:
            return None
        if fd_count and not self._received_fds:
            raise ChannelError("a message came without its descriptors")
        fields = _decoded(self._received[_FRAME.size : end])
        del self._received[:end]
        fds = self._received_fds.popleft() if fd_count else []
        if fds is None:
            return Message(fields.pop("type"), fields, lost_fds=True)
        if len(fds) != fd_count:
            _close(fds)
            raise ChannelError("a message came with descriptors that are not its own")
        return Message(fields.pop("type"), fields, tuple(fds))

    def _drop_backlog(self) -> None:
        for _, fds in self._backlog:
            _close(fds)
        self._backlog.clear()


def _decoded(data: bytearray) -> dict[str, Any]:
    """Return the fields of a message, `type` among them."""
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ChannelError(f"a message is not JSON: {error}") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        raise ChannelError("a message has no type")
    return fields


def _close(fds: list[int]) -> None:
    while fds:
        os.close(fds.pop())
