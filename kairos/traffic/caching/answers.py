"""What the cache keeps of an answer beside its body, and as which text."""

from struct import Struct

from kairos._speedups import FieldSet as Fields  # the name of the compiled one is taken by the .pxd
from kairos.protocols.http1.head import ResponseHead

ANSWER, VARIANTS = b"A", b"V"
NAME_BYTES = 16
KEEP_SECONDS = 24 * 3600.0  # how long what can be validated is kept after it has become stale
_NUMBERS = Struct("<c?ddddII")  # the kind, whether it is strict, four moments, the sizes of the validators


class Answer:
    """A stored answer. Its moments are seconds of CLOCK_MONOTONIC.

    `born_at` is when it was made, as far as one can know (RFC 9111 section 4.2.3). It is fresh until `stale_at`; after
    that it has to be validated, but may be sent meanwhile until `revalidate_until`, and if the backend fails until
    `error_until`; never if it `is_strict`, whatever a client wants. `etag` and `modified` are what it is validated
    with. `raw` is the head as it came, but for what is written anew each time, such as its length.
    """

    __slots__ = (
        "born_at",
        "error_until",
        "etag",
        "head",
        "is_strict",
        "modified",
        "not_modified",
        "raw",
        "revalidate_until",
        "size",
        "stale_at",
    )

    head: ResponseHead
    """What the client gets, if it gets the whole."""

    def __init__(
        self,
        raw: bytes,
        born_at: float,
        stale_at: float,
        revalidate_until: float = 0.0,
        error_until: float = 0.0,
        etag: bytes | None = None,
        modified: bytes | None = None,
        *,
        is_strict: bool = False,
    ) -> None:
        self.raw = raw
        self.born_at = born_at
        self.stale_at = stale_at
        self.revalidate_until = revalidate_until
        self.error_until = error_until
        self.etag = etag
        self.modified = modified
        self.is_strict = is_strict
        self.size = 0
        self.not_modified: ResponseHead | None = None  # the 304 that stands for it, once somebody has asked

    def completed(self, size: int) -> "Answer":
        """Give it its head, now that the size of its body is known; return it."""
        self.size = size
        head = ResponseHead(self.raw, to_head=False)
        if head.body_length:  # RFC 9110 section 8.6: a 204 has none
            head = ResponseHead(b"%bContent-Length: %d\r\n\r\n" % (self.raw[:-2], size), to_head=False)
        self.head = head
        return self

    @property
    def can_validate(self) -> bool:
        """Whether the backend can be asked if it still holds."""
        return self.etag is not None or self.modified is not None

    @property
    def useless_at(self) -> float:
        """When nobody will ask for it any more."""
        validated = self.stale_at + KEEP_SECONDS if self.can_validate else 0.0
        return max(self.stale_at, self.revalidate_until, self.error_until, validated)

    def age(self, now: float) -> int:
        """Return its age, for the Age field."""
        return max(int(now - self.born_at), 0)

    def encode(self) -> bytes:
        """Write it as the text of a label."""
        etag, modified = self.etag or b"", self.modified or b""
        moments = (self.born_at, self.stale_at, self.revalidate_until, self.error_until)
        numbers = _NUMBERS.pack(ANSWER, self.is_strict, *moments, len(etag), len(modified))
        return b"".join((numbers, etag, modified, self.raw))


class Variants:
    """What stands under the key of a target whose answers vary: by which fields of the request, and a name.

    The keys of the variants have this name in them; so none of them is found any more once this is gone.
    """

    __slots__ = ("fields", "name")

    def __init__(self, name: bytes, fields: tuple[bytes, ...]) -> None:
        self.name = name
        self.fields = Fields(fields)

    def encode(self) -> bytes:
        """Write it as the text of a label."""
        return b"".join((VARIANTS, self.name, b",".join(self.fields.names)))


def decode(text: bytes, size: int) -> Answer | Variants:
    """Read what `encode` wrote; `size` is that of the body."""
    if text[:1] == VARIANTS:
        fields = text[1 + NAME_BYTES :]
        return Variants(text[1 : 1 + NAME_BYTES], tuple(fields.split(b",")))
    _, is_strict, born, stale, revalidate, error, tag_size, date_size = _NUMBERS.unpack_from(text)
    tag_end = _NUMBERS.size + tag_size
    date_end = tag_end + date_size
    etag, modified = text[_NUMBERS.size : tag_end] or None, text[tag_end:date_end] or None
    answer = Answer(text[date_end:], born, stale, revalidate, error, etag, modified, is_strict=is_strict)
    return answer.completed(size)
