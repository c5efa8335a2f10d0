"""The zone: rows add up, words are exact, and the dead leave only what they counted."""

import fcntl
import os

import pytest

from kairos.shm import layout
from kairos.shm.zone import Zone


@pytest.fixture
def zone() -> Zone:
    return Zone(3, started_at=1_700_000_000_000_000_000, started_clock=5, columns=8, words=8)


def test_a_new_zone_knows_when_it_began_and_has_counted_nothing(zone: Zone) -> None:
    assert zone.slots == 3
    assert zone.cells.load(layout.STARTED_AT) == 1_700_000_000_000_000_000
    assert zone.cells.load(layout.STARTED_CLOCK) == 5
    assert zone.total(layout.REQUESTS) == 0


def test_a_total_is_the_sum_of_all_rows(zone: Zone) -> None:
    zone.row(0).add(layout.REQUESTS, 2)
    zone.row(2).add(layout.REQUESTS, 5)

    assert zone.total(layout.REQUESTS) == 7


def test_a_row_reaches_no_other_row(zone: Zone) -> None:
    row = zone.row(1)
    for index in range(len(row)):
        row.store(index, 9)

    assert zone.row(0).load(len(zone.row(0)) - 1) == 0
    assert zone.row(2).load(0) == 0
    with pytest.raises(IndexError):
        row.load(len(row))


def test_a_dead_worker_leaves_its_counts_and_nothing_in_flight(zone: Zone) -> None:
    column = zone.column("route /")
    for index in (layout.REQUESTS, layout.IN_FLIGHT, layout.CONNECTIONS_OPEN, layout.BYTES_OUT, column):
        zone.row(1).add(index, 4)
    zone.row(0).add(layout.IN_FLIGHT, 1)

    zone.clear_gauges(1)

    assert zone.total(layout.IN_FLIGHT) == 1
    assert zone.total(layout.CONNECTIONS_OPEN) == 0
    assert [zone.total(index) for index in (layout.REQUESTS, layout.BYTES_OUT, column)] == [4, 4, 4]


def test_a_named_gauge_is_forgotten_with_its_worker_and_a_counter_of_the_same_name_is_not(zone: Zone) -> None:
    gauge, counter = zone.gauge("http://a:80"), zone.column("http://a:80")
    for slot in (0, 1):
        zone.row(slot).add(gauge, 3)
        zone.row(slot).add(counter, 5)

    zone.clear_gauges(1)

    assert zone.total(gauge) == 3
    assert zone.total(counter) == 10


def test_gauges_are_read_back_apart_from_what_is_counted(zone: Zone) -> None:
    gauge, counter = zone.gauge("a"), zone.column("a")

    assert zone.gauge("a") == gauge != counter
    assert zone.gauges() == {"a": gauge}
    assert zone.columns() == {"a": counter}


def test_gauges_beyond_the_room_share_one_that_no_counter_has(zone: Zone) -> None:
    for number in range(8):
        zone.column(str(number))
    gauges, counter = {zone.gauge(name) for name in "abc"}, zone.column("a")

    (gauge,) = gauges
    assert zone.gauges() == {"other": gauge}
    assert zone.columns()["other"] == counter != gauge
    for index in (gauge, counter):
        zone.row(2).add(index, 1)  # they lie in the row
    zone.clear_gauges(2)
    assert (zone.total(gauge), zone.total(counter)) == (0, 1)


def test_a_word_belongs_to_its_key_in_every_process(zone: Zone) -> None:
    pid = os.fork()
    if pid == 0:
        zone.cells.fetch_add(zone.word(b"round robin /a"), 3)
        zone.cells.fetch_add(zone.word(b"round robin /b"), 5)
        os._exit(0)
    os.waitpid(pid, 0)

    assert zone.cells.fetch_add(zone.word(b"round robin /a"), 1) == 3
    assert zone.cells.fetch_add(zone.word(b"round robin /b"), 1) == 5


def test_keys_beyond_the_room_share_a_word_and_are_counted(zone: Zone) -> None:
    words = [zone.word(b"%d" % number) for number in range(8)]
    shared = {zone.word(b"late %d" % number) for number in range(4)}

    assert len(set(words)) == 8
    assert len(shared) == 1
    assert shared.isdisjoint(words)
    assert shared == {zone.shared_word}
    assert zone.cells.load(layout.WORDS_FOLDED) == 4
    zone.cells.fetch_add(shared.pop(), 1)  # it lies in the zone


def test_two_zones_place_the_same_key_by_different_secrets() -> None:
    placements = {tuple(zone.word(b"%d" % key) for key in range(8)) for zone in (Zone(1, words=4096) for _ in range(4))}

    assert len(placements) > 1


def test_memory_is_used_only_where_someone_looked() -> None:
    zone = Zone(64)
    zone.row(63).add(layout.REQUESTS, 1)

    stat = os.fstat(zone.fd)

    assert stat.st_size > 10_000_000
    assert stat.st_blocks * 512 < 100_000


def test_nobody_can_take_memory_away_from_under_the_others(zone: Zone) -> None:
    assert fcntl.fcntl(zone.fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK
    with pytest.raises(PermissionError):
        os.ftruncate(zone.fd, 0)


def test_a_secret_is_the_same_for_all_processes_and_another_for_each_purpose_and_start(zone: Zone) -> None:
    secret = zone.secret(b"one")

    assert len(secret) == 32
    assert zone.secret(b"one") == secret
    assert len({secret, zone.secret(b"other"), Zone(1).secret(b"one")}) == 3
