"""Both twins tell the same targets apart, and agree with the slow path on what is normal."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos._speedups import COMPILED, _path_py
from kairos.errors import BadRequest
from kairos.routing.normalize import normalize

Kernel = Callable[[bytes], bytes | None]

TWINS: list[Kernel] = [_path_py.normal_path]
if COMPILED:
    from kairos._speedups import path

    TWINS.append(path.normal_path)

# Bytes that matter to a path, and few enough of them to meet often.
PIECES = [
    b"/",
    b".",
    b"..",
    b"//",
    b";",
    b"?",
    b"#",
    b"%",
    b"%2e",
    b"%2E",
    b"%2F",
    b"%2f",
    b"%5C",
    b"%00",
    b"%41",
    b"%7E",
]
PIECES += [b"a", b"Z", b"0", b"~", b"+", b"\\", b"\x00", b" ", b"\x7f", b"\xc3", b"[", b'"', b"%C3", b"%G0", b"%0"]
targets = st.lists(st.sampled_from(PIECES), max_size=12).map(lambda pieces: b"/" + b"".join(pieces)) | st.binary(
    max_size=20
)


@pytest.fixture(params=TWINS, ids=lambda kernel: kernel.__module__.rsplit(".", 1)[-1])
def normal_path(request: pytest.FixtureRequest) -> Kernel:
    kernel: Kernel = request.param
    return kernel


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"/users/42",
        b"/users/",
        b"/a-b._~!$&'()*+,;=:@",
        b"/.well-known/x",
        b"/...",
        b"/..a",
        b"/a..",
        b"/caf%C3%A9",
        b"/a%2Fb%5Cc",
        b"/%25",
        b"/%01",
        b"/%7F",
        b"/;v=1",
    ],
)
def test_a_normal_path_is_returned_whole(normal_path: Kernel, target: bytes) -> None:
    assert normal_path(target) == target


@pytest.mark.parametrize(("target", "expected"), [(b"/?", b"/"), (b"/a?b=/../%zz?", b"/a"), (b"/a/?//", b"/a/")])
def test_the_query_is_left_out(normal_path: Kernel, target: bytes, expected: bytes) -> None:
    assert normal_path(target) == expected


@pytest.mark.parametrize(
    "target",
    [
        b"",
        b"*",
        b"users",
        b"?a",
        b"//",
        b"/a//b",
        b"/.",
        b"/..",
        b"/./a",
        b"/a/../b",
        b"/a/.?b",
        b"/..;/a",
        b"/a/.;x",
        b"/%61",
        b"/%2e",
        b"/%2E",
        b"/%7e",
        b"/%c3%a9",
        b"/%2f",
        b"/%00",
        b"/%",
        b"/%4",
        b"/%G1",
        b"/\xc3\xa9",
        b"/a b",
        b"/a\tb",
        b"/\x00",
        b"/a\\b",
        b"/a[1]",
        b"/a#b",
        b"/a?b#c",
        b"/a?b c",
        b"/a?\x80",
        b"/a?\x00",
    ],
)
def test_any_other_target_goes_the_slow_path(normal_path: Kernel, target: bytes) -> None:
    assert normal_path(target) is None


def test_every_byte_and_escape_is_judged_as_the_slow_path_does(normal_path: Kernel) -> None:
    for byte in range(256):
        for target in (b"/a%cb" % byte, b"/?%c" % byte, b"/%%%02X" % byte, b"/%%%02x" % byte):
            assert (normal_path(target) is not None) == is_its_own_normal_form(target), target


@given(targets)
def test_normal_is_what_normalisation_leaves_alone(target: bytes) -> None:
    for kernel in TWINS:
        assert (kernel(target) is not None) == is_its_own_normal_form(target)


@pytest.mark.skipif(not COMPILED, reason="there is no compiled twin")
@given(targets)
def test_twins_are_equal(target: bytes) -> None:
    python, compiled = TWINS
    assert compiled(target) == python(target)


def is_its_own_normal_form(target: bytes) -> bool:
    try:
        return normalize(target)[1] == target
    except BadRequest:
        return False
