"""Bodies that rules for JSON change on their way: each is held until it is whole, and so is the head before it."""

from typing import TYPE_CHECKING

from kairos._speedups import FieldSet
from kairos.protocols.http1.head import RequestHead, ResponseHead
from kairos.traffic.transform_json import JsonChange, UnfitBody, is_json, with_length, without_length

if TYPE_CHECKING:
    from kairos.proxy.exchange import Exchange
    from kairos.traffic.transform import RequestChange, ResponseChange

_EXPECT = FieldSet((b"expect",))
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def of_request(change: "RequestChange | None", head: RequestHead) -> JsonChange | None:
    """Return what the body of a request goes through, if it is one for the rules."""
    if change is None or change.json is None or not is_json(head.raw):
        return None
    return change.json.change()


def ask_for_body(exchange: "Exchange") -> RequestHead:
    """Let a client go on that waits for the backend's word before it sends the body (RFC 9110 section 10.1.1).

    The backend gets nothing before all is here, so it has nothing to say; return the head without that question.
    """
    head = exchange.head
    (expect,) = _EXPECT.values(head.raw)
    if expect is None:
        return head
    if head.is_http11:
        exchange.downstream.write(_CONTINUE)
    return RequestHead(_unasked(head.raw))


def changed_request(head: RequestHead, length: int) -> RequestHead:
    """Return the head for a changed body."""
    return RequestHead(with_length(_unasked(head.raw), length))


def _unasked(raw: bytes) -> bytes:
    """Return a head that expects nothing."""
    return _EXPECT.copy_without(raw, (raw[: raw.find(b"\n") + 1],), (b"\r\n",))


class HeldAnswer:
    """An answer that has not begun, because its body may be another one."""

    __slots__ = ("_change", "_head")

    def __init__(self, head: ResponseHead, change: JsonChange) -> None:
        self._head = head
        self._change = change

    def piece(self, exchange: "Exchange", data: bytes) -> bytes:
        """Take a piece of the body; return what can go on: then the answer has begun, and needs this no more."""
        try:
            passed = self._change.feed(data)
        except UnfitBody as error:
            exchange.request_failed(error.as_response())
            return b""
        if passed and not exchange.take_answer(self._head):
            return b""
        return passed

    def last_piece(self, exchange: "Exchange", data: bytes) -> bytes | None:
        """Take the last piece; return the rest of the body, None if the client has got another answer."""
        try:
            body = self._change.feed(data) + self._change.finish()
        except UnfitBody as error:
            exchange.request_failed(error.as_response())
            return None
        head = self._head
        if self._change.is_changed:
            head = ResponseHead(with_length(head.raw, len(body)), to_head=False)
        return body if exchange.take_answer(head) else None


def of_response(
    change: "ResponseChange", request: RequestHead, head: ResponseHead
) -> "tuple[ResponseHead, HeldAnswer | None]":
    """Return the head of an answer, and what its body goes through, if it is one for the rules."""
    rules = change.json
    if rules is None or not is_json(head.raw):
        return head, None
    if request.method == b"HEAD":
        return ResponseHead(without_length(head.raw, rules.settings), to_head=True), None
    if head.body_length == 0:
        return head, None
    return head, HeldAnswer(head, rules.change())
