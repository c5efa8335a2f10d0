"""Errors: who is at fault, what is answered, and whether another attempt is safe."""

import pytest

from kairos.errors import (
    BadRequest,
    KairosError,
    MethodNotAllowed,
    Retry,
    RouteNotFound,
    Side,
    UpstreamError,
    UpstreamTimeout,
)


@pytest.mark.parametrize(
    ("error", "kind", "side", "status"),
    [
        (KairosError("x"), "internal", Side.INTERNAL, 500),
        (BadRequest("x"), "bad_request", Side.DOWNSTREAM, 400),
        (RouteNotFound("x"), "route_not_found", Side.DOWNSTREAM, 404),
        (MethodNotAllowed("x", "GET"), "method_not_allowed", Side.DOWNSTREAM, 405),
        (UpstreamError("x"), "upstream", Side.UPSTREAM, 502),
        (UpstreamTimeout("x"), "timeout", Side.UPSTREAM, 504),
    ],
)
def test_each_kind_has_its_side_and_status(error: KairosError, kind: str, side: Side, status: int) -> None:
    assert (error.kind, error.side, error.status, error.message) == (kind, side, status, "x")
    assert (error.reason, error.retry) == (kind, Retry.NEVER)


def test_a_reason_is_more_exact_than_the_kind() -> None:
    assert BadRequest("x", reason="host_missing").reason == "host_missing"


def test_a_bad_request_may_have_another_status() -> None:
    error = BadRequest("x", reason="method_unknown", status=501)

    assert (error.kind, error.status) == ("bad_request", 501)
    assert BadRequest("y").status == 400


def test_an_upstream_error_says_when_to_try_again() -> None:
    assert UpstreamError("x", retry=Retry.ALWAYS).retry is Retry.ALWAYS
    assert UpstreamError("x").retry is Retry.NEVER
