"""Compression of answers: which ones, and what becomes of their heads.

What is compressed here is another representation (RFC 9110 section 8.8.1): its validator is weak, its length is not
known before, and nobody can ask for a part of it. An answer that another client might get compressed varies by
Accept-Encoding for everybody, for the sake of caches.
"""

from kairos._speedups import FieldSet
from kairos.config import policies
from kairos.protocols.http1.fields import tokens
from kairos.protocols.http1.head import RequestHead, ResponseHead
from kairos.traffic.accept_encoding import Negotiation
from kairos.traffic.encoders import Encoder, encoder, inline_bytes

_REQUEST = FieldSet((b"accept-encoding", b"cache-control"))
_CONDITION = FieldSet((b"if-none-match",))
_FACTS = FieldSet(
    (b"content-type", b"content-encoding", b"cache-control", b"content-range", b"content-length", b"x-accel-buffering")
)
_TAGS = FieldSet((b"etag", b"vary"))
_VARY, _VARY_AND_TAG = FieldSet((b"vary",)), FieldSet((b"vary", b"etag"))
_VARIES = b"Vary: Accept-Encoding\r\n"

OF_THE_CONTENT = (b"content-md5", b"digest", b"content-digest", b"repr-digest")
"""Fields, of the header or the trailers, that are digests of what the backend has sent."""
_FRAMING = (b"content-length", b"transfer-encoding")
_OF_THE_CODING = FieldSet((*_FRAMING, b"accept-ranges", b"etag", b"vary", *OF_THE_CONTENT))

NOT_MODIFIED = 304
WITHOUT_CONTENT = frozenset((204, 205))
PARTIAL = 206
_MOST_BYTES, _MOST_REMEMBERED = 128, 256


class MediaTypes:
    """A set of media types, with families like `text/*` and `application/*+json`."""

    __slots__ = ("_exact", "_families", "_known")

    def __init__(self, names: tuple[str, ...]) -> None:
        types = [name.lower().encode().partition(b"*") for name in names]
        self._exact = frozenset(before for before, star, _ in types if not star)
        self._families = tuple((before, after) for before, star, after in types if star)
        self._known: dict[bytes, bool] = {}

    def has(self, content_type: bytes) -> bool:
        """Say whether a Content-Type is one of them, whatever its parameters."""
        known = self._known.get(content_type)
        if known is None:
            known = self._judged(content_type.partition(b";")[0].strip(b" \t").lower())
            if len(content_type) <= _MOST_BYTES and len(self._known) < _MOST_REMEMBERED:
                self._known[content_type] = known
        return known

    def _judged(self, essence: bytes) -> bool:
        if essence in self._exact:
            return True
        if b"," in essence:  # several, and which of them counts is anybody's guess
            return False
        return any(essence.startswith(before) and essence.endswith(after) for before, after in self._families)


class Coding:
    """How one answer is sent. `name` is empty if as it is: then it only says what it varies by."""

    __slots__ = ("_level", "_raw", "inline_bytes", "is_event_stream", "is_flushed", "length", "min_bytes", "name")

    def __init__(self, response: ResponseHead, name: bytes, level: int, length: int | None, min_bytes: int) -> None:
        """`length` is that of the body before, as far as it is known."""
        self._raw = response.raw
        self.is_event_stream = response.is_event_stream
        self._level = level
        self.name = name
        self.length = length
        self.min_bytes = min_bytes
        self.is_flushed = length is None
        """Whether each piece goes on at once: who sends no length may be making the body up as he goes."""
        self.inline_bytes = inline_bytes(name, level) if name else 0
        """Up to so many bytes may be compressed at once."""

    def encoder(self, length: int | None) -> Encoder:
        """Begin with the body."""
        return encoder(self.name, self._level, length)

    def head(self, length: int | None = None) -> bytes:
        """Return the head of the compressed answer; `length` is that of the body now, if it is known."""
        tag, vary = _TAGS.values(self._raw)
        first = self._raw[: self._raw.find(b"\n") + 1]
        size = b"" if length is None else b"Content-Length: %d\r\n" % length
        lines = (b"Content-Encoding: ", self.name, b"\r\n", size, _weak(tag), _varied(vary), b"\r\n")
        return _OF_THE_CODING.copy_without(self._raw, (first,), lines)

    def plain_head(self) -> bytes:
        """Return the head of the answer as it is."""
        return with_vary(self._raw)


class Compression:
    """Decide what is compressed, for one route."""

    __slots__ = ("_levels", "_min_bytes", "_negotiation", "_streams", "_types")

    def __init__(self, settings: policies.Compression) -> None:
        self._negotiation = Negotiation([name.encode() for name in settings.algorithms])
        self._levels = {b"br": settings.br_level, b"zstd": settings.zstd_level, b"gzip": settings.gzip_level}
        self._types = MediaTypes(settings.types)
        self._min_bytes = settings.min_bytes
        self._streams = settings.event_streams

    def coding(self, request: RequestHead, response: ResponseHead) -> Coding | None:
        """Say how an answer is sent; None leaves it as the backend has made it."""
        if response.status in WITHOUT_CONTENT or response.status in (PARTIAL, NOT_MODIFIED):
            return None
        content_type, coding, control, content_range, size, buffering = _FACTS.values(response.raw)
        if content_type is None or coding is not None or content_range is not None:
            return None
        if buffering is not None and buffering.lower() == b"no":  # an encoder holds back what it has not finished
            return None
        if not (self._streams if response.is_event_stream else self._types.has(content_type)):
            return None
        if control is not None and _forbids(control):  # RFC 9110 section 7.7
            return None
        length = int(size) if size is not None and size.isdigit() else None
        if length is not None and length < self._min_bytes:
            return None
        accepted, control = _REQUEST.values(request.raw)
        chosen = b""
        if request.is_http11 and (control is None or not _forbids(control)):  # HTTP/1.0 has no framing for it
            chosen = self._negotiation.choice(accepted) or b""
        return Coding(response, chosen, self._levels.get(chosen, 0), length, self._min_bytes)


def revalidated(request: RequestHead, raw: bytes) -> bytes:
    """Return the head of a 304 with the validator that the client has, which is weak if its answer was compressed.

    Otherwise a cache would not find what it may use again (RFC 9111 section 4.3.4).
    """
    tag, _ = _TAGS.values(raw)
    if tag is None or not tag.startswith(b'"'):
        return raw
    (condition,) = _CONDITION.values(request.raw)
    if condition is None or b"W/" + tag not in condition:
        return raw
    _, vary = _TAGS.values(raw)
    return _VARY_AND_TAG.copy_without(raw, (raw[: raw.find(b"\n") + 1],), (_weak(tag), _varied(vary), b"\r\n"))


def with_vary(raw: bytes) -> bytes:
    """Return a head that says that the answer varies by Accept-Encoding."""
    (vary,) = _VARY.values(raw)
    line = _varied(vary)
    if vary is None:
        return raw[:-2] + line + b"\r\n"
    return _VARY.copy_without(raw, (raw[: raw.find(b"\n") + 1],), (line, b"\r\n"))


def _varied(vary: bytes | None) -> bytes:
    """Return the line that names what an answer varies by, Accept-Encoding among it."""
    if vary is None or not vary.strip(b" \t,"):
        return _VARIES
    names = tokens(vary)
    if b"accept-encoding" in names or b"*" in names:
        return b"Vary: %b\r\n" % vary
    return b"Vary: %b, Accept-Encoding\r\n" % vary


def _weak(tag: bytes | None) -> bytes:
    """Return the line for the validator of what is equal in meaning, and not byte for byte."""
    if tag is None:
        return b""
    if tag.startswith(b"W/"):
        return b"ETag: %b\r\n" % tag
    return b"ETag: W/%b\r\n" % tag if tag.startswith(b'"') else b""


def _forbids(control: bytes) -> bool:
    """Say whether Cache-Control has no-transform."""
    return b"no-transform" in tokens(control)
