"""The housekeeping: one worker does it, and puts right what killed processes have left."""

import os
from pathlib import Path

from kairos.cache import words
from kairos.cache.store import FileStore
from kairos.cache.sweep import Sweep
from kairos.cache.usage import UNFINISHED
from tests.cache.stores import NOW, Node, label, stored, sweep


def dead_process() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_wrong_sizes_are_put_right(node: Node, one: FileStore) -> None:
    for number in range(20):
        stored(one, b"%d" % number, bytes(number * 1000))
    usage = one.files.usage
    right = usage.total()
    usage.add(3, 17)
    usage.add(UNFINISHED, -400)
    node.zone.cache.fetch_add(words.TOTAL, 99)

    sweep(one, NOW)

    assert usage.total() == right
    assert usage.of(UNFINISHED) == 0


def test_a_pass_comes_once_in_a_while(node: Node, one: FileStore) -> None:
    sweep(one, NOW)
    one.files.usage.add(3, 17)

    sweep(one, NOW + 29)
    assert one.files.usage.of(3) == 17
    sweep(one, NOW + 31)
    assert one.files.usage.of(3) == 0


def test_one_worker_sweeps_and_when_it_is_gone_another(node: Node, one: FileStore, other: FileStore) -> None:
    sweep(one, NOW)
    one.files.usage.add(3, 17)
    sweep(other, NOW + 1)
    assert one.files.usage.of(3) == 17

    sweep(other, NOW + 5)
    assert one.files.usage.of(3) == 0


def test_what_dead_processes_were_writing_is_removed(node: Node, one: FileStore) -> None:
    writer = one.begin(b"key", label(), 0)
    assert writer is not None
    writer.write(bytes(1 << 20))
    (alive,) = node.unfinished()
    for name in (f"{dead_process()}-abc-1", "strange"):
        (node.root / "unfinished" / name).write_bytes(bytes(5000))

    sweep(one, NOW)

    assert node.unfinished() == [alive]
    assert one.files.usage.total() == 4096 * 258  # 1 MiB, and two heads
    assert writer.commit()


def test_what_is_of_no_more_use_is_removed(node: Node, one: FileStore) -> None:
    stored(one, b"short", b"x", about=label(useless_at=NOW + 10))
    stored(one, b"long", b"x", about=label(useless_at=NOW + 1000))
    sweep(one, NOW)
    assert len(node.files()) == 2

    sweep(one, NOW + 40)

    assert len(node.files()) == 1
    assert one.find(b"long") is not None


def test_a_tick_takes_a_slice_of_time(node: Node, one: FileStore, base: Path) -> None:
    for number in range(50):
        stored(one, b"%d" % number, b"x")
    seconds = iter(range(10_000))
    slow = Sweep(node.zone.cache, 0, one.files, lambda: iter(()), lambda: next(seconds) / 1000)

    ticks = 0
    slow.step(NOW)
    while slow.is_under_way:
        slow.step(NOW)
        ticks += 1

    assert ticks >= 15


def test_a_sweep_that_is_taken_over_begins_anew(node: Node, one: FileStore, other: FileStore) -> None:
    seconds = iter(range(100_000))
    for number in range(50):
        stored(one, b"%d" % number, b"x")
    slow = Sweep(node.zone.cache, 1, other.files, lambda: iter(()), lambda: next(seconds) / 1000)
    slow.step(NOW)
    assert slow.is_under_way

    sweep(one, NOW)
    slow.step(NOW)

    assert not slow.is_under_way
