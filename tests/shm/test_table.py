"""The table: one entry per key, in every process, whoever is killed at whatever point."""

import contextlib
import mmap
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos._speedups import Cells
from kairos.shm.table import PROBES, Table
from tests.shm.dying import DyingCells, Killed

SECRET = b"0123456789abcdef"
STRIDE = 3


@pytest.fixture
def cells() -> Any:
    count = 4096
    fd = os.memfd_create("table")
    os.ftruncate(fd, count * 8)
    yield Cells(mmap.mmap(fd, count * 8), fd)
    os.close(fd)


def table(cells: Any, capacity: int = 64, first: int = 5) -> Table:
    return Table(cells, first, capacity, STRIDE, SECRET)


def test_a_key_has_the_same_entry_every_time_and_everywhere(cells: Cells) -> None:
    one, other = table(cells), table(cells)

    assert one.find(b"a") == other.find(b"a") == one.find(b"a")
    assert one.find(b"b") == other.find(b"b") != one.find(b"a")


def test_as_many_keys_have_room_as_there_are_entries(cells: Cells) -> None:
    subject = table(cells, capacity=16)
    keys = [b"%d" % number for number in range(16)]

    assert {subject.find(key) for key in keys} == set(range(16))
    assert subject.find(b"one more") is None
    assert subject.find(keys[3]) is not None


def test_a_table_does_not_reach_beyond_its_cells(cells: Cells) -> None:
    subject = table(cells, capacity=8, first=5)
    for number in range(8):
        subject.find(b"%d" % number)

    assert [cells.load(index) for index in (*range(5), *range(5 + 8 * STRIDE, 60))] == [0] * (5 + 60 - 5 - 8 * STRIDE)


def test_a_full_stretch_is_given_up_after_so_many_probes(cells: Cells) -> None:
    subject = table(cells, capacity=2 * PROBES)
    found = [subject.find(b"%d" % number) for number in range(2 * PROBES)]

    assert None in found  # somebody found its stretch full before the whole table was
    assert len({entry for entry in found if entry is not None}) == len([entry for entry in found if entry is not None])


@pytest.mark.parametrize("capacity", [0, 3, 100])
def test_the_capacity_is_a_power_of_two(cells: Cells, capacity: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        table(cells, capacity)


@pytest.mark.parametrize("steps", range(8))
def test_a_claim_that_was_cut_off_is_completed_by_the_next_process(cells: Cells, steps: int) -> None:
    with contextlib.suppress(Killed):
        table(DyingCells(cells, steps)).find(b"a")

    entry = table(cells).find(b"a")

    assert entry is not None
    assert table(cells).find(b"a") == entry
    assert table(cells).find(b"b") != entry


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 12)), max_size=40))
def test_no_order_of_deaths_gives_a_key_two_entries_or_an_entry_two_keys(deaths: list[tuple[int, int]]) -> None:
    capacity = 16
    fd = os.memfd_create("table")
    os.ftruncate(fd, capacity * STRIDE * 8)
    cells = Cells(mmap.mmap(fd, capacity * STRIDE * 8), fd)
    for key, steps in deaths:
        with contextlib.suppress(Killed):
            table(DyingCells(cells, steps), capacity, 0).find(b"%d" % key)

    entries = [table(cells, capacity, 0).find(b"%d" % key) for key in range(12)]

    assert None not in entries
    assert len(set(entries)) == 12
    assert [table(cells, capacity, 0).find(b"%d" % key) for key in range(12)] == entries
    os.close(fd)


def test_processes_that_claim_at_once_agree(cells: Cells) -> None:
    keys = [b"%d" % number for number in range(200)]
    subject = table(cells, capacity=512)
    gate_out, gate_in = os.pipe()
    pipes = []
    for turn in range(4):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(gate_in)
            os.read(gate_out, 1)  # returns when the parent opens the gate by closing its end
            found = {key: subject.find(key) for key in keys[turn * 50 :] + keys[: turn * 50]}
            os.write(writer, repr([found[key] for key in keys]).encode())
            os._exit(0)
        os.close(writer)
        pipes.append(reader)
    os.close(gate_out)
    os.close(gate_in)
    answers = set()
    for reader in pipes:
        with os.fdopen(reader) as stream:
            answers.add(stream.read())
        os.wait()

    entries = [subject.find(key) for key in keys]
    assert answers == {repr(entries)}
    assert len(set(entries)) == 200
