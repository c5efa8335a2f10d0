"""The answers that the gateway gives itself, as bytes."""

import time
from datetime import UTC, datetime

import orjson

from kairos.errors import KairosError, MethodNotAllowed, Side
from kairos.filters import LocalReply
from kairos.protocols.http1.serialize import local_head

NOSNIFF_AND_ID = b"X-Content-Type-Options: nosniff\r\nX-Request-ID: "  # what stands in every answer


def timestamp() -> str:
    """Return the time of day as RFC 3339 text in UTC."""
    return datetime.fromtimestamp(time.time(), UTC).isoformat()


def local_reply(
    reply: LocalReply, request_id: bytes, own_lines: bytes, *, path: str = "", has_body: bool = True
) -> bytes:
    """Write a local reply; `own_lines` are whole header lines to add, `has_body` is False for an answer to HEAD."""
    lines = b"".join((own_lines, NOSNIFF_AND_ID, request_id, b"\r\n", reply.lines))
    body = reply.body
    if reply.error is not None:
        body = error_body(reply.error, request_id.decode(), path)
        lines += _error_lines(reply.error)
    head = local_head(reply.status, reply.content_type, len(body), lines)
    return head + body if has_body else head


def error_body(error: KairosError, request_id: str, path: str) -> bytes:
    """Return the JSON of an error."""
    text = error.message
    if error.side is Side.UPSTREAM and error.status == 502:
        text = f"Upstream error for {path}: {text}"
    fields = {
        "error": text,
        "reason": error.reason,
        "request_id": request_id,
        "timestamp": timestamp(),
        "type": error.kind,
    }
    if error.advice:
        fields["message"] = error.advice
    return orjson.dumps(fields)


def _error_lines(error: KairosError) -> bytes:
    if isinstance(error, MethodNotAllowed):
        return b"Allow: %b\r\n" % error.allow.encode()
    if error.status == 503:
        return b"Retry-After: %d\r\n" % error.retry_after
    return b""


def of_the_gateway() -> LocalReply:
    """Answer `OPTIONS *`, which asks about the gateway and not about a resource (RFC 9110 section 9.3.7)."""
    return LocalReply(200, lines=b"Allow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE\r\n")
