"""The two-phase reload as a table of stories: what happened, and what is done about it."""

from collections.abc import Sequence
from math import inf

import pytest

from kairos.workers.reload import (
    Abort,
    Action,
    Applied,
    Commit,
    Coordinator,
    Kill,
    Phase,
    Prepare,
    ReadConfig,
    Refused,
)

GATHER, PREPARE, COMMIT = 0.1, 30.0, 5.0


class Story:
    """A coordinator, the time, and short words for what happens."""

    def __init__(self) -> None:
        self.coordinator = Coordinator(GATHER, PREPARE, COMMIT)
        self.now = 100.0

    def wanted(self) -> None:
        self.coordinator.wanted(self.now)

    def proposed(self) -> list[Action]:
        return self.coordinator.proposed(self.now)

    def nothing_new(self) -> None:
        self.coordinator.nothing_new(self.now)

    def started(self, slot: int) -> list[Action]:
        return self.coordinator.started(slot, self.now)

    def ready(self, slot: int, generation: int) -> list[Action]:
        return self.coordinator.ready(slot, generation, self.now)

    def failed(self, slot: int, generation: int, *reasons: str) -> list[Action]:
        return self.coordinator.failed(slot, generation, reasons, self.now)

    def committed(self, slot: int, generation: int) -> list[Action]:
        return self.coordinator.committed_by(slot, generation, self.now)

    def died(self, slot: int) -> list[Action]:
        return self.coordinator.died(slot, "killed by SIGKILL", self.now)

    def stopped(self) -> list[Action]:
        return self.coordinator.stopped(self.now)

    def after(self, seconds: float) -> list[Action]:
        self.now += seconds
        return self.coordinator.tick(self.now)

    def until_serving(self, slots: Sequence[int]) -> "Story":
        """Bring these workers to the first generation."""
        self.proposed()
        for slot in slots:
            self.started(slot)
        for slot in slots:
            self.ready(slot, 1)
        for slot in slots:
            self.committed(slot, 1)
        return self

    def until_preparing(self) -> "Story":
        """Come to the point at which every worker prepares the next generation."""
        self.wanted()
        self.after(GATHER)
        self.proposed()
        return self


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def serving() -> Story:
    return Story().until_serving([0, 1])


@pytest.fixture
def preparing(serving: Story) -> Story:
    return serving.until_preparing()


# The start.


def test_the_first_document_is_prepared_by_all_then_committed_by_all(story: Story) -> None:
    assert story.proposed() == []
    assert story.started(0) == [Prepare(0, 1)]
    assert story.started(1) == [Prepare(1, 1)]
    assert story.ready(1, 1) == []
    assert story.ready(0, 1) == [Commit(0, 1), Commit(1, 1)]
    assert story.committed(0, 1) == []
    assert story.committed(1, 1) == [Applied(1)]
    assert story.coordinator.deadline == inf


def test_a_first_document_that_cannot_be_prepared_is_refused(story: Story) -> None:
    story.proposed()
    story.started(0)
    story.started(1)

    assert story.failed(0, 1, "no such file") == []
    assert story.failed(1, 1, "no such file") == [Abort(0, 1), Abort(1, 1), Refused(1, ("no such file",))]


def test_a_worker_that_dies_of_the_first_document_refuses_it(story: Story) -> None:
    story.proposed()
    story.started(0)

    assert story.died(0) == [Refused(1, ("worker 0 ended (killed by SIGKILL) before it served the config",))]


def test_if_nobody_survives_the_first_commit_it_is_refused_after_all(story: Story) -> None:
    story.proposed()
    story.started(0)
    story.ready(0, 1)

    (refused,) = story.died(0)

    assert isinstance(refused, Refused)


def test_if_one_survives_the_first_commit_that_is_enough(story: Story) -> None:
    story.proposed()
    story.started(0)
    story.started(1)
    story.ready(0, 1)
    story.ready(1, 1)
    story.died(0)

    assert story.committed(1, 1) == [Applied(1)]


# A reload.


def test_a_reload_reads_prepares_and_commits(serving: Story) -> None:
    serving.wanted()
    assert serving.after(GATHER) == [ReadConfig()]
    assert serving.proposed() == [Prepare(0, 2), Prepare(1, 2)]
    assert serving.ready(0, 2) == []
    assert serving.ready(1, 2) == [Commit(0, 2), Commit(1, 2)]
    assert serving.committed(1, 2) == []
    assert serving.committed(0, 2) == [Applied(2)]
    assert serving.coordinator.committed == 2


def test_requests_within_a_moment_are_one_reload(serving: Story) -> None:
    serving.wanted()
    assert serving.after(0.05) == []
    serving.wanted()
    assert serving.after(0.05) == [ReadConfig()]
    serving.nothing_new()

    assert serving.after(100) == []


@pytest.mark.parametrize("phase", [Phase.READING, Phase.PREPARING, Phase.COMMITTING])
def test_a_request_during_a_reload_starts_another_after_it(serving: Story, phase: Phase) -> None:
    def wanted_in(now: Phase) -> None:
        if now is phase:
            assert serving.coordinator.phase is phase
            serving.wanted()
            serving.wanted()

    serving.wanted()
    serving.after(GATHER)
    wanted_in(Phase.READING)
    serving.proposed()
    wanted_in(Phase.PREPARING)
    serving.ready(0, 2)
    serving.ready(1, 2)
    wanted_in(Phase.COMMITTING)
    serving.committed(0, 2)
    serving.committed(1, 2)

    assert serving.after(GATHER) == [ReadConfig()]
    serving.nothing_new()
    assert serving.after(100) == []


def test_a_config_that_is_refused_or_unchanged_changes_nothing(serving: Story) -> None:
    serving.wanted()
    serving.after(GATHER)
    serving.nothing_new()

    assert serving.coordinator.phase is Phase.IDLE
    assert serving.started(2) == [Prepare(2, 1)]


# Failures before the commit.


def test_one_failure_aborts_everywhere_once_all_have_answered(preparing: Story) -> None:
    assert preparing.failed(0, 2, "first", "second") == []
    assert preparing.ready(1, 2) == [Abort(0, 2), Abort(1, 2), Refused(2, ("first", "second"))]
    assert preparing.coordinator.committed == 1
    assert preparing.coordinator.phase is Phase.IDLE


def test_all_reasons_are_given_once(preparing: Story) -> None:
    preparing.failed(0, 2, "same", "mine")

    assert preparing.failed(1, 2, "same", "other")[-1] == Refused(2, ("same", "mine", "other"))


def test_a_refused_generation_is_not_used_again(preparing: Story) -> None:
    preparing.failed(0, 2, "no")
    preparing.failed(1, 2, "no")
    preparing.wanted()
    preparing.after(GATHER)

    assert preparing.proposed() == [Prepare(0, 3), Prepare(1, 3)]


def test_who_does_not_answer_in_time_refuses(preparing: Story) -> None:
    preparing.ready(0, 2)

    assert preparing.after(PREPARE - 1) == []
    assert preparing.after(1) == [
        Abort(0, 2),
        Abort(1, 2),
        Refused(2, ("worker 1 did not prepare the config in time",)),
    ]


def test_if_nobody_answers_in_time_there_are_as_many_reasons(preparing: Story) -> None:
    *_, refused = preparing.after(PREPARE)

    assert isinstance(refused, Refused)
    assert len(refused.reasons) == 2


@pytest.mark.parametrize("is_ready", [False, True])
def test_who_dies_before_the_commit_refuses(preparing: Story, is_ready: bool) -> None:
    if is_ready:
        preparing.ready(0, 2)
    preparing.died(0)

    assert preparing.ready(1, 2) == [
        Abort(1, 2),
        Refused(2, ("worker 0 ended (killed by SIGKILL) before it served the config",)),
    ]


def test_answers_to_what_was_given_up_count_no_more(preparing: Story) -> None:
    preparing.after(PREPARE)

    assert preparing.ready(0, 2) == []
    assert preparing.failed(1, 2, "late") == []
    assert preparing.committed(1, 2) == []


# Failures at the commit.


@pytest.fixture
def committing(preparing: Story) -> Story:
    preparing.ready(0, 2)
    preparing.ready(1, 2)
    return preparing


def test_who_dies_at_the_commit_is_not_waited_for_and_restarts_on_the_new_document(committing: Story) -> None:
    committing.committed(0, 2)

    assert committing.died(1) == [Applied(2)]
    assert committing.started(1) == [Prepare(1, 2)]
    assert committing.ready(1, 2) == [Commit(1, 2)]
    assert committing.committed(1, 2) == []


def test_who_does_not_commit_in_time_is_killed(committing: Story) -> None:
    committing.committed(0, 2)

    assert committing.after(COMMIT) == [Kill(1, "worker 1 did not commit the config in time")]
    assert committing.after(COMMIT) == []
    assert committing.died(1) == [Applied(2)]


# Workers that come while something goes on.


def test_a_replacement_gets_the_committed_document_by_the_same_two_steps(serving: Story) -> None:
    assert serving.died(1) == []
    assert serving.started(1) == [Prepare(1, 1)]
    assert serving.ready(1, 1) == [Commit(1, 1)]
    assert serving.committed(1, 1) == []


def test_a_worker_that_starts_while_a_reload_is_pending_takes_part(preparing: Story) -> None:
    assert preparing.started(2) == [Prepare(2, 2)]
    preparing.ready(0, 2)
    assert preparing.ready(1, 2) == []
    assert preparing.ready(2, 2) == [Commit(0, 2), Commit(1, 2), Commit(2, 2)]


def test_if_that_reload_is_aborted_it_gets_the_committed_document(preparing: Story) -> None:
    preparing.started(2)
    preparing.failed(0, 2, "no")
    preparing.ready(1, 2)

    assert preparing.ready(2, 2) == [Abort(0, 2), Abort(1, 2), Abort(2, 2), Prepare(2, 1), Refused(2, ("no",))]
    assert preparing.ready(2, 1) == [Commit(2, 1)]


def test_a_worker_that_starts_during_the_commit_is_waited_for(committing: Story) -> None:
    assert committing.started(2) == [Prepare(2, 2)]
    committing.committed(0, 2)
    assert committing.committed(1, 2) == []
    assert committing.ready(2, 2) == [Commit(2, 2)]
    assert committing.committed(2, 2) == [Applied(2)]


def test_a_replacement_that_cannot_prepare_what_is_in_force_is_killed(serving: Story) -> None:
    serving.died(1)
    serving.started(1)

    assert serving.failed(1, 1, "out of memory") == [Kill(1, "out of memory")]
    assert serving.died(1) == []
    assert serving.started(1) == [Prepare(1, 1)]


def test_a_replacement_that_is_slow_to_prepare_is_killed(serving: Story) -> None:
    serving.died(1)
    serving.started(1)

    assert serving.after(PREPARE) == [Kill(1, "worker 1 did not prepare the config in time")]


def test_a_worker_that_is_being_killed_has_no_say_in_a_reload(serving: Story) -> None:
    serving.died(1)
    serving.started(1)
    serving.failed(1, 1, "out of memory")
    serving.wanted()
    serving.after(GATHER)

    assert serving.proposed() == [Prepare(0, 2)]
    assert serving.ready(0, 2) == [Commit(0, 2)]
    assert serving.committed(0, 2) == []
    assert serving.died(1) == [Applied(2)]


def test_a_replacement_in_its_own_commit_is_drawn_into_a_reload(serving: Story) -> None:
    serving.died(1)
    serving.started(1)
    serving.ready(1, 1)
    serving.until_preparing()

    assert serving.committed(1, 1) == []
    serving.ready(0, 2)
    assert serving.ready(1, 2) == [Commit(0, 2), Commit(1, 2)]


def test_without_any_worker_a_reload_waits_for_one(serving: Story) -> None:
    serving.died(0)
    serving.died(1)
    serving.until_preparing()
    assert serving.after(1000) == []

    assert serving.started(0) == [Prepare(0, 2)]
    assert serving.ready(0, 2) == [Commit(0, 2)]
    assert serving.committed(0, 2) == [Applied(2)]


def test_after_the_stop_who_starts_still_comes_to_the_document_in_force() -> None:
    story = Story().until_serving([0])
    story.proposed()

    assert story.stopped()[0] == Abort(0, 2)
    story.died(0)

    assert story.started(0) == [Prepare(0, 1)]
    assert story.ready(0, 1) == [Commit(0, 1)]
    assert story.committed(0, 1) == []


def test_a_stop_before_the_first_document_is_in_force_is_no_refusal() -> None:
    story = Story()
    story.started(0)
    story.proposed()

    assert story.stopped() == []
    assert story.ready(0, 1) == []
    assert story.died(0) == []


def test_after_the_stop_nothing_is_read() -> None:
    story = Story().until_serving([0])
    story.wanted()

    assert story.stopped() == []
    story.wanted()
    assert story.after(3600) == []


def test_deaths_between_reloads_are_no_reasons_against_the_next_one() -> None:
    story = Story().until_serving([0, 1])
    story.died(1)
    story.started(1)
    story.died(1)

    assert story.coordinator._reasons == []
