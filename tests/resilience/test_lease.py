"""A lease: one of the workers has it, the lowest that is alive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.resilience.lease import LEASE_SECONDS, RENEW_SECONDS, Lease
from kairos.shm.zone import Zone

START = 1000.0
STEP = 0.25


@pytest.fixture
def leases() -> list[Lease]:
    return of_workers(3)
ZONE = Zone(1, columns=1, words=2)  # one for all tests: each has a file



def of_workers(count: int) -> list[Lease]:
    word = ZONE.word(b"lease")
    ZONE.cells.store(word, 0)
    return [Lease(ZONE.cells, word, slot) for slot in range(count)]


def test_whoever_comes_first_has_it(leases: list[Lease]) -> None:
    first, second, _ = leases

    assert first.keep(START)
    assert not second.keep(START)
    assert first.is_ours(START)
    assert not second.is_ours(START)


def test_nobody_has_it_who_has_not_taken_it(leases: list[Lease]) -> None:
    assert not leases[0].is_ours(START)


def test_a_lower_worker_takes_it_from_a_higher_one(leases: list[Lease]) -> None:
    first, second, _ = leases
    second.keep(START)

    assert first.keep(START)
    assert not second.is_ours(START)
    assert not second.keep(START)


def test_who_keeps_it_has_it_for_as_long_as_it_likes(leases: list[Lease]) -> None:
    first, second, _ = leases
    for step in range(100):
        assert first.keep(START + step * STEP)
        assert not second.keep(START + step * STEP)


def test_the_end_is_put_off_only_now_and_then() -> None:
    zone = Zone(1, columns=1, words=2)
    lease = Lease(zone.cells, index := zone.word(b"lease"), 0)
    words = set()
    for step in range(int(10 * RENEW_SECONDS / STEP)):
        lease.keep(START + step * STEP)
        words.add(zone.cells.load(index))

    assert len(words) == 10


def test_who_is_gone_loses_it(leases: list[Lease]) -> None:
    first, second, third = leases
    first.keep(START)

    assert not second.keep(START + LEASE_SECONDS - STEP)
    assert second.keep(START + LEASE_SECONDS)
    assert not third.keep(START + LEASE_SECONDS)
    assert not first.is_ours(START + LEASE_SECONDS)


def test_who_was_stuck_does_not_believe_to_have_it(leases: list[Lease]) -> None:
    first, second, _ = leases
    first.keep(START)
    second.keep(START + LEASE_SECONDS)

    assert not first.is_ours(START + STEP)


def test_who_leaves_hands_it_over_at_once(leases: list[Lease]) -> None:
    first, second, _ = leases
    first.keep(START)

    first.give_up()

    assert second.keep(START)


def test_only_the_holder_can_give_it_up(leases: list[Lease]) -> None:
    first, second, _ = leases
    first.keep(START)

    second.give_up()

    assert first.is_ours(START)


@given(st.lists(st.sampled_from(["keep 0", "keep 1", "keep 2", "leave 0", "leave 1", "pass"]), max_size=80))
def test_never_do_two_have_it(events: list[str]) -> None:
    leases, now = of_workers(3), START
    for event in events:
        match event.split():
            case ["keep", slot]:
                if leases[int(slot)].keep(now):
                    assert leases[int(slot)].is_ours(now)
            case ["leave", slot]:
                leases[int(slot)].give_up()
            case _:
                now += LEASE_SECONDS / 4
        assert sum(lease.is_ours(now) for lease in leases) <= 1
