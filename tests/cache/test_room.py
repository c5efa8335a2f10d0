"""Room: the files stay within bounds, and what is used stays longest."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kairos.cache.store import Bounds
from kairos.cache.usage import PAGE, pages
from kairos.shm import layout
from tests.cache.stores import NOW, Node, label, stored

MOST = 1 << 20


@pytest.fixture
def small(base: Path) -> Iterator[Node]:
    node = Node(base, bounds=Bounds(files=MOST, memory=1 << 16, body=MOST))
    yield node
    node.close()


def on_disk(node: Node) -> int:
    return sum(pages(path.stat().st_size) for path in node.files() + node.unfinished()) * PAGE


def test_the_files_stay_within_bounds_and_are_counted_exactly(small: Node) -> None:
    for number in range(600):
        worker = small.workers[number % 2]
        assert stored(worker, b"%d" % number, bytes(number * 37 % 20_000))
        assert number % 20 or on_disk(small) <= MOST

    usage = small.workers[0].files.usage
    assert usage.total() == on_disk(small) > MOST // 2
    assert small.zone.total(layout.CACHE_EVICTED) == 600 - len(small.files())


def test_what_was_used_lately_stays(small: Node) -> None:
    (one, _) = small.workers
    for number in range(200):
        stored(one, b"%d" % number, b"x")
    one.tick(NOW + 100)
    used = [b"%d" % number for number in range(0, 200, 4)]
    for key in used:
        one.find(key)
    for number in range(100):
        assert stored(one, b"new %d" % number, b"x")

    assert sum(one.find(key) is not None for key in used) == len(used)


def test_of_a_few_large_ones_the_oldest_goes(small: Node) -> None:
    (one, other) = small.workers
    for number in range(10):
        one.tick(NOW + number * 100)
        stored(one, b"%d" % number, bytes(100_000))
    one.tick(NOW + 2000)
    one.find(b"0")
    other.tick(NOW + 2000)

    assert stored(other, b"new", bytes(100_000))

    assert other.find(b"0") is not None
    assert other.find(b"1") is None
    assert other.find(b"9") is not None


def test_what_is_of_no_more_use_goes_first(small: Node) -> None:
    (one, _) = small.workers
    for number in range(200):
        stored(one, b"%d" % number, b"x", about=label(useless_at=NOW + 10 if number % 4 else NOW + 1000))
    one.tick(NOW + 20)
    for number in range(100):
        stored(one, b"new %d" % number, b"x")

    assert all(one.find(b"%d" % number) is not None for number in range(0, 200, 4))


def test_more_than_there_may_be_in_all_removes_nothing(small: Node) -> None:
    (one, _) = small.workers
    stored(one, b"key", b"x")

    assert not stored(one, b"large", bytes(MOST))

    assert one.find(b"key") is not None
    assert small.zone.total(layout.CACHE_REFUSED) == 1
    assert small.unfinished() == []


def test_unfinished_files_take_room_too(small: Node) -> None:
    (one, other) = small.workers
    writers = [one.begin(b"%d" % number, label(), 0) for number in range(3)]
    for writer in writers:
        assert writer is not None
        assert writer.write(bytes(300_000))
    assert one.files.usage.total() == on_disk(small) >= 900_000

    assert not stored(other, b"key", bytes(200_000))

    writers.clear()
    del writer
    assert one.files.usage.total() == 0
    assert stored(other, b"key", bytes(200_000))


def test_replacing_and_removing_are_counted(small: Node) -> None:
    (one, other) = small.workers
    for size in (10, 50_000, 300_000, 100):
        stored(one, b"key", bytes(size))
        assert one.files.usage.total() == on_disk(small)
    other.remove(b"key")
    other.remove(b"key")

    assert one.files.usage.total() == on_disk(small) == 0


def test_smaller_bounds_hold_from_the_next_answer_on(small: Node) -> None:
    (one, _) = small.workers
    for number in range(200):
        stored(one, b"%d" % number, b"x")
    one.bounds = Bounds(files=MOST // 4, memory=1 << 16, body=MOST)
    for number in range(20):
        stored(one, b"new %d" % number, b"x")

    assert on_disk(small) <= MOST // 4


def test_smaller_bounds_hold_a_few_ticks_later(small: Node) -> None:
    (one, _) = small.workers
    for number in range(200):
        stored(one, b"%d" % number, b"x")
    one.bounds = Bounds(files=MOST // 4, memory=1 << 16, body=MOST)
    for _ in range(10):
        one.tick(NOW)

    assert 0 < on_disk(small) <= MOST // 4


def test_files_with_strange_times_go_first(small: Node) -> None:
    """A process was killed before it could note the times; the kernel's own are far in the future of our clock."""
    (one, _) = small.workers
    for number in range(250):
        stored(one, b"%d" % number, b"x")
    (strange, *_) = small.files()
    os.utime(strange)
    for number in range(20):
        stored(one, b"new %d" % number, b"x")
        if not strange.exists():
            break
    # Only some of the files are looked at each time, so it may take a few.
    for number in range(300):
        stored(one, b"more %d" % number, b"x")

    assert not strange.exists()
