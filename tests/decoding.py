"""What a client does with a compressed body."""

import zlib

import brotli
import zstandard


class Decoder:
    """Decode piece by piece. `is_whole` says whether the body has come to its end."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        if coding == "gzip":
            self._gzip = zlib.decompressobj(31)
        elif coding == "br":
            self._brotli = brotli.Decompressor()
        else:
            self._zstd = zstandard.ZstdDecompressor(max_window_size=8 << 20).decompressobj()

    @property
    def is_whole(self) -> bool:
        if self._coding == "br":
            return bool(self._brotli.is_finished())
        return self._gzip.eof if self._coding == "gzip" else self._zstd.eof

    def feed(self, data: bytes) -> bytes:
        """Return all that can be read so far and was not returned before."""
        if self._coding == "gzip":
            return self._gzip.decompress(data)
        if self._coding == "br":
            pieces = [self._brotli.process(data)]
            while pieces[-1]:  # it gives so much at a time
                pieces.append(self._brotli.process(b""))
            return b"".join(pieces)
        return self._zstd.decompress(data)


def decoded(coding: str, body: bytes) -> bytes:
    """Decode a whole body, and demand that it is whole and nothing follows."""
    decoder = Decoder(coding)
    data = decoder.feed(body)
    assert decoder.is_whole
    if coding == "gzip":
        assert decoder._gzip.unused_data == b""
    elif coding == "zstd":
        assert decoder._zstd.unused_data == b""
    return data
