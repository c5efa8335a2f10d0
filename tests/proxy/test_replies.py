"""The answers that the gateway gives itself."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from kairos.errors import BadRequest, KairosError, MethodNotAllowed, UpstreamError, UpstreamTimeout
from kairos.filters import LocalReply
from kairos.proxy.replies import error_body, local_reply, timestamp


def head_and_body(answer: bytes) -> tuple[list[bytes], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split(b"\r\n"), body


def refusal(error: KairosError, path: str = "", has_body: bool = True) -> tuple[list[bytes], bytes]:
    return head_and_body(
        local_reply(LocalReply.refusal(error), b"an-id", b"Own: line\r\n", path=path, has_body=has_body)
    )


def test_an_error_is_json_with_its_keys_in_alphabetical_order() -> None:
    lines, body = refusal(BadRequest("The message", reason="the_reason"), "/path")

    error = orjson.loads(body)
    assert list(error) == ["error", "reason", "request_id", "timestamp", "type"]
    assert error | {"timestamp": ""} == {
        "error": "The message",
        "reason": "the_reason",
        "request_id": "an-id",
        "timestamp": "",
        "type": "bad_request",
    }
    assert datetime.fromisoformat(error["timestamp"]).utcoffset() == timedelta(0)
    assert lines == [
        b"HTTP/1.1 400 Bad Request",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        b"Own: line",
        b"X-Content-Type-Options: nosniff",
        b"X-Request-ID: an-id",
    ]


def test_an_answer_to_head_has_the_same_head_and_no_body() -> None:
    error = BadRequest("The message")
    with_body, without = refusal(error), refusal(error, has_body=False)

    assert without == (with_body[0], b"")


def test_a_wrong_method_is_told_the_right_ones() -> None:
    lines, _ = refusal(MethodNotAllowed("x", "GET, HEAD"))

    assert lines[0] == b"HTTP/1.1 405 Method Not Allowed"
    assert b"Allow: GET, HEAD" in lines


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UpstreamError("the connection failed"), "Upstream error for /a/b: the connection failed"),
        (UpstreamTimeout("Request timeout after 30s", reason=""), "Request timeout after 30s"),
        (BadRequest("The request is malformed"), "The request is malformed"),
    ],
)
def test_a_bad_gateway_names_the_path(error: KairosError, text: str) -> None:
    assert orjson.loads(error_body(error, "an-id", "/a/b"))["error"] == text


def test_any_path_is_valid_json() -> None:
    path = '/"\\\x00\xff</script>'

    assert path in orjson.loads(error_body(UpstreamError("x"), "an-id", path))["error"]


def test_another_reply_is_sent_as_it_is() -> None:
    lines, body = head_and_body(local_reply(LocalReply(200, b"hello", "text/plain"), b"an-id", b""))

    assert lines[:3] == [b"HTTP/1.1 200 OK", b"Content-Type: text/plain", b"Content-Length: 5"]
    assert body == b"hello"


def test_the_time_of_day_is_utc() -> None:
    before = datetime.now(UTC)

    assert before <= datetime.fromisoformat(timestamp()) <= datetime.now(UTC)
