"""Where answers are compressed: short pieces at once, and long ones in a few threads beside the loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from kairos.errors import KairosError
from kairos.protocols.http1.head import RequestHead, ResponseHead
from kairos.traffic.compression import NOT_MODIFIED, OF_THE_CONTENT, Coding, Compression, revalidated
from kairos.traffic.encoders import Encoder

if TYPE_CHECKING:
    from kairos.proxy.answer import Answer
    from kairos.proxy.exchange import Exchange

Trailers = list[tuple[bytes, bytes]] | None

MAX_THREADS = 2  # an answer has one piece in them at a time, and its backend waits meanwhile


class Threads(Protocol):
    """Where what takes long is done."""

    def run(self, job: Callable[[], bytes]) -> "asyncio.Future[bytes]":
        """Do it, and say what came of it."""


class EncodingThreads:
    """The threads of one worker. They are started with the first job."""

    __slots__ = ("_loop", "_pool")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pool: ThreadPoolExecutor | None = None

    def run(self, job: Callable[[], bytes]) -> "asyncio.Future[bytes]":
        """Do a job, after those that came before."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(MAX_THREADS, "encoding")
        return self._loop.run_in_executor(self._pool, job)


class Compressor:
    """How the answers of a route are compressed, and where."""

    __slots__ = ("policy", "threads")

    def __init__(self, policy: Compression, threads: Threads) -> None:
        self.policy = policy
        self.threads = threads


def encoded(compressor: Compressor, request: RequestHead, head: ResponseHead) -> "tuple[ResponseHead, Encoding | None]":
    """Return the head of an answer, and the encoding of its body if that is compressed: then the head is not final."""
    if head.status == NOT_MODIFIED:
        raw = revalidated(request, head.raw)
        return (head if raw is head.raw else ResponseHead(raw, to_head=True)), None
    coding = compressor.policy.coding(request, head)
    if coding is None:
        return head, None
    to_head = request.method == b"HEAD"
    if to_head and coding.name:
        return ResponseHead(coding.head(), to_head), None
    if coding.name:
        return head, Encoding(coding, compressor.threads)
    return ResponseHead(coding.plain_head(), to_head), None


class Encoding:
    """The body of one answer on its way through an encoder.

    How it works: `piece` and `last_piece` return what can be sent at once. A long piece goes into a thread, and until
    it comes back the backend is not read from; what it has sent already waits. The head is made with the first piece;
    if that is the last as well, the body is short enough to be left alone, or else its length is known to the client.
    """

    __slots__ = ("_coding", "_encoder", "_is_over", "_is_whole", "_threads", "_trailers", "_waiting", "is_busy")

    def __init__(self, coding: Coding, threads: Threads) -> None:
        self._coding = coding
        self._threads = threads
        self._encoder: Encoder | None = None  # until there is something to encode
        self._is_whole = False  # the body came in one piece, so that the head waits until it is encoded
        self._is_over = False  # the last piece is here
        self._trailers: Trailers = None
        self._waiting: list[bytes] = []  # what came while a piece was in a thread
        self.is_busy = False

    def piece(self, answer: "Answer", exchange: "Exchange", data: bytes) -> bytes:
        """Take a piece of the body; return what to send."""
        if not data and not self._coding.is_event_stream:
            return b""
        if self._encoder is None:
            self._encoder = self._coding.encoder(self._coding.length)
            answer.frame(exchange, ResponseHead(self._coding.head(), to_head=False))
        if not data:  # a client wants to know that the stream is there, even if nothing happens on it for long
            return answer.framed(exchange, b"")
        return self._encode(answer, exchange, data)

    def last_piece(self, answer: "Answer", exchange: "Exchange", data: bytes, trailers: Trailers) -> bytes:
        """Take the last piece of the body."""
        coding = self._coding
        if self._encoder is None and len(data) < coding.min_bytes:
            answer.frame(exchange, ResponseHead(coding.plain_head(), to_head=False))
            return answer.last_framed(exchange, data, trailers)
        self._is_over = True
        self._trailers = [(name, value) for name, value in trailers or () if name.lower() not in OF_THE_CONTENT]
        if self._encoder is None:
            self._encoder = coding.encoder(len(data))
            self._is_whole = True
        return self._encode(answer, exchange, data)

    def _encode(self, answer: "Answer", exchange: "Exchange", data: bytes) -> bytes:
        """Encode a piece here and now, or begin to do so elsewhere."""
        if self.is_busy:
            self._waiting.append(data)
            return b""
        is_last = self._is_over
        if len(data) <= self._coding.inline_bytes:
            return self._made(answer, exchange, self._run(data, is_last), is_last)
        self.is_busy = True
        if exchange.upstream is not None:
            exchange.upstream.pause_reading()
        future = self._threads.run(lambda: self._run(data, is_last))
        future.add_done_callback(lambda done: self._done(answer, exchange, done, is_last))
        return b""

    def _run(self, data: bytes, is_last: bool) -> bytes:
        encoder: Encoder = self._encoder  # type: ignore[assignment]
        return encoder.finish(data) if is_last else encoder.feed(data, flush=self._coding.is_flushed)

    def _made(self, answer: "Answer", exchange: "Exchange", data: bytes, is_last: bool) -> bytes:
        """Return what the encoder has made as it is sent."""
        if not is_last:
            return answer.framed(exchange, data) if data else b""
        if self._is_whole:
            length = None if self._trailers and exchange.head.takes_trailers else len(data)
            answer.frame(exchange, ResponseHead(self._coding.head(length), to_head=False))
        return answer.last_framed(exchange, data, self._trailers)

    def _done(self, answer: "Answer", exchange: "Exchange", done: "asyncio.Future[bytes]", is_last: bool) -> None:
        """Go on with what a thread has made, unless nobody waits for it any more."""
        self.is_busy = False
        if not exchange.downstream.serves(exchange):
            return
        try:
            data = self._made(answer, exchange, done.result(), is_last)
        except Exception:
            exchange.request_failed(KairosError("Internal error"))
            raise  # a defect: the loop's exception handler logs it
        if not is_last and (self._waiting or self._is_over):
            rest = b"".join(self._waiting)
            self._waiting.clear()
            data += self._encode(answer, exchange, rest)
        exchange.goes_on(data)
