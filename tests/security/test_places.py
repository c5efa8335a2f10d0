"""Credentials in cookies and queries."""

import pytest

from kairos.security.places import cookie, parameter


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"token=abc", b"abc"),
        (b"a=1; token=abc; b=2", b"abc"),
        (b'a=1;token="abc"', b"abc"),
        (b"token=abc; token=def", b"abc"),
        (b"a=1, token=abc", b"abc"),  # two fields
        (b"token=a=b", b"a=b"),
        (b"xtoken=abc; Token=abc; token", None),
        (b"", None),
        (None, None),
    ],
)
def test_a_cookie_is_found_by_its_name(field: bytes | None, value: bytes | None) -> None:
    assert cookie(field, b"token") == value


@pytest.mark.parametrize(
    ("target", "value"),
    [
        (b"/a?token=abc", b"abc"),
        (b"/a?x=1&token=abc&y=2", b"abc"),
        (b"/a?t%6Fken=a%62c", b"abc"),
        (b"/a?token=abc&token=def", b"abc"),
        (b"/token=abc?x=1", None),
        (b"/a?token", None),
        (b"/a", None),
    ],
)
def test_a_parameter_is_found_by_its_name(target: bytes, value: bytes | None) -> None:
    assert parameter(target, b"token") == value
