"""What /proc tells about a process and its descendants: processor time and memory."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Memory:
    """In bytes. `pss` divides each shared page among those who share it, so that sums over processes are true."""

    rss: int
    pss: int


def cpu_ticks(stat: str) -> int:
    """Return user and system time from the text of a `stat` file; the name in it may hold blanks and brackets."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def memory_from(rollup: str) -> Memory:
    """Read the text of a `smaps_rollup` file."""
    found = {name: int(kib) << 10 for name, kib in re.findall(r"^(Rss|Pss):\s+(\d+) kB$", rollup, re.MULTILINE)}
    return Memory(found["Rss"], found["Pss"])


def family(pid: int, children: Callable[[int], Iterable[int]] | None = None) -> list[int]:
    """Return a process and all its descendants, parents first."""
    children = children or children_of
    found = [pid]
    for member in found:  # grows while we walk it
        found.extend(children(member))
    return found


def children_of(pid: int) -> Iterator[int]:
    """Yield the children of all threads of a process; none of one that is gone."""
    for path in PROC.glob(f"{pid}/task/*/children"):
        try:
            text = path.read_text()
        except OSError:
            continue
        yield from map(int, text.split())


def cpu_seconds(pids: Iterable[int]) -> float:
    """Sum the processor time that these processes have used so far."""
    return sum(cpu_ticks((PROC / str(pid) / "stat").read_text()) for pid in pids) / TICKS_PER_SECOND


def memory(pids: Iterable[int]) -> Memory:
    """Sum the memory of these processes."""
    each = [memory_from((PROC / str(pid) / "smaps_rollup").read_text()) for pid in pids]
    return Memory(sum(one.rss for one in each), sum(one.pss for one in each))
