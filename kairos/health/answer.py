"""Read the answer to a health check. No I/O: callers pass what has arrived."""

from kairos._speedups import head_end
from kairos.errors import UpstreamError
from kairos.protocols.http1.chunked import ChunkedReader, MalformedChunk
from kairos.protocols.http1.head import CHUNKED, UNTIL_CLOSE, ResponseHead

MOST_HEAD_BYTES = 32 << 10
MOST_BODY_BYTES = 64 << 10  # so much of a body is looked at, and more is not waited for


class Unwell(Exception):
    """A backend has not answered as it should; the message tells how."""


class Answer:
    """One response to a GET request: `status` is 0 before its head is there, `body` is the beginning of its body."""

    __slots__ = ("_chunks", "_head", "_left", "body", "status")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0  # bytes of the body that are to come, or CHUNKED, or UNTIL_CLOSE
        self._chunks: ChunkedReader | None = None
        self.status = 0
        self.body = bytearray()

    def feed(self, data: bytes) -> bool:
        """Take what has arrived; say whether the answer is complete, as far as it is looked at. Raises Unwell."""
        try:
            if not self.status:
                data = self._read_head(data)
            return bool(self.status) and self._read_body(data)
        except (UpstreamError, MalformedChunk) as error:
            raise Unwell(f"the answer cannot be read: {error}") from None

    def end(self) -> None:
        """Take the end of the connection, before the answer was complete. Raises Unwell unless it completes it."""
        if not self.status:
            raise Unwell("the answer was cut short" if self._head else "the connection was closed without an answer")
        if self._left != UNTIL_CLOSE:
            raise Unwell("the answer was cut short")

    def _read_head(self, data: bytes) -> bytes:
        """Look for the end of the head; return what follows it. Interim answers are passed over."""
        self._head += data
        while (end := head_end(self._head, 0)) >= 0:
            head, rest = ResponseHead(self._head[:end], False), self._head[end:]
            if head.status >= 200 or head.status == 101:
                self.status, self._left = head.status, head.body_length
                if self._left == CHUNKED:
                    self._chunks = ChunkedReader()
                return rest
            self._head = rest
        if len(self._head) > MOST_HEAD_BYTES:
            raise Unwell(f"the head of the answer is longer than {MOST_HEAD_BYTES} bytes")
        return b""

    def _read_body(self, data: bytes) -> bool:
        if self._chunks is not None:
            pieces, _ = self._chunks.feed(data)
            self.body += b"".join(pieces)
            is_whole = self._chunks.is_complete
        elif self._left == UNTIL_CLOSE:
            self.body += data
            is_whole = False
        else:
            self.body += data[: self._left]
            self._left = max(self._left - len(data), 0)
            is_whole = self._left == 0
        is_enough = len(self.body) >= MOST_BODY_BYTES
        del self.body[MOST_BODY_BYTES:]
        return is_whole or is_enough
