"""Which fields are read, and which are never passed on."""

import pytest

from kairos.protocols.http1.fields import (
    DROPPED_FROM_REQUESTS,
    DROPPED_FROM_RESPONSES,
    USUAL_COPIES,
    Copies,
    copy_for,
    tokens,
)


def head_of(*lines: bytes) -> bytes:
    return b"\r\n".join((b"GET / HTTP/1.1", *lines, b"", b""))


def copied(raw: bytes, connection: bytes | None) -> list[bytes]:
    """Return the lines of a request that are left with this Connection value."""
    return copy_for(raw, connection, USUAL_COPIES.request).copy_without(raw, (), ()).split(b"\r\n")[:-1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"close", [b"close"]),
        (b"Keep-Alive, TE", [b"keep-alive", b"te"]),
        (b"\ta ,\tB\t", [b"a", b"b"]),
        (b"a,,b", [b"a", b"", b"b"]),
        (b"", [b""]),
    ],
)
def test_a_list_is_split_into_lower_case_members(value: bytes, expected: list[bytes]) -> None:
    assert tokens(value) == expected


@pytest.mark.parametrize(
    "connection", [None, b"", b"close", b"keep-alive", b"Keep-Alive, Upgrade, TE", b",", b"X-Absent"]
)
def test_the_usual_connection_needs_no_set_of_its_own(connection: bytes | None) -> None:
    assert copy_for(head_of(b"Host: a", b"A: 1"), connection, USUAL_COPIES.request) is USUAL_COPIES.request
    assert copy_for(head_of(b"Host: a", b"A: 1"), connection, USUAL_COPIES.response) is USUAL_COPIES.response


def test_fields_that_connection_names_are_dropped() -> None:
    raw = head_of(b"A: 1", b"x-PRIVATE: 2", b"B: 3", b"X-Private: 4")

    assert copied(raw, b"close, X-Private, x-absent") == [b"A: 1", b"B: 3"]


def test_a_long_name_in_connection_is_dropped_too() -> None:
    name = b"x-" + b"long" * 50

    assert copied(head_of(name + b": 1", b"A: 1"), name.upper()) == [b"A: 1"]


def test_underscores_are_dropped_from_requests_whatever_connection_names() -> None:
    raw = head_of(b"A: 1", b"X_Forwarded_For: 1.2.3.4", b"B: 2")

    assert copied(raw, None) == [b"A: 1", b"B: 2"]
    assert copied(raw, b"B") == [b"A: 1"]


def test_underscores_stay_in_responses() -> None:
    raw = b"HTTP/1.1 200 OK\r\nA_b: 1\r\nC: 2\r\n\r\n"

    assert copy_for(raw, b"C", USUAL_COPIES.response).copy_without(raw, (), ()) == b"A_b: 1\r\n"


@pytest.mark.parametrize("name", [b"Content-Length", b"Content-Type", b"Date"])
def test_connection_cannot_take_away_what_frames_and_describes_the_body(name: bytes) -> None:
    line = name + b": 5"

    assert copied(head_of(line), name) == [line]


def test_many_names_in_connection_cost_no_more_than_the_head_has_fields() -> None:
    raw = head_of(b"n1: x", b"A: 1", b"n4999: y")

    names = copy_for(raw, b",".join(b"n%d" % i for i in range(5000)), USUAL_COPIES.request).names

    assert set(names) - set(USUAL_COPIES.request.names) == {b"n1", b"n4999"}


@pytest.mark.parametrize("name", DROPPED_FROM_REQUESTS)
def test_a_backend_never_sees_these_from_a_client(name: bytes) -> None:
    assert copied(head_of(name.title() + b": forged", b"A: 1"), None) == [b"A: 1"]
    assert copied(head_of(name.title() + b": forged", b"A: 1"), name) == [b"A: 1"]


@pytest.mark.parametrize("name", DROPPED_FROM_RESPONSES)
def test_a_client_never_sees_these_from_a_backend(name: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\n%b: x\r\nA: 1\r\n\r\n" % name.title()

    assert USUAL_COPIES.response.copy_without(raw, (), ()) == b"A: 1\r\n"


def test_a_route_may_leave_out_more() -> None:
    copies = Copies((b"x-user",), (b"x-frame-options",))

    assert copies.request.copy_without(head_of(b"X-User: a", b"B: c"), (), ()) == b"B: c\r\n"
    assert copies.trusted_request.copy_without(head_of(b"X-User: a", b"X-Real-IP: c"), (), ()) == b"X-Real-IP: c\r\n"
    assert copies.response.copy_without(head_of(b"X-Frame-Options: DENY", b"B: c"), (), ()) == b"B: c\r\n"
    assert copies.bodiless.copy_without(head_of(b"Content-Length: 0", b"X-Frame-Options: a"), (), ()) == b""
