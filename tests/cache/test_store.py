"""The store: what one worker keeps, all find, and nobody finds it after it was removed."""

import gc
from pathlib import Path

import pytest

from kairos.cache.store import Bounds, FileStore
from kairos.shm import layout
from tests.cache.stores import NOW, Node, body, label, stored, whole

LARGE = bytes(range(256)) * 4096  # 1 MiB


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_what_one_worker_stores_all_find(one: FileStore, other: FileStore) -> None:
    about = label(b"example.com/a", b"news", b"sport", useless_at=5000.0, text=b"anything\0\xff")

    assert other.find(b"key") is None
    assert stored(one, b"key", b"he", b"llo", about=about)

    for store in (one, other):
        entry = store.find(b"key")
        assert entry is not None
        assert (entry.label, entry.size, entry.body) == (about, 5, b"hello")
        assert entry.read(1, 3) == b"ell"


def test_an_answer_may_have_no_body_no_place_and_no_tags(one: FileStore) -> None:
    assert stored(one, b"", about=label(b"", text=b""))

    entry = one.find(b"")
    assert entry is not None
    assert (entry.size, entry.body, entry.read(0, 10), entry.label) == (0, b"", b"", label(b"", text=b""))


def test_a_large_body_is_read_in_pieces(node: Node, one: FileStore, other: FileStore) -> None:
    assert stored(one, b"key", *(LARGE[at : at + 1000] for at in range(0, len(LARGE), 1000)))

    entry = other.find(b"key")
    assert entry is not None
    assert entry.body is None
    assert entry.size == len(LARGE)
    assert whole(entry) == LARGE
    assert entry.read(len(LARGE) - 2, 10) == LARGE[-2:]
    assert entry.read(len(LARGE), 10) == b""
    assert node.unfinished() == []


def test_a_body_can_be_read_to_its_end_whatever_happens_to_the_file(one: FileStore, other: FileStore) -> None:
    stored(one, b"key", LARGE)
    entry = other.find(b"key")
    assert entry is not None

    stored(one, b"key", b"another")
    one.purge(b"", below=True)
    one.remove(b"key")

    assert whole(entry) == LARGE


def test_a_file_is_closed_when_nobody_reads_it(one: FileStore) -> None:
    stored(one, b"key", LARGE)
    gc.collect()
    before = open_files()
    entries = [one.find(b"key") for _ in range(3)]
    assert open_files() == before + 3

    entries.clear()
    gc.collect()

    assert open_files() == before


def test_a_hit_on_a_hot_answer_is_the_same_object_until_something_happens(one: FileStore, other: FileStore) -> None:
    stored(one, b"key", b"hello")
    entry = one.find(b"key")
    assert entry is not None
    entry.opened = "what the rules have read"

    assert one.find(b"key") is entry

    stored(other, b"key", b"hello")
    again = one.find(b"key")
    assert again is not None
    assert again is not entry
    assert again.opened is None


def test_a_replaced_answer_is_seen_at_once(one: FileStore, other: FileStore) -> None:
    for number in range(5):
        text = b"%d" % number
        assert stored((one, other)[number % 2], b"key", text)
        assert (body(one, b"key"), body(other, b"key")) == (text, text)


def test_a_removed_answer_is_gone_at_once(node: Node, one: FileStore, other: FileStore) -> None:
    stored(one, b"key", b"hello")
    assert body(other, b"key") == b"hello"

    one.remove(b"key")

    assert (one.find(b"key"), other.find(b"key")) == (None, None)
    assert node.files() == []


def test_what_was_asked_for_before_a_removal_is_not_stored_after_it(one: FileStore, other: FileStore) -> None:
    ticket = one.ticket()
    writer = one.begin(b"key", label(), ticket)
    assert writer is not None
    writer.write(b"old")

    other.remove(b"key")

    assert not writer.commit()
    assert not stored(one, b"key", b"old", ticket=ticket)
    assert one.find(b"key") is None
    assert stored(one, b"key", b"new")
    assert body(other, b"key") == b"new"


def test_a_writer_that_is_dropped_or_aborted_leaves_nothing(node: Node, one: FileStore) -> None:
    for size in (10, 1 << 20):
        writer = one.begin(b"key", label(), one.ticket())
        assert writer is not None
        assert writer.write(bytes(size))
        assert len(node.unfinished()) == (size > 1000)
        del writer
        gc.collect()
        assert node.unfinished() == []

    writer = one.begin(b"key", label(), one.ticket())
    assert writer is not None
    writer.write(LARGE)
    writer.abort()
    assert not writer.write(b"more")
    assert not writer.commit()
    assert (node.unfinished(), node.files(), one.files.usage.total()) == ([], [], 0)


def test_an_answer_is_found_by_nobody_before_it_is_whole(one: FileStore, other: FileStore) -> None:
    writer = one.begin(b"key", label(), one.ticket())
    assert writer is not None
    writer.write(LARGE)
    assert other.find(b"key") is None

    assert writer.commit()
    assert not writer.commit()
    assert body(other, b"key") == LARGE


@pytest.mark.parametrize("is_large", [False, True])
def test_a_refreshed_answer_has_a_new_label_and_the_same_body(one: FileStore, other: FileStore, is_large: bool) -> None:
    text = LARGE if is_large else b"hello"
    stored(one, b"key", text)
    entry = other.find(b"key")
    assert entry is not None

    fresh = other.refresh(b"key", entry, label(b"example.com/a", b"new"), other.ticket())

    assert fresh is not None
    assert (fresh.label.tags, whole(fresh)) == ((b"new",), text)
    found = one.find(b"key")
    assert found is not None
    assert (found.label.tags, whole(found)) == ((b"new",), text)
    assert entry.label.tags == ()


def test_the_label_of_a_large_answer_is_renewed_again_and_again_in_the_same_file(
    node: Node, one: FileStore, other: FileStore
) -> None:
    stored(one, b"key", LARGE, about=label(useless_at=2000.0))
    (file,) = node.files()
    number = file.stat().st_ino
    for turn in range(5):
        worker = (one, other)[turn % 2]
        entry = worker.find(b"key")
        assert entry is not None
        about = label(useless_at=3000.0 + turn, text=b"%d" % turn * 500)
        assert worker.refresh(b"key", entry, about, worker.ticket()) is not None
        for store in (one, other):
            found = store.find(b"key")
            assert found is not None
            assert (found.label, whole(found)) == (about, LARGE)
        assert (file.stat().st_ino, file.stat().st_mtime) == (number, 3000.0 + turn)

    about = label(text=bytes(100_000))  # there is no room for it
    entry = one.find(b"key")
    assert entry is not None
    assert one.refresh(b"key", entry, about, one.ticket()) is not None
    found = other.find(b"key")
    assert found is not None
    assert (found.label, whole(found)) == (about, LARGE)
    assert file.stat().st_ino != number
    assert one.files.usage.total() == file.stat().st_size + 4095 & ~4095


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("how", ["removed", "purged", "replaced"])
def test_what_is_gone_is_not_refreshed(one: FileStore, other: FileStore, how: str, is_large: bool) -> None:
    stored(one, b"key", LARGE if is_large else b"old")
    entry = one.find(b"key")
    ticket = one.ticket()
    assert entry is not None
    if how == "removed":
        other.remove(b"key")
    elif how == "purged":
        other.purge(b"example.com/a")
    else:
        stored(other, b"key", b"new")

    assert one.refresh(b"key", entry, label(), ticket) is None
    assert body(other, b"key") == (b"new" if how == "replaced" else None)


def test_a_refresh_does_not_bring_back_what_a_purge_is_about(one: FileStore, other: FileStore) -> None:
    stored(one, b"key", b"old", about=label(b"example.com/a", b"news"))
    entry = one.find(b"key")
    assert entry is not None
    assert one.refresh(b"key", entry, label(b"example.com/a"), one.ticket()) is not None

    other.purge(b"example.com/a")

    assert one.find(b"key") is None


def test_too_large_an_answer_is_not_stored(base: Path) -> None:
    node = Node(base, workers=1, bounds=Bounds(files=1 << 20, memory=1 << 16, body=1000))
    (store,) = node.workers
    writer = store.begin(b"key", label(), store.ticket())
    assert writer is not None

    assert writer.write(bytes(1000))
    assert not writer.write(b"x")
    assert not writer.commit()
    assert store.begin(b"key", label(text=bytes(1 << 17)), store.ticket()) is None
    assert store.begin(b"key", label(b"", b"t" * 1025), store.ticket()) is None
    assert node.zone.total(layout.CACHE_REFUSED) == 3
    node.close()


def test_two_keys_never_share_an_answer(one: FileStore) -> None:
    for number in range(300):
        stored(one, b"%d" % number, b"body of %d" % number)

    assert all(body(one, b"%d" % number) == b"body of %d" % number for number in range(300))


def test_a_damaged_file_is_removed(node: Node, one: FileStore) -> None:
    for damage in (b"", b"x", b"x" * 1000):
        stored(one, b"key", b"hello")
        (file,) = node.files()
        file.write_bytes(damage)
        assert node.worker(0).find(b"key") is None
        assert node.files() == []


@pytest.mark.parametrize("at", [0, 9, 20, 50, 64, 72])
def test_a_file_with_a_changed_byte_is_not_used(node: Node, one: FileStore, at: int) -> None:
    stored(one, b"key", b"hello")
    (file,) = node.files()
    data = bytearray(file.read_bytes())
    data[at] ^= 0x10
    file.write_bytes(data)

    assert one.find(b"key") is None


def test_a_hot_answer_in_use_is_marked_so_once_in_a_while(node: Node, one: FileStore) -> None:
    stored(one, b"key", b"hello", about=label(useless_at=9000.0))
    one.find(b"key")
    (file,) = node.files()
    assert (file.stat().st_atime, file.stat().st_mtime) == (NOW, 9000.0)

    one.tick(NOW + 50)
    one.find(b"key")
    assert file.stat().st_atime == NOW
    one.tick(NOW + 70)
    one.find(b"key")
    assert (file.stat().st_atime, file.stat().st_mtime) == (NOW + 70, 9000.0)


def test_files_are_for_their_owner_alone(node: Node, one: FileStore) -> None:
    stored(one, b"key", b"hello")

    assert node.root.stat().st_mode & 0o777 == 0o700
    assert node.files()[0].stat().st_mode & 0o777 == 0o600


def test_the_name_of_a_file_does_not_tell_the_key(node: Node, base: Path) -> None:
    stored(node.workers[0], b"key", b"hello")
    second = Node(base)
    stored(second.workers[0], b"key", b"hello")

    assert node.files()[0].relative_to(node.root) != second.files()[0].relative_to(second.root)
    second.close()
