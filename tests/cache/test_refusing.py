"""Disks that are full or read-only, and directories that go away: nothing is stored, and nothing breaks."""

import errno
import logging
import os
import resource
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from kairos.cache import files, writer
from kairos.cache.store import FileStore
from kairos.shm import layout
from tests.cache.stores import NOW, Node, body, label, stored

LARGE = bytes(1 << 20)


class Refusing:
    """An operating system that refuses one kind of call."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number

    def __getattr__(self, name: str) -> Any:
        return self._refuse if name == self.name else getattr(os, name)

    def _refuse(self, *args: Any, **more: Any) -> None:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("call", ["open", "write", "rename"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EMFILE, errno.EIO])
def test_what_is_refused_is_not_stored_and_told_once_in_a_while(
    node: Node,
    one: FileStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    call: str,
    number: int,
) -> None:
    stored(one, b"before", b"hello")
    with monkeypatch.context() as patch:
        for module in (files, writer):
            patch.setattr(module, "os", Refusing(call, number))
        with caplog.at_level(logging.WARNING, "kairos.cache"):
            assert not stored(one, b"key", b"hello")
            assert not stored(one, b"key", LARGE)
            one.tick(NOW + 1)
            assert not stored(one, b"key", b"hello")

    assert node.zone.total(layout.CACHE_REFUSED) == 3
    assert len(caplog.records) == 1
    assert os.strerror(number) in caplog.text
    assert one.find(b"key") is None
    assert stored(one, b"key", b"hello")
    assert body(one, b"key") == b"hello"


def test_files_that_cannot_be_read_are_not_found(node: Node, one: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(one, b"key", b"hello")
    with monkeypatch.context() as patch:
        patch.setattr(files, "os", Refusing("open", errno.EMFILE))
        assert one.find(b"key") is None
    assert body(one, b"key") == b"hello"


def test_a_write_that_stops_halfway_leaves_nothing(node: Node) -> None:
    """The kernel takes a part of the bytes before it says that there is no more room."""
    pid = os.fork()
    if pid == 0:
        store = node.worker(1)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        results = [
            stored(store, b"large", LARGE),
            stored(store, b"larger", LARGE, LARGE),
            stored(store, b"small", b"x"),
        ]
        os._exit(0 if results == [False, False, True] else 1)
    assert os.waitpid(pid, 0)[1] == 0

    (one, _) = node.workers
    assert (one.find(b"large"), one.find(b"larger"), body(one, b"small")) == (None, None, b"x")
    assert node.unfinished() == []
    assert one.files.usage.total() == 4096


def test_a_directory_that_was_taken_away_is_made_again(node: Node, one: FileStore, other: FileStore) -> None:
    stored(one, b"key", b"hello")
    shutil.rmtree(node.root)

    assert other.find(b"key") is None
    assert not stored(other, b"key", b"hello")
    assert stored(other, b"key", b"hello")
    assert body(one, b"key") == b"hello"


def test_a_store_without_a_directory_stores_nothing(base: Path, caplog: pytest.LogCaptureFixture) -> None:
    (base / "file").touch()
    with caplog.at_level(logging.WARNING, "kairos.cache"):
        node = Node(base / "file", workers=1)
    (store,) = node.workers

    assert "cannot be made" in caplog.text
    assert not stored(store, b"key", b"hello")
    assert store.find(b"key") is None
    store.remove(b"key")
    store.purge(b"place")
    store.purge_tag(b"tag")
    store.tick(NOW + 1)
    node.close()


def test_a_full_disk_makes_room_for_the_next(base: Path) -> None:
    """A real one of 1 MiB, though the bounds allow for more."""
    if os.system(f"mount -t tmpfs -o size=1m tmpfs {base} 2>/dev/null") != 0:
        pytest.skip("a file system cannot be mounted")
    try:
        node = Node(base, workers=1)
        (store,) = node.workers
        results = [stored(store, b"%d" % number, bytes(50_000)) for number in range(100)]
        assert results.count(True) > 40
        assert any(results[-5:])
        purged = stored(store, b"tagged", b"x", about=label(b"", b"tag"))
        store.purge_tag(b"tag")
        assert purged is False or store.find(b"tagged") is None
        node.close()
    finally:
        os.system(f"umount {base}")
