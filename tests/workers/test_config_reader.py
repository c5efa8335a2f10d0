"""The config reader: one outcome per reading, whatever becomes of the child."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from kairos.workers import documents
from kairos.workers.channel import Channel
from kairos.workers.children import Children
from kairos.workers.config_reader import Accepted, ConfigReader, Outcome, Refused


@pytest.fixture
def children() -> Iterator[Children]:
    children = Children()
    yield children
    children.kill_all()


def outcome_of(children: Children, main: Callable[[Channel], None], seconds: float = 30) -> Outcome | None:
    reader = ConfigReader(children, main, seconds)
    reader.start()
    return reader.wait()


def send_document(channel: Channel) -> None:
    channel.send("document", [documents.seal(b"{}\n")], findings=["a finding"])


def test_a_document_is_accepted_with_its_findings(children: Children) -> None:
    assert outcome_of(children, send_document) == Accepted(b"{}\n", ("a finding",))


def test_a_refusal_keeps_its_lines_and_its_exit_code(children: Children) -> None:
    def refuse(channel: Channel) -> None:
        channel.send("refused", lines=["one", "two"], exit=3)

    assert outcome_of(children, refuse) == Refused(("one", "two"), 3)


def test_a_child_that_says_nothing_is_a_refusal(children: Children) -> None:
    assert outcome_of(children, lambda _: os._exit(9)) == Refused(
        ("the config reader ended without a result (exit code 9)",)
    )


def test_a_child_that_is_late_is_killed_and_a_refusal(children: Children) -> None:
    assert outcome_of(children, lambda _: signal.pause(), seconds=0.05) == Refused(
        ("reading the config took more than 0.05 s",)
    )


def test_a_signal_to_end_comes_before_any_outcome(children: Children) -> None:
    def tell_the_parent(_: Channel) -> None:
        os.kill(os.getppid(), signal.SIGTERM)
        signal.pause()

    assert outcome_of(children, tell_the_parent) is None


def test_each_reading_has_its_own_outcome(children: Children) -> None:
    outcomes: list[Outcome] = []
    mains: list[Callable[[Channel], None]] = [send_document, lambda _: os._exit(1)]
    reader = ConfigReader(children, lambda channel: mains[len(outcomes)](channel), 30)
    reader.on_outcome = outcomes.append
    for number in (1, 2):
        reader.start()
        while len(outcomes) < number:
            children.turn(reader.deadline)

    assert isinstance(outcomes[0], Accepted)
    assert isinstance(outcomes[1], Refused)


class FullMachine(Children):
    """Children on a machine that has no room for another process."""

    def fork(self, *_: object, **__: object) -> object:  # type: ignore[override]
        raise BlockingIOError(11, "Resource temporarily unavailable")


def test_a_machine_without_room_is_a_refusal() -> None:
    children = FullMachine()

    outcome = outcome_of(children, send_document)

    children.kill_all()
    assert outcome == Refused(("the config reader cannot be started: Resource temporarily unavailable",))


def test_a_signal_that_comes_meanwhile_is_kept_for_later(children: Children) -> None:
    def tell_the_parent(channel: Channel) -> None:
        os.kill(os.getppid(), signal.SIGHUP)
        send_document(channel)

    reader = ConfigReader(children, tell_the_parent, 30)
    reader.start()

    assert isinstance(reader.wait(), Accepted)
    assert reader.missed_signals == [signal.SIGHUP]
