"""Layout: the parts of a zone do not overlap, and no number has two meanings."""

import pytest

from kairos.shm import layout
from kairos.shm.layout import Layout

COUNTERS = (
    *("CONNECTIONS_ACCEPTED", "REQUESTS", "LOCAL_REPLIES", "BYTES_IN", "BYTES_OUT"),
    *("RESPONSES_1XX", "RESPONSES_2XX", "RESPONSES_3XX", "RESPONSES_4XX", "RESPONSES_5XX"),
    *("UPSTREAM_CONNECTS", "UPSTREAM_REUSES", "UPSTREAM_FAILURES"),
    *("RETRIES", "RATE_LIMITED", "RATE_DRY_RUN", "RATE_FORGOTTEN"),
    *("CACHE_HITS", "CACHE_FETCHES", "CACHE_REFUSED", "CACHE_EVICTED"),
)
GAUGES = ("CONNECTIONS_OPEN", "IN_FLIGHT", "UPSTREAM_OPEN", "LIVE_GENERATIONS", "LIVE_GENERATION", "HEARTBEAT", "PID")


def test_every_name_of_a_row_has_a_cell_of_its_own_before_the_columns() -> None:
    cells = [getattr(layout, name) for name in COUNTERS + GAUGES]

    assert len(set(cells)) == len(cells)
    assert max(cells) < layout.COLUMNS


def test_the_classes_of_responses_follow_each_other() -> None:
    first = layout.RESPONSES_1XX

    assert [getattr(layout, f"RESPONSES_{digit}XX") - first for digit in range(1, 6)] == [0, 1, 2, 3, 4]


def test_gauges_and_counters_are_apart() -> None:
    assert all(getattr(layout, name) in layout.GAUGES for name in GAUGES)
    assert not any(getattr(layout, name) in layout.GAUGES for name in COUNTERS)


@pytest.mark.parametrize("slots", [1, 3, 64])
@pytest.mark.parametrize("columns", [1, 8, 1024])
def test_the_parts_lie_one_after_the_other(slots: int, columns: int) -> None:
    zone = Layout(slots, columns, words=16)

    assert zone.row(0) == layout.HEADER_CELLS > layout.HASH_KEY + 1
    assert zone.row_cells > layout.COLUMNS + columns
    assert zone.names == zone.row(slots)
    assert zone.table >= zone.names + columns * layout.NAME_CELLS
    assert zone.guarded > zone.table + 16 * layout.ENTRY_CELLS
    assert zone.cells >= zone.cache + layout.CACHE_CELLS


def test_rows_start_on_pages_of_their_own() -> None:
    zone = Layout(4, 8, 8)

    assert all(zone.row(slot) * 8 % 4096 == 0 for slot in range(4))
