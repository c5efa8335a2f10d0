"""Both twins give SipHash-2-4 with 128 bits, as its authors publish it."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos._speedups import COMPILED, _marks_py

Kernel = Callable[[bytes, bytes], Any]

TWINS: list[Kernel] = [_marks_py.mark]
if COMPILED:
    from kairos._speedups import marks

    TWINS.append(marks.mark)

KEY = bytes(range(16))


@pytest.fixture(params=TWINS, ids=lambda kernel: kernel.__module__.rsplit(".", 1)[-1])
def mark(request: pytest.FixtureRequest) -> Kernel:
    kernel: Kernel = request.param
    return kernel


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, "a3817f04ba25a8e66df67214c7550293"),
        (1, "da87c1d86b99af44347659119b22fc45"),
    ],
)
def test_names_hash_as_published(mark: Kernel, length: int, expected: str) -> None:
    made = mark(KEY, bytes(range(length)))

    assert b"".join(half.to_bytes(8, "little", signed=True) for half in (made.low, made.high)).hex() == expected


def test_the_key_decides(mark: Kernel) -> None:
    one, other = mark(KEY, b"client"), mark(bytes(16), b"client")

    assert (one.low, one.high) != (other.low, other.high)


def test_only_bytes_are_hashed_under_a_key_of_16(mark: Kernel) -> None:
    for wrong in ("text", None):
        with pytest.raises(TypeError):
            mark(KEY, wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="16"):
        mark(b"short", b"client")


@pytest.mark.skipif(not COMPILED, reason="there is no compiled twin")
@given(st.binary(min_size=16, max_size=16), st.binary(max_size=300))
def test_twins_are_equal(key: bytes, data: bytes) -> None:
    python, compiled = (twin(key, data) for twin in TWINS)
    assert (compiled.low, compiled.high) == (python.low, python.high)
