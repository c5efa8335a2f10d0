"""The content codings: gzip (RFC 1952), br (RFC 7932) and zstd (RFC 8878), each of one body, piece by piece.

The modules for br and zstd are imported with the first encoder: a gateway that compresses nothing has no need of them.
"""

import zlib
from typing import Any, Protocol

GZIP_HEADER = 16  # added to the bits of a window
LARGEST_WINDOW = 18  # bits, for br: more helps little, and every open stream has one
STREAM_BYTES = 1 << LARGEST_WINDOW - 1  # for how long a body of unknown length is taken

INLINE_BYTES = 16 << 10
"""Up to so many bytes are compressed at once by a fast level: about as long as a thread takes to be told of them."""
FAST_LEVELS = {b"gzip": 6, b"br": 5, b"zstd": 6}
"""The last levels that compress tens of megabytes in a second."""


class Encoder(Protocol):
    """One body. Not for two threads at a time."""

    def feed(self, data: bytes, *, flush: bool) -> bytes:
        """Take a piece; return what can go on, which after a flush is all that the other side needs to read it."""

    def finish(self, data: bytes) -> bytes:
        """Take the last piece; return the rest."""


class Gzip:
    """The coding gzip. A short body gets a small window, which is made much faster."""

    __slots__ = ("_stream",)

    def __init__(self, level: int, length: int | None) -> None:
        window = 15 if length is None else min(max(length.bit_length(), 9), 15)
        self._stream = zlib.compressobj(level, zlib.DEFLATED, GZIP_HEADER + window, 8 if window == 15 else 7)

    def feed(self, data: bytes, *, flush: bool) -> bytes:
        """Take a piece."""
        made = self._stream.compress(data)
        return made + self._stream.flush(zlib.Z_SYNC_FLUSH) if flush else made

    def finish(self, data: bytes) -> bytes:
        """Take the last piece."""
        return self._stream.compress(data) + self._stream.flush()


class Brotli:
    """The coding br."""

    __slots__ = ("_stream",)

    def __init__(self, level: int, length: int | None) -> None:
        import brotli

        window = LARGEST_WINDOW if length is None else min(max(length.bit_length(), 10), LARGEST_WINDOW)
        self._stream = brotli.Compressor(quality=level, lgwin=window)

    def feed(self, data: bytes, *, flush: bool) -> bytes:
        """Take a piece."""
        made: bytes = self._stream.process(data)
        return made + self._stream.flush() if flush else made

    def finish(self, data: bytes) -> bytes:
        """Take the last piece."""
        made: bytes = self._stream.process(data) + self._stream.finish()
        return made


class Zstd:
    """The coding zstd, with windows of at most 8 MiB (RFC 9659)."""

    __slots__ = ("_flush", "_stream")

    def __init__(self, level: int, length: int | None) -> None:
        import zstandard

        self._flush = zstandard.COMPRESSOBJ_FLUSH_BLOCK
        if length is None:
            parameters = zstandard.ZstdCompressionParameters.from_level(level, source_size=STREAM_BYTES)
            self._stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        else:
            self._stream = zstandard.ZstdCompressor(level=level).compressobj(size=length)

    def feed(self, data: bytes, *, flush: bool) -> bytes:
        """Take a piece."""
        made = self._stream.compress(data)
        return made + self._stream.flush(self._flush) if flush else made

    def finish(self, data: bytes) -> bytes:
        """Take the last piece."""
        return self._stream.compress(data) + self._stream.flush()


ENCODERS: dict[bytes, Any] = {b"br": Brotli, b"zstd": Zstd, b"gzip": Gzip}


def encoder(coding: bytes, level: int, length: int | None) -> Encoder:
    """Begin with a body of exactly `length` bytes; None is any number."""
    made: Encoder = ENCODERS[coding](level, length)
    return made


def inline_bytes(coding: bytes, level: int) -> int:
    """Return how many bytes may be compressed at once; more would hold up what waits."""
    return INLINE_BYTES if level <= FAST_LEVELS[coding] else 0
