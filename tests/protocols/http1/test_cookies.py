"""Cookies are found by their whole names."""

import pytest

from kairos.protocols.http1.cookies import cookie
from tests.balancing.backends import request


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("sid=1", b"1"),
        ("a=b; sid=1; c=d", b"1"),
        ("a=b;sid=1;c=d", b"1"),
        ("sid=; c=d", b""),
        ("sid=a=b", b"a=b"),
        ("sid= 1 ", b"1"),
        ("xsid=2; sid=1", b"1"),
        ("x=sid=2; sid=1", b"1"),
        ("sid=1; sid=2", b"1"),
        ("sid", None),
        ("xsid=1", None),
        ("SID=1", None),
        ("", None),
    ],
)
def test_a_cookie_has_its_value(line: str, value: bytes | None) -> None:
    assert cookie(request(cookie=line), b"sid=") == value


def test_a_cookie_may_be_in_any_of_several_fields() -> None:
    head = request(cookie="a=b", Cookie="sid=1", COOKIE="c=d")

    assert [cookie(head, name) for name in (b"a=", b"sid=", b"c=")] == [b"b", b"1", b"d"]


def test_there_may_be_no_cookies() -> None:
    assert cookie(request(), b"sid=") is None
