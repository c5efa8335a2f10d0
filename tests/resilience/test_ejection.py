"""Outlier ejection: errors in a row, longer each time, forgotten in good times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.resilience.ejection import Ejection
from kairos.resilience.volume import Volume
from kairos.shm.zone import Zone


def ejection_in(zone: Zone, errors: int = 5, base: float = 30.0, longest: float = 300.0) -> Ejection:
    return Ejection(zone.cells, zone.word(b"ejection"), errors, base, longest)


@pytest.fixture
def zone() -> Zone:
    return Zone(1, columns=8, words=8)


@pytest.fixture
def ejection(zone: Zone) -> Ejection:
    return ejection_in(zone)


def eject(ejection: Ejection, now: float) -> None:
    assert [ejection.failed(now, True) for _ in range(5)] == [False] * 4 + [True]


def test_errors_in_a_row_take_a_backend_out(ejection: Ejection) -> None:
    assert not ejection.is_out(100.0)
    assert ejection.returned_at() == 0
    eject(ejection, 100.0)

    assert ejection.is_out(129.9)
    assert not ejection.is_out(130.0)
    assert ejection.returned_at() == 130


def test_a_good_answer_between_begins_anew(ejection: Ejection) -> None:
    for _ in range(4):
        ejection.failed(100.0, True)
    ejection.succeeded()
    for _ in range(4):
        assert not ejection.failed(100.0, True)
    assert not ejection.is_out(100.0)


def test_the_last_one_that_is_well_stays(ejection: Ejection) -> None:
    for _ in range(300):
        assert not ejection.failed(100.0, False)
    assert not ejection.is_out(100.0)

    assert ejection.failed(100.0, True)  # when another one is well again


def test_it_is_out_for_longer_each_time_up_to_a_limit(ejection: Ejection) -> None:
    now, spans = 100.0, []
    for _ in range(12):
        eject(ejection, now)
        spans.append(round(ejection.returned_at() - now))
        now = ejection.returned_at()

    assert spans == [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]


def test_good_times_are_taken_off(ejection: Ejection) -> None:
    for now in (100.0, 130.0, 190.0):
        eject(ejection, now)
    assert ejection.returned_at() == 280

    eject(ejection, 280.0 + 60.0)  # well for two spans
    assert ejection.returned_at() == 340 + 60
    eject(ejection, 10_000.0)
    assert ejection.returned_at() == 10_030


def test_answers_while_it_is_out_are_not_counted(ejection: Ejection) -> None:
    eject(ejection, 100.0)
    for _ in range(20):
        assert not ejection.failed(110.0, True)
    ejection.succeeded()

    assert ejection.returned_at() == 130
    assert ejection.is_out(129.0)


def test_workers_share_it(zone: Zone) -> None:
    one, other = ejection_in(zone), ejection_in(zone)
    for turn in range(5):
        (one, other)[turn % 2].failed(100.0, True)

    assert one.is_out(101.0)
    assert other.is_out(101.0)


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans(), st.booleans()), max_size=200))
def test_it_is_never_out_for_longer_than_the_limit(events: list[tuple[float, bool, bool]]) -> None:
    zone = Zone(1, columns=8, words=8)
    ejection, now = ejection_in(zone, errors=2), 1000.0
    for seconds, is_error, may_eject in events:
        now += seconds
        if is_error:
            ejection.failed(now, may_eject)
        else:
            ejection.succeeded()
        assert ejection.returned_at() <= now + 300.001
    zone.close()


def test_volume_counts_the_last_spans() -> None:
    zone = Zone(1, columns=8, words=8)
    one, other = (Volume(zone.cells, zone.word(b"volume")) for _ in range(2))

    assert [one.add(100.0), other.add(109.9), one.add(110.0)] == [1, 2, 3]
    assert one.add(121.0) == 2  # the first two are gone
    assert other.add(145.0) == 1


def test_a_volume_ends_somewhere() -> None:
    zone = Zone(1, columns=8, words=8)
    volume = Volume(zone.cells, zone.word(b"volume"))

    assert [volume.add(100.0) for _ in range(40_000)][-1] == 32_767
