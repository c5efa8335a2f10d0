"""The body of a request: where it ends, and how it is framed for a backend."""

from typing import TYPE_CHECKING

from kairos.errors import BadRequest, PayloadTooLarge
from kairos.protocols.http1 import chunked
from kairos.protocols.http1.chunked import ChunkedReader, MalformedChunk
from kairos.protocols.http1.fields import trailer_section
from kairos.traffic.transform_json import UnfitBody

if TYPE_CHECKING:
    from kairos.traffic.transform_json import JsonChange


class RequestBody:
    """A body that arrives in pieces. `left` is the number of bytes still to come, or CHUNKED (negative)."""

    __slots__ = ("_change", "_chunks", "_connection", "_left", "_most", "is_complete", "received")

    def __init__(
        self, left: int, most: int, connection: bytes | None = None, change: "JsonChange | None" = None
    ) -> None:
        """`most` is how long a chunked body may be; a counted one has been checked by its length.

        `connection` is the value of the request's Connection field, `change` what the body goes through. A body that
        comes out changed is not chunked.
        """
        self._change = change
        self._connection = connection
        self._left = left
        self._most = most
        self._chunks = ChunkedReader() if left < 0 else None
        self.received = 0
        self.is_complete = False

    def feed(self, data: bytes) -> tuple[bytes, int]:
        """Return what to send to the backend, and how many bytes of `data` belong to the body.

        Chunks are framed anew, so that no odd framing reaches a backend. Raises BadRequest and PayloadTooLarge.
        """
        if self._chunks is not None:
            return self._feed_chunks(self._chunks, data)
        if len(data) > self._left:
            data = data[: self._left]
        self._left -= len(data)
        self.received += len(data)
        self.is_complete = self._left == 0
        return data if self._change is None else self._changed(self._change, data), len(data)

    def _feed_chunks(self, chunks: ChunkedReader, data: bytes) -> tuple[bytes, int]:
        try:
            pieces, used = chunks.feed(data)
        except MalformedChunk as error:
            raise BadRequest(f"The chunked body is malformed: {error}", reason="malformed_chunk") from None
        self.received += sum(map(len, pieces))
        if self.received > self._most:
            raise PayloadTooLarge(self.received, self._most)
        self.is_complete = chunks.is_complete
        if self._change is not None:
            pieces = [self._changed(self._change, b"".join(pieces))]
            if self._change.is_changed:
                return pieces[0], used
        framed = chunked.encode(pieces)
        if chunks.is_complete:
            framed += chunked.last_chunk(trailer_section(chunks.trailers, self._connection, drops_underscores=True))
        return framed, used

    def _changed(self, change: "JsonChange", data: bytes) -> bytes:
        try:
            passed = change.feed(data)
            return passed + change.finish() if self.is_complete else passed
        except UnfitBody as error:
            raise error.as_request() from None
