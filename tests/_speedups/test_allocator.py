"""The C library keeps freed memory, and both twins know how to tell it."""

import subprocess
import sys

import pytest

from kairos._speedups import COMPILED

TWINS = ["kairos._speedups._allocator_py", *(["kairos._speedups.allocator"] if COMPILED else [])]
COUNT_FAULTS = """
import resource, sys
from importlib import import_module
assert import_module(sys.argv[1]).keep_freed_memory(8 << 20, 1 << 20, 1 << 20)
for _ in range(10):
    bytes(range(256)) * 1000
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    bytes(range(256)) * 1000
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(twin: str) -> int:
    """Count the page faults of making and freeing a large block a hundred times, in a process of its own."""
    command = [sys.executable, "-c", COUNT_FAULTS, twin]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("twin", TWINS)
def test_large_blocks_are_not_mapped_again_each_time(twin: str) -> None:
    assert faults(twin) < 100
