"""Follow the frames of a WebSocket without decoding them: where they end, and what must not be passed on.

How it works: `scan` says how much of what has arrived can be passed on. What can not, comes first in the next call: the
beginning of a header, or of a control frame. So what has been passed on ends inside the payload of a data frame
(`left` is what of that is to come), or between two frames, where frames of our own may stand. A frame that is at fault
is not passed on at all.
"""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN, RESERVED, OPCODE, MASKED, LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F  # RFC 6455 section 5.2
LONGEST_CONTROL = 125
LENGTH_16, LENGTH_64 = 126, 127
MASK_BYTES = 4

PROTOCOL_ERROR, NO_CODE, ABNORMAL, TOO_BIG, GOING_AWAY = 1002, 1005, 1006, 1009, 1001  # RFC 6455 section 7.4.1

# C integers when compiled, and then not seen from outside.
_BINARY, _CLOSE, _PONG = BINARY, CLOSE, PONG
_FIN, _RESERVED, _OPCODE, _MASKED, _LENGTH = FIN, RESERVED, OPCODE, MASKED, LENGTH
_LONGEST_CONTROL = LONGEST_CONTROL
_LENGTH_16, _LENGTH_64 = LENGTH_16, LENGTH_64
_MASK_BYTES = MASK_BYTES
_PROTOCOL_ERROR, _NO_CODE, _TOO_BIG = PROTOCOL_ERROR, NO_CODE, TOO_BIG


class Frames:
    """One direction of a WebSocket."""

    __slots__ = (
        "_has_extensions",
        "_is_masked",
        "_is_open",
        "_message",
        "_most_frame",
        "_most_message",
        "close_code",
        "fault",
        "left",
        "messages",
        "pong",
        "stops",
        "stops_at_pongs",
    )

    def __init__(self, *, is_masked: bool, has_extensions: bool, most_frame: int, most_message: int) -> None:
        """Frames from clients have to be masked, those from servers must not be. The sizes are in bytes.

        With extensions the reserved bits have a meaning of their own, and a size is that of the compressed data.
        """
        self._is_masked = is_masked
        self._has_extensions = has_extensions
        self._most_frame = most_frame
        self._most_message = most_message
        self._is_open = False  # a message has begun, and its last frame has not
        self._message = 0  # its size so far
        self.left = 0  # of the payload of the current frame
        self.messages = 0  # those whose last frame has begun, until the caller sets it back
        self.close_code = 0  # of the first Close; NO_CODE if it tells none
        self.fault = 0  # the code with which to close because of the frame that comes next
        self.pong = 0  # the size of the Pong that comes next
        self.stops = False  # at the end of the current frame, for the caller
        self.stops_at_pongs = False

    def scan(self, data: bytes) -> int:
        """Return how many bytes of `data` can be passed on."""
        size = len(data)
        if self.left > size:
            self.left -= size
            return size
        at = self.left
        self.left = 0
        self.pong = 0
        while at < size and not self.stops:
            step = self._next(data, at, size - at)
            if step == 0:
                break
            at += step
        return at

    def _next(self, data: bytes, at: int, size: int) -> int:
        """Return how much of the frame at `at` can be passed on; `size` bytes of it and of what follows are here."""
        if size < 2:
            return 0
        text = data  # a pointer when compiled
        first = text[at]
        opcode = first & _OPCODE
        has_mask = text[at + 1] >= _MASKED
        if has_mask != self._is_masked or (first & _RESERVED and not self._has_extensions):
            return self._refuse(_PROTOCOL_ERROR)
        if opcode >= _CLOSE:
            return self._next_control(data, at, size)
        if opcode > _BINARY or self._is_open != (opcode == 0):  # RFC 6455 section 5.4
            return self._refuse(_PROTOCOL_ERROR)
        return self._next_data(data, at, size)

    def _next_data(self, data: bytes, at: int, size: int) -> int:
        """Do the same for a data frame: nothing until its header is whole."""
        text = data  # a pointer when compiled
        length = text[at + 1] & _LENGTH
        wide = 2 if length == _LENGTH_16 else 8 if length == _LENGTH_64 else 0
        header = 2 + wide + (_MASK_BYTES if self._is_masked else 0)
        if size < header:
            return 0
        if wide == 2:
            length = text[at + 2] << 8 | text[at + 3]
        elif wide:
            given = int.from_bytes(data[at + 2 : at + 10], "big")
            if given > self._most_frame:  # before it becomes a C integer
                return self._refuse(_TOO_BIG)
            length = given
        if length > self._most_frame or length > self._most_message - self._message:
            return self._refuse(_TOO_BIG)
        self._is_open = text[at] < _FIN
        self._message = self._message + length if self._is_open else 0
        if not self._is_open:
            self.messages += 1
        if length > size - header:
            self.left = length - (size - header)
            return size
        return header + length

    def _next_control(self, data: bytes, at: int, size: int) -> int:
        """Do the same for a control frame: all of it or nothing (RFC 6455 section 5.5)."""
        text = data  # a pointer when compiled
        opcode, length = text[at] & _OPCODE, text[at + 1] & _LENGTH
        header = 2 + (_MASK_BYTES if self._is_masked else 0)
        if opcode > _PONG or text[at] < _FIN or length > _LONGEST_CONTROL or (opcode == _CLOSE and length == 1):
            return self._refuse(_PROTOCOL_ERROR)
        if size < header + length:
            return 0
        if opcode == _PONG and self.stops_at_pongs:
            self.pong = header + length
            return 0
        if opcode == _CLOSE and not self.close_code:
            self.close_code = _NO_CODE
            if length:
                high, low = text[at + header], text[at + header + 1]
                if self._is_masked:
                    high, low = high ^ text[at + 2], low ^ text[at + 3]
                self.close_code = high << 8 | low
        return header + length

    def _refuse(self, code: int) -> int:
        self.fault = code
        return 0

    def accept_any_size(self) -> None:
        """Look for the end of what was too large, which the caller does not pass on."""
        self.fault = 0
        self._most_frame = self._most_message = 1 << 62
