"""A target has one form that is matched and forwarded, or is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos._speedups import normal_path
from kairos.errors import BadRequest
from kairos.routing.normalize import normalize


@pytest.mark.parametrize(
    ("target", "normal"),
    [
        (b"/users/%61dmin", b"/users/admin"),
        (b"//users///admin", b"/users/admin"),
        (b"/a/./b/../c", b"/a/c"),
        (b"/a/%2e%2E/b", b"/b"),
        (b"/a/.%2e/b", b"/b"),
        (b"/a/b/..", b"/a/"),
        (b"/a/b/.", b"/a/b/"),
        (b"/a/..", b"/"),
        (b"//", b"/"),
        (b"/a//", b"/a/"),
        (b"/a//../b", b"/b"),
        (b"/%7euser/%2d%5f", b"/~user/-_"),
        (b"/caf\xc3\xa9", b"/caf%C3%A9"),
        (b"/caf%c3%a9", b"/caf%C3%A9"),
        (b"/a%2fb", b"/a%2Fb"),
        (b"/a%5cb", b"/a%5Cb"),
        (b"/a\\b", b"/a%5Cb"),
        (b"/a%252e", b"/a%252e"),
        (b"/a{b}|[c]", b"/a%7Bb%7D%7C%5Bc%5D"),
        (b"/a%3bb%21", b"/a%3Bb%21"),
        (b"/./?a=/../%2e%zz//&b", b"/?a=/../%2e%zz//&b"),
        (b"//?\xc3\xa9", b"/?%C3%A9"),
        (b"/a//?", b"/a/?"),
    ],
)
def test_equivalent_targets_become_one(target: bytes, normal: bytes) -> None:
    assert normalize(target) == (normal.partition(b"?")[0], normal)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (b"", "starts with '/'"),
        (b"*", "starts with '/'"),
        (b"?a=b", "starts with '/'"),
        (b"/..", "climbs"),
        (b"/../etc/passwd", "climbs"),
        (b"/a/../../b", "climbs"),
        (b"//..", "climbs"),
        (b"/%2e%2e/a", "climbs"),
        (b"/a/%2E./../x", "climbs"),
        (b"/files/..;/admin", "parameter"),
        (b"/files/%2e%2e;x/admin", "parameter"),
        (b"/files/.;/admin", "parameter"),
        (b"/a%00b", "NUL"),
        (b"/a\x00b", "control"),
        (b"/a\nb", "control"),
        (b"/a b", "space"),
        (b"/a\x7f", "control"),
        (b"/a?b\rc", "control"),
        (b"/a?b c", "space"),
        (b"/a#b", "fragment"),
        (b"/a?b#c", "fragment"),
        (b"/a%", "hexadecimal"),
        (b"/a%4", "hexadecimal"),
        (b"/a%zz", "hexadecimal"),
        (b"/a%%41", "hexadecimal"),
    ],
)
def test_a_target_that_no_route_may_see_is_refused(target: bytes, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason) as refusal:
        normalize(target)

    assert refusal.value.status == 400
    assert refusal.value.reason == "bad_target"


paths = st.lists(st.sampled_from([b"/", b".", b"..", b"a", b"%2e", b"%2F", b"%61", b"\xe9", b"?", b"%5c", b"\\"])).map(
    b"".join
)


@given(paths)
def test_a_normal_form_is_its_own_normal_form(path: bytes) -> None:
    try:
        normal_path_once, normal = normalize(b"/" + path)
    except BadRequest:
        return

    assert normalize(normal) == (normal_path_once, normal)
    assert normal_path(normal) == normal_path_once


@given(paths)
def test_no_dot_segment_and_no_empty_segment_is_left(path: bytes) -> None:
    try:
        normal, _ = normalize(b"/" + path)
    except BadRequest:
        return

    segments = normal.split(b"/")[1:]
    assert not {b".", b"..", b"%2E", b"%2e"}.intersection(segments)
    assert b"" not in segments[:-1]
