"""The rollout: decisions become messages, and answers become decisions."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import cast

import pytest

from kairos.config.listening import Listener
from kairos.shm.zone import Zone
from kairos.workers.channel import Message
from kairos.workers.children import Children
from kairos.workers.fleet import Fleet
from kairos.workers.heartbeat import Watch
from kairos.workers.listeners import Listeners
from kairos.workers.reload import Coordinator
from kairos.workers.rollout import Rollout
from tests.workers.fake_children import FakeChild, FakeChildren


class Scene:
    """A rollout to one worker on paper."""

    def __init__(self, listeners: Listeners) -> None:
        self.children = FakeChildren()
        self.news: list[object] = []
        self.coordinator = Coordinator(gather_seconds=0, prepare_seconds=30, commit_seconds=5)
        zone = Zone(1, columns=8, words=8)
        self.fleet = Fleet(cast(Children, self.children), listeners, zone, lambda *_: None, Watch(3600, 3600))
        self.rollout = Rollout(
            self.coordinator,
            self.fleet,
            read_config=lambda: self.news.append("read"),
            applied=self.news.append,
            refused=self.news.append,
        )

    @property
    def worker(self) -> FakeChild:
        return self.children.forked[-1]

    def say(self, kind: str, **fields: object) -> None:
        self.worker.said(Message(kind, fields))

    def serve(self, document: bytes) -> None:
        self.rollout.propose(document)
        self.fleet.tick(time.monotonic())
        generation = self.coordinator.pending
        self.say("ready", generation=generation)
        self.say("committed", generation=generation)


@pytest.fixture
def scene() -> Iterator[Scene]:
    with closing(Listeners([Listener("127.0.0.1", 0)], slots=1)) as listeners:
        yield Scene(listeners)


def test_a_document_goes_to_the_workers_and_comes_into_force(scene: Scene) -> None:
    scene.serve(b"one")

    assert scene.worker.told == [("prepare", {"generation": 1}), ("commit", {"generation": 1})]
    assert scene.news == [1]
    assert scene.rollout.document == b"one"


def test_a_document_that_is_refused_is_forgotten(scene: Scene) -> None:
    scene.serve(b"one")
    scene.rollout.propose(b"two")
    scene.say("failed", generation=2, reasons=["no"])

    assert scene.worker.told[-1] == ("abort", {"generation": 2})
    assert scene.news == [1, ("no",)]
    assert scene.rollout.document == b"one"


def test_a_request_to_reload_leads_to_a_reading(scene: Scene) -> None:
    scene.serve(b"one")
    scene.coordinator.wanted(time.monotonic())
    scene.rollout.tick(time.monotonic())

    assert scene.news == [1, "read"]


def test_a_successor_gets_the_document_in_force(scene: Scene) -> None:
    scene.serve(b"one")
    scene.worker.ended("killed by SIGKILL")
    scene.fleet.tick(time.monotonic())

    assert scene.worker.told == [("prepare", {"generation": 1})]


def test_who_does_not_commit_in_time_is_killed(scene: Scene) -> None:
    scene.serve(b"one")
    scene.rollout.propose(b"two")
    scene.say("ready", generation=2)
    scene.rollout.tick(time.monotonic() + 6)

    assert len(scene.worker.signals) == 1


def test_its_stop_gives_up_what_is_not_in_force(scene: Scene) -> None:
    scene.serve(b"one")
    scene.rollout.propose(b"two")
    scene.rollout.stop()
    told = list(scene.worker.told)
    assert told[-1] == ("abort", {"generation": 2})

    scene.say("ready", generation=2)
    scene.rollout.tick(time.monotonic() + 3600)

    assert scene.worker.told == told
    assert scene.news == [1, ("the gateway ends",)]
