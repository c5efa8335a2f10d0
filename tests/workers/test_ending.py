"""The end: each signal and each deadline leads one step on."""

from math import inf

import pytest

from kairos.workers.ending import Action, Drain, Ending, KillAll, Stage, Unready


@pytest.fixture
def ending() -> Ending:
    return Ending(delay_seconds=5, drain_seconds=25, grace_seconds=1)


def story(ending: Ending, *events: tuple[float, str]) -> list[tuple[float, list[Action]]]:
    """Let things happen, and return when something was done."""
    done = []
    for now, event in events:
        actions = ending.tick(now) if event == "tick" else ending.asked(now, delays=event == "SIGTERM")
        if actions:
            done.append((now, actions))
    return done


def test_while_nobody_asks_nothing_ends(ending: Ending) -> None:
    assert ending.deadline == inf
    assert story(ending, (1e9, "tick")) == []
    assert ending.stage is Stage.RUNNING


def test_a_polite_end_leaves_time_to_load_balancers_then_to_clients(ending: Ending) -> None:
    assert story(ending, (100, "SIGTERM"), (104.9, "tick"), (105, "tick"), (130.9, "tick"), (131, "tick")) == [
        (100, [Unready()]),
        (105, [Drain(25)]),
        (131, [KillAll()]),
    ]
    assert ending.stage is Stage.OVER
    assert ending.deadline == inf


def test_an_interrupt_drains_at_once(ending: Ending) -> None:
    assert story(ending, (100, "SIGINT"), (126, "tick")) == [(100, [Unready(), Drain(25)]), (126, [KillAll()])]


def test_without_a_delay_so_does_a_polite_end() -> None:
    ending = Ending(delay_seconds=0, drain_seconds=25, grace_seconds=1)

    assert story(ending, (100, "SIGTERM")) == [(100, [Unready(), Drain(25)])]


@pytest.mark.parametrize("second", ["SIGTERM", "SIGINT"])
def test_a_second_signal_forces_whether_we_linger_or_drain(ending: Ending, second: str) -> None:
    assert story(ending, (100, "SIGTERM"), (101, second), (102, "tick")) == [
        (100, [Unready()]),
        (101, [Drain(0)]),
        (102, [KillAll()]),
    ]


def test_a_third_signal_changes_nothing(ending: Ending) -> None:
    assert story(ending, (100, "SIGINT"), (101, "SIGINT"), (101.5, "SIGINT"), (102, "tick"))[1:] == [
        (101, [Drain(0)]),
        (102, [KillAll()]),
    ]
