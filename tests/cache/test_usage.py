"""How much the files take: counted in pages, and put right."""

import pytest

from kairos.cache import words
from kairos.cache.usage import SHARDS, UNFINISHED, Usage, pages
from kairos.shm import layout
from kairos.shm.zone import Zone


@pytest.mark.parametrize(("size", "expected"), [(0, 1), (1, 1), (4096, 1), (4097, 2), (1 << 20, 256)])
def test_every_file_takes_a_page_or_more(size: int, expected: int) -> None:
    assert pages(size) == expected


def test_the_sum_is_that_of_all_shards_and_can_be_put_right() -> None:
    zone = Zone(1, columns=8, words=8)
    one, other = Usage(zone.cache), Usage(zone.cache)
    one.add(0, 3)
    other.add(SHARDS - 1, 4)
    one.add(UNFINISHED, 5)
    assert other.total() == 12 * 4096

    one.correct(0, 2, 9)  # somebody has changed it meanwhile
    assert one.of(0) == 3
    one.correct(0, 3, 2)
    assert (one.of(0), one.total()) == (2, 11 * 4096)

    zone.cache.fetch_add(words.TOTAL, 100)
    one.settle()
    assert one.total() == 11 * 4096


def test_the_words_do_not_overlap() -> None:
    singles = {words.SEQUENCE, words.RULES, words.ALL_BEFORE, words.RETIRED, words.FLOOR, words.CURSOR, words.LEASE}

    assert len(singles | {words.TOTAL}) == 8
    assert max(singles | {words.TOTAL}) < words.SHARDS
    assert words.SHARDS + UNFINISHED < words.KEYS
    assert words.KEYS + words.KEY_WORDS == layout.CACHE_CELLS
