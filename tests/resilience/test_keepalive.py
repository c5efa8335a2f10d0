"""When a backend closes its connections: learned from few closes, and from no restart."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.resilience.keepalive import ENOUGH, MOMENT_SECONDS, SHORTEST_SECONDS, Evidence, KeepAlive, hint
from kairos.shm.zone import Zone

LIMIT = 4.0  # seconds, while nothing is known
GRAIN = 0.015  # seconds that may be lost to the clock, and to what is held back for it

TIMEOUTS = st.floats(0.5, 60)
JITTERS = st.sampled_from((0.0, 0.01, 0.05))
RANDOMS = st.randoms(use_true_random=False)


ZONE = Zone(1, columns=4, words=4)
AGES, COUNTS = ZONE.word(b"ages"), ZONE.word(b"counts")


class Backend:
    """One that closes connections, and what is learned of it; each close in a moment of its own."""

    def __init__(self, timeout: float = 10.0, jitter: float = 0.0, chance: random.Random | None = None) -> None:
        self.timeout, self.jitter = timeout, jitter
        self.learned = KeepAlive(ZONE.cells, AGES, COUNTS)
        for word in (AGES, COUNTS):
            ZONE.cells.store(word, 0)
        self.now = 1000.0
        self._chance = chance or random.Random(1)

    def closes(self, times: int = 1) -> None:
        """Close connections that have been idle for as long as it lets them."""
        for _ in range(times):
            self.now += MOMENT_SECONDS + 0.1
            share = self._chance.uniform(1 - self.jitter, 1 + self.jitter)
            self.learned.closed(self.timeout * share, 7, self.now, LIMIT)

    def restarts(self, *ages: float) -> None:
        """Close everything within a moment."""
        self.now += MOMENT_SECONDS + 0.1
        for age in ages:
            self.learned.closed(age, 7, self.now, LIMIT)

    def resets(self, age: float) -> None:
        """Let a request meet a closed connection."""
        self.now += MOMENT_SECONDS + 0.1
        self.learned.met_stale(age, 7, self.now, LIMIT)

    def ends_after(self, *counts: int) -> None:
        """Close connections right behind an answer."""
        for count in counts:
            self.now += MOMENT_SECONDS + 0.1
            self.learned.closed(0.001, count, self.now, LIMIT)

    @property
    def is_known(self) -> bool:
        """Say whether connections are used neither too long nor much too short."""
        latest = self.timeout * (1 - self.jitter)
        return 0.85 * 0.98 * self.timeout - GRAIN / 4 < self.learned.idle_seconds < latest


# The word.

MOST = (1 << 20) - 1


@given(st.integers(0, MOST), st.integers(0, MOST), st.integers(0, 3), st.integers(0, (1 << 21) - 1))
def test_a_word_holds_it_all(known: int, rival: int, rivals: int, moment: int) -> None:
    evidence = Evidence(known, rival, rivals, moment)

    assert 0 <= evidence.encode() < 1 << 63
    assert Evidence.decode(evidence.encode()) == evidence


def test_an_empty_word_knows_nothing() -> None:
    backend = Backend()

    assert backend.learned.idle_seconds < 0
    assert backend.learned.requests == 0


# Idle timeouts.


@given(TIMEOUTS, JITTERS, RANDOMS, st.integers(0, 20))
def test_three_closes_make_a_timeout_known(timeout: float, jitter: float, chance: random.Random, more: int) -> None:
    backend = Backend(timeout, jitter, chance)
    backend.closes(ENOUGH)
    assert backend.is_known

    backend.closes(more)
    assert backend.is_known


def test_less_than_three_do_not() -> None:
    backend = Backend(2.0)
    backend.closes(ENOUGH - 1)

    assert backend.learned.idle_seconds < 0


@given(TIMEOUTS, TIMEOUTS, JITTERS, RANDOMS, st.integers(0, 5))
def test_a_change_is_known_after_some_more(
    before: float, after: float, jitter: float, chance: random.Random, more: int
) -> None:
    """After three, or a few more where the closes before and after are partly alike."""
    backend = Backend(before, jitter, chance)
    backend.closes(ENOUGH)

    is_much = not 0.75 * before < after < 1.25 * before
    backend.timeout = after
    backend.closes(ENOUGH if is_much else 10)
    assert backend.is_known

    backend.closes(more)
    assert backend.is_known


def test_workers_learn_together() -> None:
    backend = Backend(2.0)
    other = KeepAlive(ZONE.cells, AGES, COUNTS)

    backend.closes(ENOUGH - 1)
    other.closed(2.0, 1, backend.now + 1, LIMIT)

    assert other.idle_seconds == backend.learned.idle_seconds == pytest.approx(1.8, abs=0.02)


# What teaches nothing.


@given(TIMEOUTS, JITTERS, RANDOMS, st.lists(st.lists(st.floats(SHORTEST_SECONDS, 70), max_size=20), max_size=5))
def test_restarts_do_not_shake_what_is_known(
    timeout: float, jitter: float, chance: random.Random, restarts: list[list[float]]
) -> None:
    backend = Backend(timeout, jitter, chance)
    backend.closes(ENOUGH)
    for ages in restarts:
        backend.restarts(*ages)
        backend.closes()

    backend.closes()
    assert backend.is_known


def test_a_restart_teaches_nothing_however_many_connections_it_ends() -> None:
    backend = Backend()
    for _ in range(10):
        backend.restarts(0.9, 1.1, 3.2, 0.3, 2.0, 2.0, 2.0, 2.0)

    assert backend.learned.idle_seconds < 0


def test_closes_of_one_moment_count_once_as_soon_as_something_is_known() -> None:
    backend = Backend(timeout=10.0)
    backend.restarts(10.0, 10.0, 9.9)
    assert backend.is_known

    backend.restarts(2.0, 2.0, 2.0, 2.0)
    backend.restarts(2.0, 2.0)
    assert backend.is_known


def test_closes_that_are_nearly_alike_count_if_they_are_earlier_than_expected() -> None:
    """Timers that run coarsely: the earliest of them counts."""
    backend = Backend()
    for age in (2.4, 3.1, 2.0):
        backend.restarts(age)

    assert backend.learned.idle_seconds == pytest.approx(1.8, abs=0.02)


def test_closes_that_come_later_have_to_agree() -> None:
    backend = Backend()
    for age in (10, 20, 30, 10, 20, 30):
        backend.restarts(age)

    assert backend.learned.idle_seconds < 0


def test_the_shorter_one_of_two_timeouts_behind_one_address_wins() -> None:
    chance = random.Random(5)
    backend = Backend(timeout=60.0)
    backend.closes(ENOUGH)
    for _ in range(40):
        backend.timeout = chance.choice((5.0, 60.0))
        backend.closes()
        if 0 < backend.learned.idle_seconds < 5:
            return
    pytest.fail("it was not learned")


# Requests that met a closed connection.


def test_a_request_that_meets_a_closed_connection_makes_cautious_at_once() -> None:
    backend = Backend(timeout=10.0)
    backend.closes(ENOUGH)

    backend.resets(8.0)
    assert backend.learned.idle_seconds == pytest.approx(2.0, abs=0.02)
    backend.resets(1.9)
    assert backend.learned.idle_seconds == pytest.approx(0.475, abs=0.02)


def test_caution_starts_from_the_usual_time() -> None:
    backend = Backend(timeout=60.0)
    backend.closes(ENOUGH)

    backend.resets(50.0)

    assert backend.learned.idle_seconds == pytest.approx(LIMIT, abs=0.02)


@given(TIMEOUTS, TIMEOUTS, JITTERS, RANDOMS)
def test_two_more_closes_end_the_caution(before: float, after: float, jitter: float, chance: random.Random) -> None:
    backend = Backend(before, jitter, chance)
    backend.closes(ENOUGH)

    backend.timeout = after
    backend.resets(after * (1 + jitter))
    backend.closes(ENOUGH - 1)

    assert backend.is_known


@given(st.floats(1, 60), st.floats(0.5, 60), RANDOMS)
def test_four_requests_never_meet_a_closed_connection(before: float, after: float, chance: random.Random) -> None:
    """Even if nothing but resets tells of a change: each comes at any age at which connections are still used."""
    backend = Backend(before)
    backend.closes(ENOUGH)

    met = 0
    while (most := backend.learned.idle_seconds) > after:
        backend.resets(chance.uniform(after, most))
        met += 1

    assert met <= 3


# Connections that live on.


def test_a_connection_that_is_older_than_others_ever_were_disproves_what_is_known() -> None:
    backend = Backend(timeout=5.0)
    backend.closes(ENOUGH)

    backend.learned.outlived(5.2, 1)
    assert backend.is_known

    backend.learned.outlived(6.0, 1)
    assert backend.learned.idle_seconds < 0


# Numbers of requests.


def test_three_closes_behind_the_same_number_of_requests_make_it_known() -> None:
    backend = Backend()
    backend.ends_after(100, 100)
    assert backend.learned.requests == 0

    backend.ends_after(100)
    assert backend.learned.requests == 100
    assert backend.learned.idle_seconds < 0

    backend.ends_after(3, 100, 3, 50, 100)
    assert backend.learned.requests == 100

    backend.ends_after(50, 50, 50)
    assert backend.learned.requests == 50


def test_a_request_that_came_one_too_many_counts_too() -> None:
    backend = Backend()
    backend.ends_after(9, 9)

    backend.learned.met_stale(0.01, 9, backend.now + 1, LIMIT)

    assert backend.learned.requests == 9


def test_what_ends_at_once_after_different_numbers_was_no_limit() -> None:
    backend = Backend()
    for _ in range(5):
        backend.now += 1
        for count in (1, 1, 4, 1):
            backend.learned.closed(0.0, count, backend.now, LIMIT)

    assert backend.learned.requests == 0


@pytest.mark.parametrize("count", [0, 1 << 20])
def test_numbers_that_do_not_fit_teach_nothing(count: int) -> None:
    backend = Backend()
    backend.ends_after(count, count, count)

    assert backend.learned.requests == 0


def test_a_connection_that_outlives_its_number_of_requests_disproves_it() -> None:
    backend = Backend()
    backend.ends_after(5, 5, 5)

    backend.learned.outlived(1.0, 4)
    assert backend.learned.requests == 5

    backend.learned.outlived(1.0, 5)
    assert backend.learned.requests == 0


def test_so_does_one_that_is_closed_much_later() -> None:
    backend = Backend()
    backend.ends_after(7, 7, 7)

    backend.closes()

    assert backend.learned.requests == 0


# Hints.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, (-1.0, 0)),
        (b"timeout=5", (4.0, 0)),
        (b"timeout=5, max=1000", (4.0, 1000)),
        (b"Timeout=60,MAX=3", (59.0, 3)),
        (b"timeout=3", (2.0, 0)),
        (b"timeout=2", (1.0, 0)),
        (b"timeout=1", (0.5, 0)),
        (b"timeout=0", (0.0, 0)),
        (b"max=100", (-1.0, 100)),
        (b"max=0", (-1.0, 0)),
        (b"timeout = 5 , x", (4.0, 0)),
        (b"timeout=-5", (-1.0, 0)),
        (b"timeout=1.5", (-1.0, 0)),
        (b"timeout=", (-1.0, 0)),
        (b"timeout=99999999999999999999", (-1.0, 0)),
        (b"", (-1.0, 0)),
    ],
)
def test_a_hint_is_believed_but_for_its_last_second(value: bytes | None, expected: tuple[float, int]) -> None:
    assert hint(value) == expected
