"""Both twins give the hash that Rust's standard library gives."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos._speedups import COMPILED, _siphash_py

Kernel = Callable[[bytes], int]

TWINS: list[Kernel] = [_siphash_py.siphash13]
if COMPILED:
    from kairos._speedups import siphash

    TWINS.append(siphash.siphash13)


@pytest.fixture(params=TWINS, ids=lambda kernel: kernel.__module__.rsplit(".", 1)[-1])
def siphash13(request: pytest.FixtureRequest) -> Kernel:
    kernel: Kernel = request.param
    return kernel


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1", 15769884722089048968),
        ("192.168.1.100", 10848991964590412893),
        ("10.0.0.1", 15009938866990945576),
        ("::1", 3126439468630389597),
    ],
)
def test_texts_hash_as_in_rust(siphash13: Kernel, text: str, expected: int) -> None:
    assert siphash13(text.encode() + b"\xff") == expected


def test_only_bytes_are_hashed(siphash13: Kernel) -> None:
    for wrong in ("text", None):
        with pytest.raises(TypeError):
            siphash13(wrong)  # type: ignore[arg-type]


@pytest.mark.skipif(not COMPILED, reason="there is no compiled twin")
@given(st.binary(max_size=600))
def test_twins_are_equal(data: bytes) -> None:
    python, compiled = TWINS
    assert compiled(data) == python(data)
