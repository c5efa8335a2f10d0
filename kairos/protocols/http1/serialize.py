"""Write the heads that go to backends and to clients."""

from http import HTTPStatus

from kairos._speedups import FieldSet as Fields  # the name of the compiled one is taken by the .pxd
from kairos.protocols.http1.fields import USUAL_COPIES, Copies, copy_for
from kairos.protocols.http1.head import CHUNKED, RequestHead, ResponseHead

_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}
_CHUNKED = CHUNKED
_NEWLINE, _ONE = b"\n1"
_CODING = b"Transfer-Encoding: chunked\r\n"
_TRAILERS = b"TE: trailers\r\nConnection: TE\r\n"  # RFC 9110 section 10.1.4


def host_line(host: bytes) -> bytes:
    """Return what follows the target in a request to a backend: the version, and the Host field."""
    return b" HTTP/1.1\r\nHost: %b\r\n" % host


def request_head(
    head: RequestHead, target: bytes, host_line: bytes, own_lines: bytes, request_id: bytes, usual: Fields
) -> bytes:
    """Return the head for a backend: the fields of the client but those in `usual`, and what we vouch for."""
    before = (head.method, b" ", target, host_line)
    coding = _CODING if head.body_length == _CHUNKED else b""
    trailers = _TRAILERS if head.takes_trailers else b""
    after = (own_lines, coding, trailers, b"X-Request-ID: ", request_id, b"\r\n\r\n")
    is_usual = head.connection is None or head.connection == b"keep-alive"
    fields = usual if is_usual else copy_for(head.raw, head.connection, usual)
    return fields.copy_without(head.raw, before, after)


def response_head(head: ResponseHead, after: tuple[bytes, ...], copies: Copies) -> bytes:
    """Return the head to send to the client; `after` ends it: our lines, the empty one, the first of the body."""
    raw = head.raw
    usual = copies.bodiless if head.status == 204 else copies.response
    is_usual = head.connection is None or head.connection == b"keep-alive"
    fields = usual if is_usual else copy_for(raw, head.connection, usual)
    return fields.copy_without(raw, (status_line(raw),), after)


def interim_head(head: ResponseHead) -> bytes:
    """Return a 1xx answer to send to the client."""
    fields = copy_for(head.raw, head.connection, USUAL_COPIES.bodiless)
    return fields.copy_without(head.raw, (status_line(head.raw),), (b"\r\n",))


def switching_head(head: ResponseHead, after: tuple[bytes, ...], copies: Copies) -> bytes:
    """Return a 101 to send to the client; `after` ends it, and says what the protocol changes to."""
    fields = copy_for(head.raw, head.connection, copies.bodiless)
    return fields.copy_without(head.raw, (status_line(head.raw),), after)


def status_line(raw: bytes) -> bytes:
    """Return the first line of a response, in our version."""
    text = raw  # a pointer when compiled: a slice of it is a plain copy
    end = 8
    while text[end] != _NEWLINE:
        end += 1
    line = text[: end + 1]
    return line if text[7] == _ONE else b"HTTP/1.1" + line[8:]


def local_head(status: int, content_type: str, length: int, own_lines: bytes) -> bytes:
    """Return the head of an answer that the gateway gives itself."""
    phrase = _PHRASES.get(status, b"Unknown")
    about = b"Content-Length: 0\r\n" if status != 204 else b""  # RFC 9110 section 8.6
    if length:
        about = b"Content-Type: %b\r\nContent-Length: %d\r\n" % (content_type.encode(), length)
    return b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (status, phrase, about, own_lines)
