"""Event streams (HTML Living Standard, section 9.2): where an event ends."""

import re

_NO_EVENT = re.compile(rb"(?:(?::[^\r\n]*)?(?:\r\n?|\n))*")  # comments and empty lines; a line ends with CRLF, LF or CR
_REMEMBERED = 4  # bytes: the first one tells an event from a comment, the last ones may begin an empty line


class EventStream:
    """Tell whether a stream is between events, where it can end without a client losing a part of one.

    How it works: `_rest` stands for what has come since the last event ended, but for whole comments. In its middle
    nothing matters, so it is kept short.
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    @property
    def is_between(self) -> bool:
        """Say whether no event has begun that has not ended."""
        return not self._rest

    def take(self, data: bytes) -> int:
        """Take the next bytes, however they are cut; return how many of them no unfinished event or comment needs."""
        if data[-2:] == b"\n\n":  # the usual case
            self._rest = b""
            return len(data)
        text = self._rest + data
        end = max(text.rfind(b"\n\n"), text.rfind(b"\n\r"), text.rfind(b"\r\r"))
        whole = _NO_EVENT.match(text, end + 2 if end >= 0 else 0).end()  # type: ignore[union-attr]  # it always matches
        rest = text[whole:]
        self._rest = rest if len(rest) <= _REMEMBERED else rest[:1] + rest[1 - _REMEMBERED :]
        return max(len(data) - len(rest), 0)
