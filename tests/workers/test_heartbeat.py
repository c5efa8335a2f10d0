"""Heartbeats: who hangs is dumped, then killed; who was merely stopped with us is not."""

from itertools import count

import pytest

from kairos.workers.heartbeat import Dump, Kill, Watch


@pytest.fixture
def watch() -> Watch:
    return Watch(stale_seconds=5, dump_seconds=0.5)


def watched(watch: Watch, beats: dict[int, float], start: float, end: float) -> list[tuple[float, Dump | Kill]]:
    """Check every half second, as the supervisor does, and return what was done when."""
    moments = (start + 0.5 * step for step in count())
    found: list[tuple[float, Dump | Kill]] = []
    for now in moments:
        if now > end:
            return found
        found += [(now, action) for action in watch.check(beats, now)]
    raise AssertionError("unreachable")


def test_a_beating_worker_is_left_alone(watch: Watch) -> None:
    for now in range(100, 120):
        assert watch.check({0: now - 0.2, 1: now - 4.9}, now) == []


def test_a_worker_that_hangs_is_dumped_and_then_killed(watch: Watch) -> None:
    assert watched(watch, {0: 100.0, 1: 1e9}, 100, 105.5) == [(105, Dump(0)), (105.5, Kill(0))]


def test_a_worker_that_comes_back_after_the_dump_lives_on(watch: Watch) -> None:
    assert watched(watch, {0: 100.0}, 100, 105) == [(105, Dump(0))]
    assert watch.check({0: 105.3}, 105.5) == []

    assert watched(watch, {0: 105.3}, 106, 111) == [(110.5, Dump(0)), (111, Kill(0))]


def test_nobody_is_blamed_for_time_in_which_we_did_not_run_either(watch: Watch) -> None:
    watched(watch, {0: 100.0}, 100, 104)

    assert watch.check({0: 100.0}, 500) == []
    assert watched(watch, {0: 100.0}, 500.5, 505) == [(505, Dump(0))]


def test_a_dump_before_a_stop_does_not_kill_after_it(watch: Watch) -> None:
    assert watched(watch, {0: 100.0}, 100, 105) == [(105, Dump(0))]

    assert watch.check({0: 100.0}, 900) == []


def test_a_successor_is_not_blamed_for_its_predecessor(watch: Watch) -> None:
    watched(watch, {0: 100.0}, 100, 105)
    assert watch.check({}, 105.5) == []

    assert watch.check({0: 105.6}, 106) == []
