"""The memory of good credentials."""

import hypothesis
from hypothesis import strategies as st

from kairos.security.cache import Remembered


def test_what_is_remembered_holds_until_its_end() -> None:
    memory: Remembered[str] = Remembered()
    memory.add(b"token", 10.0, "alice")

    assert memory.get(b"token", 9.9) == "alice"
    assert memory.get(b"token", 10.0) is None
    assert memory.get(b"other", 0.0) is None


def test_what_is_used_stays_when_others_come() -> None:
    memory: Remembered[int] = Remembered(max_entries=8)
    memory.add(b"used", 10.0, 0)
    for number in range(100):
        memory.add(b"%d" % number, 10.0, number)
        assert memory.get(b"used", 0.0) == 0

    assert memory.get(b"1", 0.0) is None
    assert len(memory) <= 8


def test_nothing_is_kept_after_it_has_been_cleared() -> None:
    memory: Remembered[int] = Remembered()
    memory.add(b"a", 10.0, 1)
    memory.clear()

    assert memory.get(b"a", 0.0) is None


def test_what_is_too_large_is_not_kept() -> None:
    memory: Remembered[int] = Remembered(max_bytes=100)
    memory.add(b"small", 10.0, 1)
    memory.add(b"x" * 51, 10.0, 2)

    assert memory.get(b"x" * 51, 0.0) is None
    assert memory.get(b"small", 0.0) == 1


@hypothesis.given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=3))))
def test_memory_is_bounded_and_never_wrong(steps: list[tuple[bool, bytes]]) -> None:
    memory: Remembered[bytes] = Remembered(max_entries=6, max_bytes=16)
    for adds, credential in steps:
        if adds:
            memory.add(credential, 10.0, credential)
        assert memory.get(credential, 0.0) in ((credential,) if adds else (credential, None))
        assert len(memory) <= 6
        kept = {*memory._old, *memory._young}
        assert sum(map(len, kept)) <= 16
