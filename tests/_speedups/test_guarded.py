"""Guarded cells: both twins do the same, and their locks outlive whoever holds them."""

import mmap
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos import _speedups
from kairos._speedups import _guarded_py

TWINS = [_guarded_py.GuardedCells]
if _speedups.COMPILED:
    from kairos._speedups import guarded

    TWINS.append(guarded.GuardedCells)

COUNT = 16
LOCKS = _speedups.GUARD_CELLS
INT64 = st.integers(-(2**63), 2**63 - 1)


def shared_file(cells: int) -> tuple[mmap.mmap, int]:
    fd = os.memfd_create("guarded")
    os.ftruncate(fd, cells * 8)
    return mmap.mmap(fd, cells * 8), fd


def cells_of(twin: Any) -> tuple[Any, int]:
    memory, fd = shared_file(LOCKS + COUNT)
    return twin(memory, fd), fd


@pytest.fixture(params=TWINS, ids=lambda twin: twin.__module__.rpartition(".")[2])
def twin(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def cells(twin: Any) -> Any:
    subject, fd = cells_of(twin)
    yield subject
    os.close(fd)


def test_a_new_cell_is_zero_and_keeps_what_is_stored(cells: Any) -> None:
    assert (len(cells), cells.load(3)) == (COUNT, 0)

    cells.store(3, -5)

    assert cells.load(3) == -5


def test_cells_move_though_they_overlap(cells: Any) -> None:
    for index in range(COUNT):
        cells.store(index, index)

    cells.move(2, 0, 4)
    assert [cells.load(index) for index in range(8)] == [0, 1, 0, 1, 2, 3, 6, 7]
    cells.move(0, 2, 4)
    assert [cells.load(index) for index in range(8)] == [0, 1, 2, 3, 2, 3, 6, 7]


def test_a_record_is_found_by_both_halves_of_its_name(cells: Any) -> None:
    for index, value in enumerate((7, 8, 4, 0, 7, 9, 3, 7, 10, 3)):
        cells.store(index, value)

    assert cells.find(0, 10, 7, 8) == 0
    assert cells.find(0, 10, 7, 9) == 4
    assert cells.find(0, 10, 7, 10) == 7
    assert cells.find(0, 7, 7, 10) == -1
    assert cells.find(0, 10, 9, 7) == -1
    assert cells.find(5, 5, 9, 3) == -1


def test_a_record_without_a_size_ends_the_search(cells: Any) -> None:
    assert cells.find(0, COUNT, 7, 8) == -1
    cells.store(2, COUNT + 1)
    assert cells.find(0, COUNT, 7, 8) == -1


def test_there_is_nothing_outside(cells: Any) -> None:
    for call, *arguments in (
        ("load", -1),
        ("load", COUNT),
        ("store", COUNT, 1),
        ("move", 0, COUNT - 1, 2),
        ("move", COUNT - 1, 0, 2),
        ("move", 0, 0, -1),
        ("find", 0, COUNT + 1, 0, 0),
        ("find", -1, 0, 0, 0),
        ("lock", -1),
        ("lock", _speedups.STRIPES),
        ("unlock", _speedups.STRIPES),
    ):
        with pytest.raises(IndexError):
            getattr(cells, call)(*arguments)
    for value in (2**63, -(2**63) - 1):
        with pytest.raises(OverflowError):
            cells.store(0, value)


def test_a_part_of_the_mapping_is_bounded_on_both_sides(twin: Any) -> None:
    memory, fd = shared_file(LOCKS + 8)
    part = twin(memory, fd, 2, LOCKS + 3)

    part.store(0, 11)
    part.store(2, 13)

    assert memory[(2 + LOCKS) * 8] == 11
    assert memory[(4 + LOCKS) * 8] == 13
    with pytest.raises(IndexError):
        part.load(3)
    os.close(fd)


@pytest.mark.parametrize(("first", "count"), [(-1, LOCKS), (0, LOCKS + 2), (2, None), (0, LOCKS - 1), (0, -1)])
def test_a_part_must_lie_in_the_mapping(twin: Any, first: int, count: int | None) -> None:
    memory, fd = shared_file(LOCKS + 1)
    with pytest.raises(ValueError, match="does not hold"):
        twin(memory, fd, first, count)
    memory.close()  # which fails while anything still holds the buffer
    os.close(fd)


def test_a_read_only_buffer_is_refused(twin: Any) -> None:
    with pytest.raises(BufferError):
        twin(bytes(8), -1)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("store"), st.integers(0, COUNT), st.one_of(st.integers(0, 4), INT64)),
        st.tuples(st.just("load"), st.integers(0, COUNT)),
        st.tuples(st.just("move"), st.integers(0, COUNT), st.integers(0, COUNT), st.integers(0, COUNT)),
        st.tuples(st.just("find"), st.integers(0, COUNT), st.integers(0, COUNT), st.integers(0, 4), st.integers(0, 4)),
    )
)


@pytest.mark.skipif(len(TWINS) < 2, reason="the extensions are not in use")
@given(steps)
def test_both_twins_do_the_same(steps: list[tuple[Any, ...]]) -> None:
    histories = []
    for twin in TWINS:
        subject, fd = cells_of(twin)
        returned = []
        for call, *arguments in steps:
            try:
                returned.append(getattr(subject, call)(*arguments))
            except IndexError:
                returned.append("outside")
        histories.append((returned, [subject.load(index) for index in range(COUNT)]))
        os.close(fd)

    assert histories[0] == histories[1]


def test_nobody_else_is_in_a_stripe_while_it_is_locked(twin: Any) -> None:
    cells, fd = cells_of(twin)
    children = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            for _ in range(3_000):
                cells.lock(5)
                cells.store(0, cells.load(0) + 1)
                cells.unlock(5)
            os._exit(0)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4

    assert cells.load(0) == 12_000
    os.close(fd)


def test_a_killed_process_leaves_no_lock_behind(twin: Any) -> None:
    cells, fd = cells_of(twin)
    for turn in range(20):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            cells.lock(1)
            os.write(writer, b".")
            while True:
                cells.store(0, cells.load(0) + 1)
        os.read(reader, 1)
        os.close(reader)
        os.close(writer)
        os.kill(pid, 9)

        cells.lock(1)  # waits for the end of the other
        cells.store(1, turn)
        cells.unlock(1)
        os.waitpid(pid, 0)
    cells.lock(1)
    assert cells.load(1) == 19
    cells.unlock(1)
    os.close(fd)
