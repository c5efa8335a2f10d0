"""The chunked transfer coding (RFC 9112 section 7.1)."""

from collections.abc import Sequence

import httptools

LAST_CHUNK = b"0\r\n\r\n"
MOST_FRAMING = 64 << 10  # bytes of chunk extensions or trailers in a row


class MalformedChunk(Exception):
    """The framing of a chunked body is broken."""


def encode(pieces: Sequence[bytes]) -> bytes:
    """Write the pieces as one chunk; nothing for nothing, because an empty chunk would end the body."""
    size = sum(map(len, pieces))
    return b"".join((b"%x\r\n" % size, *pieces, b"\r\n")) if size else b""


def last_chunk(trailers: bytes) -> bytes:
    """Write the end of a body, with whole lines of trailer fields."""
    return b"0\r\n%b\r\n" % trailers if trailers else LAST_CHUNK


class _Body:
    """What the parser has found; apart from the reader, so that no reference cycle keeps either alive."""

    __slots__ = ("complete", "pieces", "trailers")

    def __init__(self) -> None:
        self.complete = False
        self.pieces: list[bytes] = []
        self.trailers: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.trailers.append((name, value))

    def on_body(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def on_message_complete(self) -> None:
        self.complete = True


class ChunkedReader:
    """Find the end of a chunked body, its data, and its trailer fields.

    How it works: llhttp tells no positions, but a body can only end at an empty line. So the data is fed up to each
    CRLFCRLF in turn, wherever reads have cut it, and what follows the piece that completed the body belongs to the
    next message. Chunk extensions are validated and dropped.
    """

    __slots__ = ("_body", "_framing", "_parser", "_tail")

    def __init__(self) -> None:
        self._body = _Body()
        self._parser = httptools.HttpRequestParser(self._body)
        self._parser.feed_data(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        self._body.trailers.clear()
        self._framing = 0  # bytes since the last data: llhttp would collect trailers without end
        self._tail = b""  # the last 3 bytes fed: an empty line may be cut anywhere

    @property
    def is_complete(self) -> bool:
        """Say whether the last chunk and its trailer section have been read."""
        return self._body.complete

    @property
    def trailers(self) -> list[tuple[bytes, bytes]]:
        """Return the trailer fields, once the body is complete."""
        return self._body.trailers

    def feed(self, data: bytes) -> tuple[list[bytes], int]:
        """Take the next bytes; return the body's data in them, and how many of them belong to the body.

        Raises MalformedChunk.
        """
        at = 0
        try:
            while at < len(data) and not self._body.complete:
                end = self._next_end(data, at)
                self._parser.feed_data(data[at:end])
                at = end
        except httptools.HttpParserError as error:
            raise MalformedChunk(str(error)) from None
        self._tail = (self._tail + data[-3:])[-3:]
        pieces, self._body.pieces = self._body.pieces, []
        self._framing = 0 if pieces else self._framing + at
        if self._framing > MOST_FRAMING:
            raise MalformedChunk("the chunk extensions or trailers are too long")
        return pieces, at

    def _next_end(self, data: bytes, at: int) -> int:
        """Return the end of the next piece that could complete the body."""
        if at == 0:
            end = (self._tail + data[:3]).find(b"\r\n\r\n")
            if end >= 0:
                return end + 4 - len(self._tail)
        end = data.find(b"\r\n\r\n", max(at - 3, 0))
        return end + 4 if end >= 0 else len(data)
