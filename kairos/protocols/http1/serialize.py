"""Write the heads that go to backends and to clients."""

from http import HTTPStatus

from kairos.protocols.http1.fields import BODILESS_COPY, REQUEST_COPY, RESPONSE_COPY, copy_for
from kairos.protocols.http1.head import CHUNKED, RequestHead, ResponseHead

_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}
_END = b"\r\n"


def forwarded(address: str, scheme: str) -> bytes:
    """Return the forwarded fields that are the same for every request of a client connection."""
    return f"X-Forwarded-For: {address}\r\nX-Forwarded-Proto: {scheme}\r\n".encode()


def request_head(
    head: RequestHead, target: bytes, authority: bytes, forwarded_lines: bytes, request_id: bytes
) -> bytes:
    """Return the head for a backend: the fields of the client that are for it, and what we vouch for."""
    before = b"".join((head.method, b" ", target, b" HTTP/1.1\r\nHost: ", authority, _END))
    coding = b"Transfer-Encoding: chunked\r\n" if head.body_length == CHUNKED else b""
    host = b"".join((b"X-Forwarded-Host: ", head.host, _END)) if head.host else b""
    after = b"".join((forwarded_lines, host, coding, b"X-Request-ID: ", request_id, b"\r\n\r\n"))
    return copy_for(head.raw, head.connection, REQUEST_COPY).copy_without(head.raw, before, after)


def response_head(head: ResponseHead, own_lines: bytes, chunked: bool) -> bytes:
    """Return the head to send to the client with `own_lines` added; `chunked` tells how the body will be framed."""
    before = b"HTTP/1.1" + head.raw[8 : head.raw.find(b"\n") + 1]
    coding = b"Transfer-Encoding: chunked\r\n" if chunked else b""
    usual = BODILESS_COPY if head.status == 204 else RESPONSE_COPY
    return copy_for(head.raw, head.connection, usual).copy_without(head.raw, before, coding + own_lines + _END)


def interim_head(head: ResponseHead) -> bytes:
    """Return a 1xx answer to send to the client."""
    before = b"HTTP/1.1" + head.raw[8 : head.raw.find(b"\n") + 1]
    return copy_for(head.raw, head.connection, BODILESS_COPY).copy_without(head.raw, before, _END)


def local_head(status: int, content_type: str, length: int, own_lines: bytes) -> bytes:
    """Return the head of an answer that the gateway gives itself."""
    phrase = _PHRASES.get(status, b"Unknown")
    about = b"Content-Type: %b\r\nContent-Length: %d\r\n" % (content_type.encode(), length)
    return b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (status, phrase, about, own_lines)
