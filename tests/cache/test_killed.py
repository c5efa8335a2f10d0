"""Workers that are killed at any point: nobody finds half an answer, and a sweep puts the rest right."""

import os
import random
import signal
from collections.abc import Callable
from typing import Any

import pytest

from kairos.cache import files, writer
from kairos.cache.store import FileStore
from kairos.cache.usage import PAGE, pages
from tests.cache.stores import NOW, Node, label, stored, sweep, whole

STEPS = ("open", "write", "pwrite", "rename", "unlink", "utime", "symlink", "mkdir", "stat")
LARGE = 600_000


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Mortal:
    """Something whose process is killed before a call to one of the methods, when so many have gone before."""

    left = 0

    def __init__(self, wrapped: Any, names: tuple[str, ...]) -> None:
        self._wrapped = wrapped
        self._names = names

    def __getattr__(self, name: str) -> Any:
        if name in self._names:
            if Mortal.left == 0:
                die()
            Mortal.left -= 1
        return getattr(self._wrapped, name)


def run_and_die(node: Node, work: Callable[[FileStore], object], steps: int) -> bool:
    """Do something in a process that is killed after so many steps; say whether it came to an end before."""
    pid = os.fork()
    if pid == 0:
        store = node.worker(1)
        Mortal.left = steps
        files.os = writer.os = Mortal(os, STEPS)  # type: ignore[attr-defined]
        store.files._cells = store.files.usage._cells = Mortal(node.zone.cache, ("fetch_add", "compare_exchange"))
        work(store)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def deaths(node: Node, work: Callable[[FileStore], object], check: Callable[[bool], None]) -> int:
    """Let a worker die at every step of some work in turn, checking what is left; return how many steps there are."""
    for steps in range(100):
        is_done = run_and_die(node, work, steps)
        check(is_done)
        if is_done:
            return steps
    raise AssertionError("it never comes to an end")


def usage_is_right(node: Node) -> bool:
    found = sum(pages(path.stat().st_size) for path in node.files() + node.unfinished())
    return node.workers[0].files.usage.total() == found * PAGE


@pytest.mark.parametrize("size", [100, LARGE])
def test_a_store_that_is_cut_off_leaves_the_old_answer_or_the_new(node: Node, one: FileStore, size: int) -> None:
    turn = 0

    def check(is_done: bool) -> None:
        nonlocal turn
        turn += 1
        entry = node.worker(0).find(b"key")
        assert entry is not None
        assert whole(entry) in ((b"new" * size,) if is_done else (b"old" * size, b"new" * size))
        sweep(one, NOW + turn * 40)
        assert node.unfinished() == []
        assert usage_is_right(node)
        assert stored(one, b"key", b"old" * size)

    stored(one, b"key", b"old" * size)
    steps = deaths(node, lambda store: stored(store, b"key", b"new" * size, about=label(useless_at=1e6)), check)
    assert steps > 8


def test_a_removal_that_is_cut_off_leaves_the_answer_or_nothing(node: Node, one: FileStore) -> None:
    turn = 0

    def check(is_done: bool) -> None:
        nonlocal turn
        turn += 1
        entry = node.worker(0).find(b"key")
        assert (entry is None) if is_done else (entry is None or whole(entry) == b"old")
        sweep(one, NOW + turn * 40)
        assert usage_is_right(node)
        assert stored(one, b"key", b"old")
        one.find(b"key")

    stored(one, b"key", b"old")
    one.find(b"key")
    assert deaths(node, lambda store: store.remove(b"key"), check) > 4


@pytest.mark.parametrize("size", [100, LARGE])
def test_a_refresh_that_is_cut_off_leaves_the_old_label_or_the_new(node: Node, one: FileStore, size: int) -> None:
    turn = 0

    def refresh(store: FileStore) -> None:
        entry = store.find(b"key")
        assert entry is not None
        store.refresh(b"key", entry, label(text=b"new" * 100), store.ticket())

    def check(is_done: bool) -> None:
        nonlocal turn
        turn += 1
        entry = node.worker(0).find(b"key")
        assert entry is not None
        assert whole(entry) == b"old" * size
        assert entry.label.text in ((b"new" * 100,) if is_done else (b"old", b"new" * 100))
        sweep(one, NOW + turn * 40)
        assert usage_is_right(node)
        assert stored(one, b"key", b"old" * size, about=label(text=b"old"))

    stored(one, b"key", b"old" * size, about=label(text=b"old"))
    assert deaths(node, refresh, check) > 5


def test_workers_that_are_killed_at_any_time_leave_whole_answers(node: Node, one: FileStore) -> None:
    chance = random.Random(5)
    keys = [b"%d" % number for number in range(20)]
    found = 0
    for turn in range(20):
        pid = os.fork()
        if pid == 0:
            _store_for_ever(node, keys, turn)
        deadline = chance.randrange(5, 60)
        for _ in range(deadline):
            found += _all_are_whole(one, keys)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    sweep(one, NOW + 100)

    assert found > 0
    assert _all_are_whole(one, keys) > 0
    assert node.unfinished() == []
    assert usage_is_right(node)


def _store_for_ever(node: Node, keys: list[bytes], seed: int) -> None:
    """Be a worker. Never returns."""
    chance = random.Random(seed)
    store = node.worker(1)
    while True:
        key, size = chance.choice(keys), chance.choice((10, 5_000, 70_000, 400_000))
        text = b"%d" % size
        if chance.random() < 0.1:
            store.remove(key)
        stored(store, key, *[key.ljust(10)] * (size // 10), about=label(key, text=text, useless_at=1e6))


def _all_are_whole(store: FileStore, keys: list[bytes]) -> int:
    entries = {key: entry for key in keys if (entry := store.find(key)) is not None}
    for key, entry in entries.items():
        assert entry.label.place == key
        assert entry.size == int(entry.label.text)
        assert whole(entry) == key.ljust(10) * (entry.size // 10)
    return len(entries)
