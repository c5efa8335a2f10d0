"""Hot answers: those in use stay, within so many bytes."""

from math import inf

from kairos.cache.entry import FileEntry, Hot
from kairos.cache.form import Head
from kairos.traffic.caching.store import Label


def entry(size: int = 9_000) -> FileEntry:
    head = Head(b"key", Label(b"", (), inf, b""), 0, b"12345678")
    return FileEntry(head, size, bytes(size), None, 0)


def test_they_stay_within_bounds() -> None:
    hot = Hot(100_000)
    for number in range(100):
        hot.add(b"%d" % number, entry(number * 100))
        assert hot.memory <= 100_000

    assert hot.memory == sum(kept.memory for kept in hot.entries.values()) > 50_000


def test_what_was_used_stays_longer_than_what_was_not() -> None:
    hot = Hot(100_000)
    for number in range(9):
        hot.add(b"%d" % number, entry())
    hot.entries[b"0"].is_used = True

    for number in range(9, 12):
        hot.add(b"%d" % number, entry())

    assert b"0" in hot.entries
    assert b"1" not in hot.entries


def test_if_all_are_used_the_oldest_goes() -> None:
    hot = Hot(100_000)
    for number in range(9):
        hot.add(b"%d" % number, entry())
        hot.entries[b"%d" % number].is_used = True

    hot.add(b"new", entry())

    assert b"new" in hot.entries
    assert len(hot.entries) == 9


def test_one_that_takes_much_of_the_room_is_not_kept() -> None:
    hot = Hot(100_000)
    hot.add(b"key", entry(10))

    hot.add(b"key", entry(30_000))

    assert (len(hot.entries), hot.memory) == (0, 0)


def test_another_of_the_same_key_takes_its_place() -> None:
    hot = Hot(100_000)
    hot.add(b"key", entry(10))
    second = entry(2_000)
    hot.add(b"key", second)

    assert (hot.entries[b"key"], hot.memory) == (second, second.memory)
    hot.drop(b"key")
    hot.drop(b"key")
    assert hot.memory == 0
    hot.add(b"key", second)
    hot.clear()
    assert (len(hot.entries), hot.memory) == (0, 0)
