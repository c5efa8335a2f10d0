"""Two workers at once: whatever one does between two steps of the other, all see what was done last."""

import fcntl
import itertools
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from kairos.cache import files, writer
from kairos.cache.store import FileStore
from tests.cache.stores import Node, body, label, stored, whole

STEPS = (
    "open",
    "write",
    "pwrite",
    "pread",
    "rename",
    "unlink",
    "utime",
    "stat",
    "fstat",
    "listdir",
    "load",
    "fetch_add",
)
MANY = 60


class Between:
    """Something that lets another worker do its work before a call, when so many have gone before."""

    steps = 0
    work: Callable[[], object] | None = None

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        if name in (*STEPS, "compare_exchange") and Between.work is not None:
            if Between.steps == 0:
                work, Between.work = Between.work, None
                work()
            else:
                Between.steps -= 1
        return getattr(self._wrapped, name)


@pytest.fixture
def watched(node: Node, monkeypatch: pytest.MonkeyPatch) -> FileStore:
    """Return a worker that others may disturb."""
    store = node.workers[0]
    for module in (files, writer):
        monkeypatch.setattr(module, "os", Between(os))
    monkeypatch.setattr(files, "fcntl", Between(fcntl))
    cells = Between(node.zone.cache)
    monkeypatch.setattr(store.files, "_cells", cells)
    monkeypatch.setattr(store.files.purges, "_cells", cells)
    return store


def disturbed(work: Callable[[], object], steps: int, disturbance: Callable[[], object]) -> bool:
    """Do some work, and something else after so many steps of it; say whether it came so far."""
    Between.steps, Between.work = steps, disturbance
    work()
    is_done, Between.work = Between.work is None, None
    return is_done


FORGET: dict[str, Callable[[FileStore], object]] = {
    "remove": lambda store: store.remove(b"key"),
    "tag": lambda store: store.purge_tag(b"news"),
    "place": lambda store: store.purge(b"example.com/a"),
    "all": lambda store: store.purge(b"", below=True),
}
ABOUT = label(b"example.com/a", b"news")


@pytest.mark.parametrize("how", FORGET)
def test_nothing_that_is_forgotten_while_it_is_stored_is_found(
    watched: FileStore, other: FileStore, node: Node, how: str
) -> None:
    for steps in range(MANY):
        ticket = watched.ticket()
        if not disturbed(
            lambda: stored(watched, b"key", b"old", about=ABOUT, ticket=ticket),  # noqa: B023
            steps,
            lambda: FORGET[how](other),
        ):
            assert steps > 8
            return
        for store in (other, watched, node.worker(1)):
            assert store.find(b"key") is None, steps
    raise AssertionError("it has no end")


@pytest.mark.parametrize("how", FORGET)
def test_nothing_that_is_forgotten_while_it_is_read_is_hot(watched: FileStore, other: FileStore, how: str) -> None:
    for steps in range(MANY):
        assert stored(other, b"key", b"old", about=ABOUT)
        if not disturbed(lambda: watched.find(b"key"), steps, lambda: FORGET[how](other)):
            assert steps > 3
            return
        assert watched.find(b"key") is None, steps
    raise AssertionError("it has no end")


@pytest.mark.parametrize("how", FORGET)
def test_nothing_that_is_read_while_it_is_forgotten_is_hot(watched: FileStore, other: FileStore, how: str) -> None:
    for steps in range(MANY):
        assert stored(other, b"key", b"old", about=ABOUT)
        if not disturbed(lambda: FORGET[how](watched), steps, lambda: other.find(b"key")):
            assert steps >= 2
            return
        assert other.find(b"key") is None, steps
        assert watched.find(b"key") is None, steps
    raise AssertionError("it has no end")


def test_what_is_stored_while_the_old_is_read_is_found_next(watched: FileStore, other: FileStore) -> None:
    for steps in range(MANY):
        watched.remove(b"key")
        assert stored(other, b"key", b"old")
        if not disturbed(lambda: watched.find(b"key"), steps, lambda: stored(other, b"key", b"new")):
            return
        assert body(watched, b"key") == b"new", steps
    raise AssertionError("it has no end")


def test_of_two_that_are_stored_at_once_all_find_the_same(watched: FileStore, other: FileStore, node: Node) -> None:
    for steps in range(MANY):
        if not disturbed(
            lambda: stored(watched, b"key", b"one"),
            steps,
            lambda: (stored(other, b"key", b"other"), other.find(b"key")),
        ):
            return
        found = {body(store, b"key") for store in (watched, other, node.worker(1))}
        assert found in ({b"one"}, {b"other"}), steps
    raise AssertionError("it has no end")


@pytest.mark.parametrize("size", [10, 500_000])
@pytest.mark.parametrize("how", [*FORGET, "store"])
def test_a_refresh_while_something_else_happens(
    watched: FileStore, other: FileStore, node: Node, size: int, how: str
) -> None:
    do = FORGET.get(how, lambda store: stored(store, b"key", b"new"))
    for steps in range(MANY):
        assert stored(other, b"key", bytes(size), about=ABOUT)
        entry = watched.find(b"key")
        ticket = watched.ticket()
        assert entry is not None
        fresh = label(b"example.com/a", b"news", b"fresh")
        if not disturbed(
            lambda: watched.refresh(b"key", entry, fresh, ticket),  # noqa: B023
            steps,
            lambda: do(other),
        ):
            return
        found = {body(store, b"key") for store in (watched, other, node.worker(1))}
        assert found in ([{None}] if how != "store" else [{b"new"}, {bytes(size)}]), steps
    raise AssertionError("it has no end")


@pytest.mark.parametrize("size", [10, 500_000])
def test_two_refreshes_at_once(watched: FileStore, other: FileStore, node: Node, size: int) -> None:
    def refresh(store: FileStore, text: bytes) -> None:
        entry = store.find(b"key")
        assert entry is not None
        store.refresh(b"key", entry, label(text=text * 1000), store.ticket())

    assert stored(other, b"key", bytes(size))
    for steps in range(MANY):
        if not disturbed(lambda: refresh(watched, b"one"), steps, lambda: refresh(other, b"two")):
            return
        entries = [store.find(b"key") for store in (watched, other, node.worker(1))]
        assert {entry and entry.label.text for entry in entries} in ({b"one" * 1000}, {b"two" * 1000}), steps
        assert {entry and whole(entry) for entry in entries} == {bytes(size)}
    raise AssertionError("it has no end")


@pytest.mark.parametrize("size", [10, 500_000])
def test_an_answer_that_is_read_while_it_is_refreshed(watched: FileStore, other: FileStore, size: int) -> None:
    def refresh() -> None:
        for turn in range(3):
            entry = other.find(b"key")
            assert entry is not None
            assert other.refresh(b"key", entry, label(text=b"%d" % turn * 3000), other.ticket()) is not None

    assert stored(other, b"key", bytes(size), about=label(text=bytes(3000)))
    for steps in range(MANY):
        if not disturbed(lambda: watched.find(b"key"), steps, refresh):
            return
        found = watched.find(b"key")
        assert found is not None, steps
        assert (found.label.text, whole(found)) == (b"2" * 3000, bytes(size))
    raise AssertionError("it has no end")


def test_the_new_label_of_one_answer_never_stands_on_another(watched: FileStore, other: FileStore, node: Node) -> None:
    old, new = bytes(500_000), b"n" * 600_000
    for steps in range(MANY):
        assert stored(other, b"key", old)
        entry = watched.find(b"key")
        assert entry is not None
        if not disturbed(
            lambda: watched.refresh(b"key", entry, label(text=b"fresh"), watched.ticket()),  # noqa: B023
            steps,
            lambda: stored(other, b"key", new, about=label(text=b"new")),
        ):
            return
        found = node.worker(1).find(b"key")
        assert found is not None
        assert (found.label.text, whole(found)) in ((b"fresh", old), (b"new", new)), steps
    raise AssertionError("it has no end")


def test_heads_that_are_read_while_another_process_writes_them_are_whole(node: Node, one: FileStore) -> None:
    stored(one, b"key", bytes(500_000), about=label(text=bytes(60_000)))
    pid = os.fork()
    if pid == 0:
        store = node.worker(1)
        for turn in itertools.count():
            entry = store.find(b"key")
            if entry is not None:
                store.refresh(b"key", entry, label(text=bytes((turn % 256,)) * 60_000), store.ticket())
        os._exit(0)
    seen: set[bytes] = set()
    rounds = 0
    while rounds < 500 or len(seen) < 3:
        rounds += 1
        entry = one.find(b"key")
        assert entry is not None
        assert entry.label.text == entry.label.text[:1] * 60_000
        seen.add(entry.label.text[:1])
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
