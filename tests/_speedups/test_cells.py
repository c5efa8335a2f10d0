"""Cells: both twins do the same, and neither loses an update between processes."""

import mmap
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos import _speedups
from kairos._speedups import _cells_py

TWINS = [_cells_py.Cells]
if _speedups.COMPILED:
    from kairos._speedups import cells

    TWINS.append(cells.Cells)

COUNT = 8
INT64 = st.integers(-(2**63), 2**63 - 1)


def shared_file(count: int = COUNT) -> tuple[mmap.mmap, int]:
    fd = os.memfd_create("cells")
    os.ftruncate(fd, count * 8)
    return mmap.mmap(fd, count * 8), fd


@pytest.fixture(params=TWINS, ids=lambda twin: twin.__module__.rpartition(".")[2])
def twin(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def cells_of_one(twin: Any) -> Any:
    memory, fd = shared_file()
    yield twin(memory, fd)
    os.close(fd)


def test_a_new_cell_is_zero_and_keeps_what_is_stored(cells_of_one: Any) -> None:
    assert cells_of_one.load(3) == 0

    cells_of_one.store(3, -5)

    assert cells_of_one.load(3) == -5
    assert len(cells_of_one) == COUNT


def test_adding_returns_nothing_and_fetch_add_the_value_before(cells_of_one: Any) -> None:
    assert cells_of_one.add(0, 2) is None
    assert cells_of_one.fetch_add(0, 3) == 2
    assert cells_of_one.load(0) == 5


def test_an_exchange_happens_only_from_the_expected_value(cells_of_one: Any) -> None:
    assert cells_of_one.compare_exchange(1, 0, 7) is True
    assert cells_of_one.compare_exchange(1, 0, 9) is False
    assert cells_of_one.load(1) == 7


@pytest.mark.parametrize("index", [-1, COUNT])
@pytest.mark.parametrize("call", ["load", "store", "add", "fetch_add", "compare_exchange"])
def test_there_is_no_cell_outside(cells_of_one: Any, index: int, call: str) -> None:
    arguments = {"load": (), "store": (1,), "add": (1,), "fetch_add": (1,), "compare_exchange": (0, 1)}[call]

    with pytest.raises(IndexError):
        getattr(cells_of_one, call)(index, *arguments)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
@pytest.mark.parametrize("call", ["store", "add", "fetch_add"])
def test_a_value_must_fit_into_64_bits(cells_of_one: Any, value: int, call: str) -> None:
    with pytest.raises(OverflowError):
        getattr(cells_of_one, call)(0, value)
    with pytest.raises(OverflowError):
        cells_of_one.compare_exchange(0, 1, value)

    assert cells_of_one.load(0) == 0


def test_a_part_of_the_mapping_is_bounded_on_both_sides(twin: Any) -> None:
    memory, fd = shared_file()
    part = twin(memory, fd, 2, 3)

    part.store(0, 11)
    part.fetch_add(2, 13)

    whole = twin(memory, fd)
    assert [whole.load(index) for index in range(COUNT)] == [0, 0, 11, 0, 13, 0, 0, 0]
    with pytest.raises(IndexError):
        part.load(3)
    os.close(fd)


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (0, COUNT + 1), (COUNT, 1), (COUNT + 1, None), (0, -1)])
def test_a_part_must_lie_in_the_mapping(twin: Any, first: int, count: int | None) -> None:
    memory, fd = shared_file()
    with pytest.raises(ValueError, match="does not hold"):
        twin(memory, fd, first, count)
    memory.close()  # which fails while anything still holds the buffer
    os.close(fd)


def test_a_read_only_buffer_is_refused(twin: Any) -> None:
    with pytest.raises(BufferError):
        twin(bytes(8), -1)


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["store", "add", "fetch_add"]), st.integers(0, 2), INT64),
        st.tuples(st.just("compare_exchange"), st.integers(0, 2), st.sampled_from([0, 1, -1]), INT64),
        st.tuples(st.just("load"), st.integers(0, 2)),
    )
)


@pytest.mark.skipif(len(TWINS) < 2, reason="the extensions are not in use")
@given(steps)
def test_both_twins_do_the_same(steps: list[tuple[Any, ...]]) -> None:
    histories = []
    for twin in TWINS:
        memory, fd = shared_file()
        subject = twin(memory, fd)
        returned = [getattr(subject, call)(*arguments) for call, *arguments in steps]
        histories.append((returned, [subject.load(index) for index in range(COUNT)]))
        os.close(fd)

    assert histories[0] == histories[1]


def in_processes(count: int, work: Callable[[], None]) -> None:
    """Run `work` in processes that all start at the same moment, and wait for them."""
    gate_out, gate_in = os.pipe()
    children = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(gate_in)
                os.read(gate_out, 1)  # returns at the end of the file
                work()
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
    os.close(gate_out)
    os.close(gate_in)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * count


def test_no_increment_of_any_process_is_lost(twin: Any) -> None:
    memory, fd = shared_file()
    subject = twin(memory, fd)
    rounds = 5_000

    def work() -> None:
        for _ in range(rounds):
            subject.fetch_add(0, 1)
            value = subject.load(1)
            while not subject.compare_exchange(1, value, value + 1):
                value = subject.load(1)

    in_processes(4, work)

    assert (subject.load(0), subject.load(1)) == (4 * rounds, 4 * rounds)
    os.close(fd)


def test_a_killed_process_leaves_no_lock_behind(twin: Any) -> None:
    """A process that dies in an update, at whatever point, must not stop the others."""
    memory, fd = shared_file()
    subject = twin(memory, fd)
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            while True:
                subject.fetch_add(0, 1)
        while (before := subject.load(0)) == 0:
            pass
        os.kill(pid, 9)
        os.waitpid(pid, 0)

        assert subject.fetch_add(0, -subject.load(0)) >= before
    os.close(fd)
