"""What /proc says is read right."""

import os

from benchmarks.load import proc
from benchmarks.load.proc import Memory

STAT = (
    "4711 (a (strange) name) S 1 4711 4711 0 -1 4194304 2500 0 12 0 "
    "345 67 8 9 20 0 1 0 123456 250000000 7000 18446744073709551615\n"
)
ROLLUP = """\
55d0c4a00000-7ffd3b5fe000 ---p 00000000 00:00 0                          [rollup]
Rss:               31040 kB
Pss:               15712 kB
Pss_Dirty:         12000 kB
Pss_Anon:          11000 kB
Shared_Clean:      16000 kB
SwapPss:               0 kB
"""


def test_processor_time_is_that_of_user_and_system_without_children() -> None:
    assert proc.cpu_ticks(STAT) == 345 + 67


def test_memory_is_in_bytes() -> None:
    assert proc.memory_from(ROLLUP) == Memory(rss=31040 * 1024, pss=15712 * 1024)


def test_a_family_is_found_down_to_the_last_child() -> None:
    children = {1: [2, 3], 2: [4], 4: [5]}

    assert proc.family(1, lambda pid: children.get(pid, [])) == [1, 2, 3, 4, 5]


def test_a_process_that_is_gone_has_no_children() -> None:
    assert list(proc.children_of(2**22 + 1)) == []


def test_the_files_of_this_system_are_understood() -> None:
    me = os.getpid()

    assert proc.cpu_seconds([me]) > 0
    assert 0 < proc.memory([me]).pss <= proc.memory([me]).rss
