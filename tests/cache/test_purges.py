"""Purges: what a call to purge is about, no worker finds after it, and what was asked for later all find."""

from pathlib import Path

import pytest

from kairos.cache import purges, words
from kairos.cache.store import FileStore
from tests.cache.stores import NOW, Node, body, label, stored, sweep

MINUTE = 61.0


@pytest.fixture
def filled(node: Node) -> FileStore:
    """Return a worker of a node in which some answers are stored, and hot in all workers."""
    store = node.workers[0]
    for key, about in {
        b"a": label(b"example.com/a", b"news", b"sport"),
        b"a?x": label(b"example.com/a", b"news"),
        b"a/b": label(b"example.com/a/b", b"sport"),
        b"other": label(b"example.org/", b"newspaper"),
        b"none": label(b"example.org/none"),
    }.items():
        assert stored(store, key, key, about=about)
        for worker in node.workers:
            assert body(worker, key) == key
    return store


def left(node: Node) -> list[str]:
    """Return the keys that are found, the same by all workers."""
    (found,) = {
        tuple(key.decode() for key in (b"a", b"a?x", b"a/b", b"other", b"none") if worker.find(key) is not None)
        for worker in node.workers
    }
    return list(found)


@pytest.mark.parametrize(
    ("place", "below", "expected"),
    [
        (b"example.com/a", False, ["a/b", "other", "none"]),
        (b"example.com/a", True, ["other", "none"]),
        (b"example.com/a/", True, ["a", "a?x", "other", "none"]),
        (b"example.com", False, ["a", "a?x", "a/b", "other", "none"]),
        (b"example.org/", True, ["a", "a?x", "a/b"]),
        (b"", True, []),
        (b"", False, ["a", "a?x", "a/b", "other", "none"]),
        (b"example.com/a\0", True, ["a", "a?x", "a/b", "other", "none"]),
    ],
)
def test_places(node: Node, filled: FileStore, place: bytes, below: bool, expected: list[str]) -> None:
    filled.purge(place, below=below)

    assert left(node) == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (b"news", ["a/b", "other", "none"]),
        (b"sport", ["a?x", "other", "none"]),
        (b"newspaper", ["a", "a?x", "a/b", "none"]),
        (b"n", ["a", "a?x", "a/b", "other", "none"]),
        (b"x" * 5000, ["a", "a?x", "a/b", "other", "none"]),
    ],
)
def test_tags(node: Node, filled: FileStore, tag: bytes, expected: list[str]) -> None:
    filled.purge_tag(tag)

    assert left(node) == expected


def test_a_place_that_fits_no_link_is_purged_with_what_begins_like_it(node: Node, one: FileStore) -> None:
    place = b"example.com/" + b"a" * 8000
    stored(one, b"long", b"x", about=label(place))
    stored(one, b"short", b"x", about=label(b"example.com/"))

    one.purge(place)

    assert one.find(b"long") is None
    assert one.find(b"short") is not None


@pytest.mark.parametrize("place", [b"a//b/./c/../d", b"\xff\xfe%00 \n", b"-", b"/"])
def test_a_place_is_taken_byte_for_byte(node: Node, one: FileStore, other: FileStore, place: bytes) -> None:
    stored(one, b"key", b"x", about=label(place))
    stored(one, b"like", b"x", about=label(place + b"/"))

    other.purge(place)

    assert one.find(b"key") is None
    assert one.find(b"like") is not None


def test_what_was_asked_for_before_a_purge_is_not_stored_after_it(one: FileStore, other: FileStore) -> None:
    for purge in (
        lambda: other.purge_tag(b"news"),
        lambda: other.purge(b"example.com/a"),
        lambda: other.purge(b"", below=True),
    ):
        ticket = one.ticket()
        writer = one.begin(b"key", label(b"example.com/a", b"news"), ticket)
        assert writer is not None
        writer.write(b"old")
        purge()

        assert not writer.commit()
        assert not stored(one, b"key", b"old", about=label(b"example.com/a", b"news"), ticket=ticket)
        assert one.find(b"key") is None
        assert stored(one, b"key", b"new", about=label(b"example.com/a", b"news"))
        assert (body(one, b"key"), body(other, b"key")) == (b"new", b"new")


def test_a_purge_of_other_things_lets_a_writer_go_on(one: FileStore, other: FileStore) -> None:
    writer = one.begin(b"key", label(b"example.com/a", b"news"), one.ticket())
    assert writer is not None
    other.purge_tag(b"sport")
    other.remove(b"another key")

    assert writer.commit()
    assert other.find(b"key") is not None


def test_a_worker_that_starts_later_knows_all_purges(node: Node, filled: FileStore) -> None:
    filled.purge_tag(b"news")
    filled.purge(b"example.org/", below=True)

    assert [key for key in (b"a", b"a/b", b"other") if node.worker(1).find(key)] == [b"a/b"]


def test_a_pass_removes_what_is_purged_and_a_later_one_the_rules(node: Node, filled: FileStore) -> None:
    filled.purge_tag(b"news")
    assert len(node.files()) == 5

    sweep(filled, NOW)
    assert len(node.files()) == 3
    assert len(node.rules()) == 1
    sweep(filled, NOW + MINUTE)

    assert node.rules() == []
    assert left(node) == ["a/b", "other", "none"]


def test_an_answer_that_was_asked_for_before_a_rule_that_is_forgotten_is_not_stored(
    node: Node, one: FileStore, other: FileStore
) -> None:
    writer = other.begin(b"key", label(b"example.com/a", b"news"), other.ticket())
    assert writer is not None
    one.purge_tag(b"news")
    sweep(one, NOW)
    sweep(one, NOW + MINUTE)
    assert node.rules() == []

    assert not writer.commit()
    assert node.worker(1).begin(b"key", label(), 0) is not None
    assert not stored(node.worker(1), b"key", b"old", ticket=0)
    assert stored(other, b"key", b"new")


def test_a_hot_answer_is_not_used_after_the_rule_about_it_is_forgotten(node: Node, filled: FileStore) -> None:
    """A worker may have nothing to do while a rule is made, carried out and forgotten."""
    filled.purge_tag(b"news")
    sweep(filled, NOW)
    sweep(filled, NOW + MINUTE)
    filled.purge_tag(b"another")  # now the others read the rules, and that about news is gone

    assert left(node) == ["a/b", "other", "none"]


def test_rules_that_never_end_are_forgotten_all_the_same(node: Node, filled: FileStore) -> None:
    for minute in range(10):
        filled.purge_tag(b"tag %d" % minute)
        sweep(filled, NOW + minute * MINUTE)
        assert len(node.rules()) <= 2


def test_a_rule_that_was_noted_and_not_published_harms_nobody(node: Node, filled: FileStore, other: FileStore) -> None:
    """The process was killed in between."""
    (node.root / "rules" / "1").symlink_to("1 tag sport")

    other.purge_tag(b"newspaper")

    assert len(node.rules()) == 2
    assert left(node) == ["a?x", "none"]


def test_where_no_rule_can_be_noted_everything_is_purged(node: Node, filled: FileStore) -> None:
    (node.root / "rules").rmdir()

    filled.purge_tag(b"sport")

    assert left(node) == []


def test_more_rules_than_can_be_kept_purge_everything(
    node: Node, filled: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purges, "MOST_RULES", 5)
    for number in range(5):
        filled.purge_tag(b"%d" % number)
    assert len(left(node)) == 5

    filled.purge_tag(b"one more")

    assert left(node) == []
    assert stored(filled, b"a", b"new")
    sweep(filled, NOW)
    sweep(filled, NOW + MINUTE)
    filled.purge_tag(b"and another")
    assert left(node) == ["a"]


def test_stamps_only_rise(node: Node) -> None:
    cells = node.zone.cache
    words.raise_to(cells, words.FLOOR, 5)
    words.raise_to(cells, words.FLOOR, 3)
    assert cells.load(words.FLOOR) == 5

    words.publish_rule(cells, 7)
    words.publish_rule(cells, 4)
    words.purge_everything(cells)
    assert words.latest_rule(cells.load(words.RULES)) == 7

    index = words.KEYS
    words.mark_removed(cells, index)
    first = words.removed_at(cells.load(index))
    cells.fetch_add(index, 1)
    words.mark_removed(cells, index)
    assert words.removed_at(cells.load(index)) == first + 1


def test_the_directory_of_rules_may_have_strange_names(node: Node, filled: FileStore, base: Path) -> None:
    (node.root / "rules" / "strange").touch()
    filled.purge_tag(b"news")
    sweep(filled, NOW)
    sweep(filled, NOW + MINUTE)

    assert [path.name for path in node.rules()] == ["strange"]


def test_a_purge_is_about_the_tags_that_an_answer_had_before_it(one: FileStore, other: FileStore) -> None:
    stored(one, b"key", b"x", about=label(b"example.com/a"))
    one.purge_tag(b"news")
    entry = other.find(b"key")
    assert entry is not None

    assert other.refresh(b"key", entry, label(b"example.com/a", b"news"), other.ticket()) is not None
    assert one.find(b"key") is not None

    one.purge_tag(b"news")
    assert other.find(b"key") is None


@pytest.mark.parametrize("size", [10, 500_000])
def test_a_refresh_that_was_asked_for_before_a_forgotten_rule_is_none(
    node: Node, one: FileStore, other: FileStore, size: int
) -> None:
    stored(one, b"key", bytes(size), about=label(b"example.com/a"))
    entry = other.find(b"key")
    ticket = other.ticket()
    assert entry is not None
    one.purge_tag(b"news")
    sweep(one, NOW)
    sweep(one, NOW + MINUTE)
    assert node.rules() == []

    assert other.refresh(b"key", entry, label(b"example.com/a", b"news"), ticket) is None
    found = other.find(b"key")
    assert found is not None
    assert found.label.tags == ()
