"""The directory of names: every process reads what any of them entered."""

import contextlib
import mmap
import os
from typing import cast

import pytest

from kairos._speedups import Cells
from kairos.shm import layout
from kairos.shm.names import Names
from kairos.shm.zone import Zone
from tests.shm.dying import DyingCells, Killed


@pytest.fixture
def zone() -> Zone:
    return Zone(2, columns=64, words=8)


def test_a_name_is_read_back_with_its_column(zone: Zone) -> None:
    column = zone.column("route /users/{id}")

    assert zone.columns() == {"route /users/{id}": column}
    assert zone.column("route /users/{id}") == column


def test_what_one_process_enters_the_others_read(zone: Zone) -> None:
    pid = os.fork()
    if pid == 0:
        zone.row(1).add(zone.column("größe"), 3)
        os._exit(0)
    os.waitpid(pid, 0)

    assert zone.total(zone.columns()["größe"]) == 3


def test_long_names_with_the_same_beginning_stay_apart(zone: Zone) -> None:
    beginning = "ü" * layout.NAME_BYTES
    columns = [zone.column(beginning + end) for end in ("a", "b")]

    shown = zone.columns()
    assert sorted(shown.values()) == sorted(columns)
    assert all(name.startswith("ü" * 50) and len(name.encode()) <= layout.NAME_BYTES for name in shown)


def test_the_longest_name_is_kept_whole(zone: Zone) -> None:
    name = "x" * layout.NAME_BYTES

    column = zone.column(name)

    assert zone.columns() == {name: column}


@pytest.mark.parametrize("steps", range(9))
def test_a_name_whose_writer_was_killed_is_completed_by_the_next(steps: int) -> None:
    size = 8 * layout.NAME_CELLS * 8
    fd = os.memfd_create("names")
    os.ftruncate(fd, size)
    memory = mmap.mmap(fd, size)
    cells = Cells(memory, fd)
    with contextlib.suppress(Killed):
        Names(memory, cast(Cells, DyingCells(cells, steps)), 0, 8, b"secret").find("a")
    names = Names(memory, cells, 0, 8, b"secret")
    assert set(names.read()) <= {"a"}  # never a part of a name

    number = names.find("a")

    assert names.read() == {"a": number}
    os.close(fd)


def test_names_beyond_the_room_share_a_column_and_are_counted(zone: Zone) -> None:
    columns = [zone.column(f"route {number}") for number in range(64)]
    assert len(set(columns)) == 64
    assert "other" not in zone.columns()

    shared = {zone.column(f"late {number}") for number in range(3)}

    assert shared == {zone.columns()["other"]}
    assert shared.isdisjoint(columns)
    assert zone.cells.load(layout.NAMES_FOLDED) == 3
    assert zone.column("route 7") == columns[7]
