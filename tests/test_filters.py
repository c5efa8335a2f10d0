"""Local replies: what a filter answers with."""

from kairos.errors import MethodNotAllowed
from kairos.filters import LocalReply


def test_a_refusal_has_the_status_of_its_error_and_no_body_yet() -> None:
    error = MethodNotAllowed("Method PUT not allowed for path: /", "GET, HEAD")

    reply = LocalReply.refusal(error)

    assert (reply.status, reply.body, reply.error) == (405, b"", error)


def test_a_reply_may_carry_any_body() -> None:
    reply = LocalReply(200, b"hello", "text/plain")

    assert (reply.status, reply.body, reply.content_type, reply.error) == (200, b"hello", "text/plain", None)
