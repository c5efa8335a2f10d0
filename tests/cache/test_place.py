"""The directory: private, shared by the workers of one start, gone with the last, and cleaned of what others left."""

import os
import signal
from pathlib import Path

import pytest

from kairos.cache.place import MEMORY, Place, base_directory
from tests.cache.stores import NOW, Node, body, stored, sweep


def test_it_is_in_memory_if_there_is_such_a_place(tmp_path: Path) -> None:
    assert base_directory(tmp_path) == (MEMORY if MEMORY.is_dir() else tmp_path)


def test_the_last_worker_removes_it(base: Path) -> None:
    node = Node(base)
    stored(node.workers[0], b"key", b"x")

    node.workers[0].close()
    assert body(node.workers[1], b"key") == b"x"
    node.workers[1].close()

    assert list(base.iterdir()) == []
    node.workers[1].close()  # once more is not too much


def test_a_worker_that_comes_while_the_last_one_leaves_has_a_new_one(base: Path) -> None:
    node = Node(base, workers=1)
    stored(node.workers[0], b"key", b"x")
    node.workers[0].close()

    worker = node.worker(0)

    assert worker.find(b"key") is None
    assert stored(worker, b"key", b"x")
    worker.close()


def test_what_a_killed_gateway_has_left_is_removed_by_the_next(base: Path) -> None:
    pid = os.fork()
    if pid == 0:
        stored(Node(base, workers=1).workers[0], b"key", b"x")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    (left,) = base.iterdir()
    node = Node(base, workers=1)

    sweep(node.workers[0], NOW)

    assert not left.exists()
    assert list(base.iterdir()) == [node.root]
    node.close()


def test_what_a_living_gateway_has_is_left_alone(base: Path) -> None:
    (first, second) = Node(base, workers=1), Node(base, workers=1)
    stored(first.workers[0], b"key", b"first")
    stored(second.workers[0], b"key", b"second")
    for node in (first, second):
        sweep(node.workers[0], NOW)

    assert body(first.workers[0], b"key") == b"first"
    assert body(second.workers[0], b"key") == b"second"
    first.close()
    second.close()
    assert list(base.iterdir()) == []


def test_strangers_are_left_alone_and_half_removed_ones_are_not(base: Path) -> None:
    prefix = f"kairos-cache-{os.geteuid()}-"
    (base / f"{prefix}new").mkdir()  # somebody is just making it
    (base / f"{prefix}old-gone" / "files" / "ab").mkdir(parents=True)
    (base / f"{prefix}old-gone" / "files" / "ab" / "cd").touch()
    (base / "kairos-cache-x").mkdir()
    node = Node(base, workers=1)

    sweep(node.workers[0], NOW)

    assert {path.name for path in base.iterdir()} == {f"{prefix}new", "kairos-cache-x", node.root.name}
    node.close()


@pytest.mark.parametrize("is_link", [False, True])
def test_a_directory_that_others_may_write_to_is_not_used(base: Path, is_link: bool) -> None:
    place = Place(base, "mark")
    if is_link:
        (base / "elsewhere").mkdir(mode=0o700)
        place.root.symlink_to(base / "elsewhere")
    else:
        place.root.mkdir()
        place.root.chmod(0o777)

    with pytest.raises(PermissionError):
        place.open()
