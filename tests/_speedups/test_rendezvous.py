"""Each key has an order of items, in which a removed item leaves a gap and nothing else."""

from collections.abc import Callable
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos._speedups import COMPILED, _rendezvous_py

Kernel = Callable[[int, bytes, bytes], tuple[int, ...]]

TWINS: list[Kernel] = [_rendezvous_py.ranking]
if COMPILED:
    from kairos._speedups import rendezvous

    TWINS.append(rendezvous.ranking)

words = st.integers(0, 2**64 - 1)
weights = st.floats(1, 2**32)


@pytest.fixture(params=TWINS, ids=lambda kernel: kernel.__module__.rsplit(".", 1)[-1])
def ranking(request: pytest.FixtureRequest) -> Kernel:
    kernel: Kernel = request.param
    return kernel


def seeds_of(items: list[int]) -> bytes:
    return pack(f"={len(items)}Q", *items)


def weights_of(items: list[float]) -> bytes:
    return pack(f"={len(items)}d", *items)


def test_an_order_stays_what_it_is(ranking: Kernel) -> None:
    """A change of these numbers would move every key of every user."""
    seeds = seeds_of([1, 2, 3, 4, 5])

    assert ranking(0, seeds, b"") == (1, 3, 4, 0, 2)
    assert ranking(1, seeds, b"") == (2, 4, 3, 1, 0)
    assert ranking(2**64 - 1, seeds, b"") == (0, 4, 2, 3, 1)
    assert ranking(0, seeds, weights_of([1.0, 1.0, 1.0, 1.0, 100.0])) == (4, 1, 3, 0, 2)


def test_equal_items_stand_in_their_order(ranking: Kernel) -> None:
    for number in (3, 100):
        assert ranking(7, seeds_of([5] * number), b"") == tuple(range(number))
        assert ranking(7, seeds_of([5] * number), weights_of([2.0] * number)) == tuple(range(number))


def test_nothing_to_rank(ranking: Kernel) -> None:
    assert ranking(7, b"", b"") == ()


@pytest.mark.parametrize(("seeds", "weights"), [(b"1234567", b""), (bytes(16), bytes(8)), (bytes(8), bytes(16))])
def test_each_item_has_a_seed_and_a_weight(ranking: Kernel, seeds: bytes, weights: bytes) -> None:
    with pytest.raises(ValueError, match="8 bytes for each item"):
        ranking(7, seeds, weights)


@given(words, st.lists(st.tuples(words, weights), min_size=1, max_size=60, unique_by=lambda item: item[0]), st.data())
def test_without_an_item_all_others_keep_their_places(
    key: int, items: list[tuple[int, float]], data: st.DataObject
) -> None:
    removed = data.draw(st.integers(0, len(items) - 1))
    left = items[:removed] + items[removed + 1 :]
    for ranking in TWINS:
        for is_weighted in (False, True):
            before = ranking(key, *packed(items, is_weighted))
            after = ranking(key, *packed(left, is_weighted))
            names = [items[index][0] for index in before if index != removed]
            assert [left[index][0] for index in after] == names


@given(words, st.lists(weights, max_size=60))
def test_equal_weights_are_no_weights(key: int, given: list[float]) -> None:
    seeds = seeds_of([number * 0x9E3779B97F4A7C15 & (2**64 - 1) for number in range(len(given))])
    for ranking in TWINS:
        assert ranking(key, seeds, weights_of([3.0] * len(given))) == ranking(key, seeds, b"")


@pytest.mark.skipif(not COMPILED, reason="there is no compiled twin")
@given(words, st.lists(st.tuples(words, weights), max_size=60), st.booleans())
def test_twins_are_equal(key: int, items: list[tuple[int, float]], is_weighted: bool) -> None:
    python, compiled = TWINS
    assert compiled(key, *packed(items, is_weighted)) == python(key, *packed(items, is_weighted))


def packed(items: list[tuple[int, float]], is_weighted: bool) -> tuple[bytes, bytes]:
    seeds = seeds_of([seed for seed, _ in items])
    return seeds, weights_of([weight for _, weight in items]) if is_weighted else b""
