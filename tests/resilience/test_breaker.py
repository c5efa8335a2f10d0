"""A circuit breaker: the table of its states, shared by workers that do not know each other."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kairos.resilience.breaker import CLOSED, HALF_OPEN, MOST, OPEN, PASSED, PROBE, REFUSED, Breaker
from kairos.shm.zone import Zone

FAILURES, SUCCESSES, SECONDS = 5, 3, 30.0


@pytest.fixture
def zone() -> Iterator[Zone]:
    zone = Zone(1, columns=8, words=8)
    yield zone


def breaker_in(zone: Zone, failures: int = FAILURES, successes: int = SUCCESSES, seconds: float = SECONDS) -> Breaker:
    return Breaker(zone.cells, zone.word(b"breaker"), failures, successes, seconds)


@pytest.fixture
def breaker(zone: Zone) -> Breaker:
    return breaker_in(zone)


def opened(breaker: Breaker, now: float = 100.0) -> Breaker:
    for _ in range(FAILURES):
        breaker.failed(now, False)
    return breaker


def test_it_is_closed_at_first_and_lets_everything_pass(breaker: Breaker) -> None:
    assert breaker.state() == CLOSED
    assert breaker.look(1.0) == breaker.take(1.0) == PASSED
    assert breaker.seconds_left(1.0) == 0


def test_failures_in_a_row_open_it(breaker: Breaker) -> None:
    assert [breaker.failed(100.0, False) for _ in range(FAILURES)] == [False] * 4 + [True]

    assert breaker.state() == OPEN
    assert breaker.look(100.0) == breaker.take(129.9) == REFUSED
    assert breaker.seconds_left(110.0) == 20


def test_a_success_between_begins_anew(breaker: Breaker) -> None:
    for _ in range(FAILURES - 1):
        breaker.failed(100.0, False)
    assert breaker.count() == FAILURES - 1
    breaker.succeeded(False)
    for _ in range(FAILURES - 1):
        breaker.failed(100.0, False)

    assert breaker.state() == CLOSED


def test_too_few_requests_do_not_open_it(breaker: Breaker) -> None:
    for _ in range(20):
        assert not breaker.failed(100.0, False, may_open=False)
    assert breaker.take(100.0) == PASSED

    assert breaker.failed(100.0, False)
    assert breaker.take(100.0) == REFUSED


def test_after_its_time_one_probe_at_a_time_passes(breaker: Breaker) -> None:
    opened(breaker)

    assert breaker.look(130.0) == PROBE
    assert breaker.state() == OPEN  # looking changes nothing
    assert [breaker.take(130.0) for _ in range(3)] == [PROBE, REFUSED, REFUSED]
    breaker.succeeded(True)
    assert [breaker.take(130.1) for _ in range(2)] == [PROBE, REFUSED]


def test_probes_that_succeed_close_it(breaker: Breaker) -> None:
    opened(breaker)
    for count in range(SUCCESSES):
        assert breaker.count() == count
        assert breaker.take(130.0) == PROBE
        assert breaker.state() == HALF_OPEN
        breaker.succeeded(True)

    assert breaker.state() == CLOSED
    assert breaker.count() == 0


def test_a_probe_that_fails_opens_it_again(breaker: Breaker) -> None:
    opened(breaker)
    breaker.take(130.0)
    breaker.succeeded(True)
    breaker.take(131.0)

    assert breaker.failed(132.0, True)

    assert breaker.take(161.9) == REFUSED
    assert breaker.take(162.0) == PROBE
    assert breaker.count() == 0


def test_late_answers_from_before_it_opened_tell_nothing(breaker: Breaker) -> None:
    opened(breaker)
    breaker.succeeded(False)
    assert breaker.take(110.0) == REFUSED

    assert not breaker.failed(110.0, False)  # refreshes the time
    assert breaker.take(135.0) == REFUSED
    assert breaker.take(140.0) == PROBE
    breaker.succeeded(False)
    assert not breaker.failed(141.0, False)
    assert breaker.take(141.0) == REFUSED  # the probe is still under way
    breaker.succeeded(True)
    assert breaker.count() == 1


def test_a_probe_without_a_result_makes_room_for_the_next(breaker: Breaker) -> None:
    opened(breaker)
    breaker.take(130.0)

    breaker.abandoned()

    assert breaker.take(130.0) == PROBE


def test_a_probe_of_a_worker_that_has_died_is_forgotten(breaker: Breaker) -> None:
    opened(breaker)
    breaker.take(130.0)

    assert breaker.take(159.9) == REFUSED
    assert breaker.take(160.0) == PROBE


def test_a_probe_that_was_overtaken_changes_nothing(breaker: Breaker) -> None:
    breaker.abandoned()
    assert breaker.state() == CLOSED
    opened(breaker)
    breaker.abandoned()
    assert breaker.state() == OPEN
    breaker.succeeded(True)
    assert breaker.state() == OPEN


def test_workers_share_it(zone: Zone) -> None:
    one, other = breaker_in(zone), breaker_in(zone)
    for turn in range(FAILURES):
        (one, other)[turn % 2].failed(100.0, False)

    assert other.take(101.0) == REFUSED
    assert one.take(130.0) == PROBE
    assert other.take(130.0) == REFUSED


def test_counts_end_somewhere(zone: Zone) -> None:
    breaker = breaker_in(zone, failures=2**32 - 1)
    for _ in range(MOST + 10):
        breaker.failed(100.0, False)

    assert breaker.take(100.0) == REFUSED


@given(now=st.floats(0, 1e9), seconds=st.floats(0.001, 1e6))
def test_any_time_is_kept_to_the_millisecond(now: float, seconds: float) -> None:
    zone = Zone(1, columns=8, words=8)
    breaker = breaker_in(zone, 1, 1, seconds)
    breaker.failed(now, False)

    assert abs(breaker.seconds_left(now) - seconds) <= 0.0011
    assert breaker.take(now + seconds + 0.002) == PROBE
    zone.close()


class Workers(RuleBasedStateMachine):
    """Requests of several workers, in any order: what is true of the breaker at every moment."""

    def __init__(self) -> None:
        super().__init__()
        self.zone = Zone(1, columns=8, words=8)
        self.breakers = [breaker_in(self.zone), breaker_in(self.zone)]
        self.now = 1000.0
        self.under_way: list[tuple[bool, float]] = []  # whether it is a probe, and since when

    def teardown(self) -> None:
        self.zone.close()

    @rule(worker=st.integers(0, 1))
    def begins(self, worker: int) -> None:
        verdict = self.breakers[worker].take(self.now)
        if verdict != REFUSED:
            self.under_way.append((verdict == PROBE, self.now))

    @rule(seconds=st.sampled_from((0.1, 1.0, 29.0, 31.0)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.under_way)
    @rule(worker=st.integers(0, 1), place=st.integers(0), result=st.sampled_from(["good", "bad", "none"]))
    def ends(self, worker: int, place: int, result: str) -> None:
        is_probe, _ = self.under_way.pop(place % len(self.under_way))
        breaker = self.breakers[worker]
        if result == "good":
            breaker.succeeded(is_probe)
        elif result == "bad":
            breaker.failed(self.now, is_probe)
        elif is_probe:
            breaker.abandoned()

    @invariant()
    def both_see_the_same(self) -> None:
        one, other = self.breakers
        assert one.look(self.now) == other.look(self.now)
        assert (one.state(), one.count()) == (other.state(), other.count())

    @invariant()
    def it_never_refuses_for_longer_than_its_time(self) -> None:
        assert self.breakers[0].seconds_left(self.now) <= SECONDS
        assert self.breakers[0].look(self.now + SECONDS) != REFUSED

    @invariant()
    def few_probes_are_under_way(self) -> None:
        fresh = [since for is_probe, since in self.under_way if is_probe and self.now - since < SECONDS]
        if self.breakers[0].state() == HALF_OPEN and len(fresh) == len(self.under_way):
            assert len(fresh) <= SUCCESSES + 1


TestWorkers = Workers.TestCase
