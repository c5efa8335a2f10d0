"""The form of a file: what is written is read back, and nothing else is."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.cache import form
from kairos.cache.form import Damaged, Head
from kairos.traffic.caching.store import Label

TAGS = st.binary(min_size=1, max_size=20).filter(lambda tag: 0 not in tag)
LABELS = st.builds(
    Label, st.binary(), st.lists(TAGS, max_size=4).map(tuple), st.floats(0) | st.just(inf), st.binary(max_size=5000)
)
HEADS = st.builds(Head, st.binary(), LABELS, st.integers(0, 1 << 62), st.binary(min_size=8, max_size=8))
HEAD = Head(b"key", Label(b"place", (b"one", b"two"), 5.0, b"text"), 7, b"12345678")


def read(data: bytes) -> form.Found:
    prefix = form.unpack_prefix(data)
    return form.unpack(prefix, data, prefix.slot_at)


@given(HEADS, st.integers(0, 1 << 60), st.booleans())
def test_what_is_written_is_read(head: Head, size: int, has_slots: bool) -> None:
    start = form.start_of(head.key, head.label)
    slots = form.slot_size(start) if has_slots else 0

    data = form.pack(head, size, slots)
    found = read(data + b"body")

    assert len(data) == start
    assert (found.head, found.size) == (head, size)
    assert found.start == (2 * slots if has_slots else start)
    assert not found.prefix.is_confirmed
    assert len(form.pack_head(head, size)) <= form.slot_room(0, slots) < form.slot_room(1, slots) or not has_slots


@given(HEADS, HEADS)
def test_the_head_of_the_slot_in_use_is_read(first: Head, second: Head) -> None:
    slots = max(form.slot_size(form.start_of(head.key, head.label)) for head in (first, second))
    data = bytearray(form.pack(first, 10, slots).ljust(2 * slots))
    new = form.pack_head(second, 10)
    data[slots : slots + len(new)] = new
    assert read(bytes(data)).head == first

    data[form.SLOT_AT] = 1
    data[form.CONFIRMED_AT] = form.CONFIRMED[0]

    found = read(bytes(data))
    assert (found.head, found.start, found.prefix.is_confirmed) == (second, 2 * slots, True)


@given(st.data())
def test_a_beginning_of_a_file_is_damaged(data: st.DataObject) -> None:
    whole = form.pack(HEAD, 3)

    with pytest.raises(Damaged):
        read(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(st.integers(16, len(form.pack(HEAD, 3)) - 1), st.integers(1, 255))
def test_a_changed_byte_of_the_head_is_noticed(at: int, change: int) -> None:
    data = bytearray(form.pack(HEAD, 3))
    data[at] ^= change

    with pytest.raises(Damaged):
        read(bytes(data))


@given(st.binary(max_size=300))
def test_anything_else_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        read(data)


@pytest.mark.parametrize("tag", [b"", b"a\0b", b"x" * (form.MOST_TAG + 1)])
def test_some_tags_cannot_be_kept(tag: bytes) -> None:
    label = Label(b"", (b"good", tag), inf, b"")

    assert not form.is_storable(label, 100)
    assert form.is_storable(Label(b"", (b"good", b"x" * form.MOST_TAG), inf, b""), 100)


def test_a_file_has_room_for_so_much_before_the_body() -> None:
    label = Label(b"", (), inf, b"")

    assert form.is_storable(label, form.MOST_HEAD)
    assert not form.is_storable(label, form.MOST_HEAD + 1)
