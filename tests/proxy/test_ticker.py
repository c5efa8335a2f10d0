"""The coarse clock: deadlines are met at most 1.25 s late, and the date is right."""

import asyncio
from collections.abc import Iterator

import pytest

from kairos.proxy.ticker import NEVER, TICK_SECONDS, Ticker, date_line
from tests.fakes import ManualClock
from tests.proxy.world import World


class Waiting:
    """Something with a deadline, which remembers when it was told that it has passed."""

    def __init__(self, deadline: float, hash_: int = 0) -> None:
        self.deadline = deadline
        self.told: list[float] = []
        self._hash = hash_

    def __hash__(self) -> int:
        return self._hash

    def expired(self, now: float) -> None:
        self.told.append(now)
        self.deadline = NEVER


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def ticker(loop: asyncio.AbstractEventLoop) -> Ticker:
    return Ticker(loop)


def run(ticker: Ticker, clock: ManualClock, seconds: float) -> None:
    """Let the ticker tick for a while."""
    for _ in range(round(seconds / TICK_SECONDS)):
        ticker.advance(clock.advance(TICK_SECONDS), 0.0)


@pytest.mark.parametrize("hash_", range(4))
@pytest.mark.parametrize("after", [0.0, 0.1, 1.0, 1.24, 7.77])
def test_a_deadline_is_met_never_early_and_at_most_a_little_late(ticker: Ticker, hash_: int, after: float) -> None:
    clock = ManualClock()
    waiting = Waiting(clock() + after, hash_)
    ticker.watch(waiting)

    run(ticker, clock, 10)

    (told,) = waiting.told
    assert 1000.0 + after <= told <= 1000.0 + after + 1.25


def test_a_deadline_can_be_moved_at_any_time(ticker: Ticker) -> None:
    clock = ManualClock()
    waiting = Waiting(clock() + 1)
    ticker.watch(waiting)
    run(ticker, clock, 0.5)

    waiting.deadline = clock() + 5
    run(ticker, clock, 4)
    assert waiting.told == []

    run(ticker, clock, 2.5)
    assert len(waiting.told) == 1


def test_a_deadline_that_another_one_moves_at_the_same_tick_is_not_met(ticker: Ticker) -> None:
    """If both sides of an exchange are late, the first to be told ends it, and the other may begin anew."""

    class First(Waiting):
        def expired(self, now: float) -> None:
            super().expired(now)
            for other in both:
                other.deadline = NEVER

    clock = ManualClock()
    both = [First(clock()), First(clock())]
    for one in both:
        ticker.watch(one)

    run(ticker, clock, 2)

    assert len(both[0].told) + len(both[1].told) == 1


def test_what_is_forgotten_is_told_nothing(ticker: Ticker) -> None:
    clock = ManualClock()
    waiting = Waiting(clock())
    ticker.watch(waiting)

    ticker.forget(waiting)
    ticker.forget(waiting)
    run(ticker, clock, 2)

    assert waiting.told == []


def test_what_ends_at_a_tick_may_forget_itself(ticker: Ticker) -> None:
    class Ending(Waiting):
        def expired(self, now: float) -> None:
            super().expired(now)
            ticker.forget(self)

    clock = ManualClock()
    ending, other = Ending(clock()), Waiting(clock())
    ticker.watch(ending)
    ticker.watch(other)

    run(ticker, clock, 2)

    assert (len(ending.told), len(other.told)) == (1, 1)


def test_every_tick_is_announced(ticker: Ticker) -> None:
    clock = ManualClock()
    heard: list[float] = []
    ticker.on_tick(heard.append)

    run(ticker, clock, 1)

    assert heard == [1000.25, 1000.5, 1000.75, 1001.0]
    assert ticker.now == 1001.0


def test_the_date_follows_the_wall_clock(ticker: Ticker) -> None:
    ticker.advance(0.0, 784111777.9)

    assert ticker.date_line == b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    assert date_line(0.0) == b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"


def test_ticks_by_itself_between_start_and_stop(world: World) -> None:
    heard: list[float] = []
    world.plane.ticker.on_tick(heard.append)

    world.pass_time(1)
    assert len(heard) == 4
    assert world.plane.ticker.date_line.startswith(b"Date: ")

    world.plane.ticker.stop()
    world.plane.ticker.stop()
    world.pass_time(1)
    assert len(heard) == 4
