"""What a client gets of a stored answer: all of it, a part, or only the word that it has it already."""

from typing import NamedTuple

from kairos._speedups import FieldSet
from kairos.protocols.http1.head import RequestHead, ResponseHead
from kairos.traffic.caching.answers import Answer
from kairos.traffic.caching.conditions import is_unchanged, range_holds
from kairos.traffic.caching.ranges import span
from kairos.traffic.caching.store import Entry
from kairos.traffic.caching.wishes import Asked

_DATE = FieldSet((b"date",))
_LENGTH = FieldSet((b"content-length",))
# RFC 9110 section 15.4.5: what a 304 has of the fields of the 200 for which it stands.
_IN_304 = frozenset((b"cache-control", b"content-location", b"date", b"etag", b"expires", b"vary"))
_PART = b"Content-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n"
_NO_PART = b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */%d\r\nContent-Length: 0\r\n\r\n"


class Found(NamedTuple):
    """What is stored, and what is read of it."""

    entry: Entry
    answer: Answer


class Served(NamedTuple):
    """A head, and the part of the stored body that belongs to it."""

    head: ResponseHead
    offset: int
    size: int


def served(answer: Answer, request: RequestHead, asked: Asked | None) -> Served:
    """Return what answers a GET or HEAD request; `asked` is None where nothing is asked but the whole."""
    is_head = request.method == b"HEAD"
    if asked is not None:
        if is_unchanged(asked.none_match, asked.since, answer):
            return Served(not_modified(answer), 0, 0)
        if asked.range is not None and not is_head and answer.head.status == 200:  # RFC 9110 section 14.2: GET alone
            (date,) = _DATE.values(answer.raw)
            if range_holds(asked.if_range, answer, date):
                return _part(answer, asked.range)
    if is_head:
        return Served(ResponseHead(answer.head.raw, to_head=True), 0, 0)
    return Served(answer.head, 0, answer.size)


def not_modified(answer: Answer) -> ResponseHead:
    """Return the 304 that stands for an answer."""
    if answer.not_modified is None:
        kept = [line for line in answer.raw.split(b"\r\n")[1:] if line.partition(b":")[0].lower() in _IN_304]
        if answer.etag is None and answer.modified is not None:
            kept.append(b"Last-Modified: " + answer.modified)
        raw = b"\r\n".join((b"HTTP/1.1 304 Not Modified", *kept, b"\r\n"))
        answer.not_modified = ResponseHead(raw, to_head=False)
    return answer.not_modified


def _part(answer: Answer, field: bytes) -> Served:
    found = span(field, answer.size)
    if found is None:
        return Served(answer.head, 0, answer.size)
    offset, size = found
    if not size:
        return Served(ResponseHead(_NO_PART % answer.size, to_head=False), 0, 0)
    about = _PART % (offset, offset + size - 1, answer.size, size)
    raw = _LENGTH.copy_without(answer.raw, (b"HTTP/1.1 206 Partial Content\r\n",), (about,))
    return Served(ResponseHead(raw, to_head=False), offset, size)
