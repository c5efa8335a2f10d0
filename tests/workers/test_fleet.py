"""The fleet: a worker for every slot, its books and its connections, without processes."""

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from typing import cast

import pytest

from kairos.config.listening import Listener
from kairos.shm import layout
from kairos.shm.zone import Zone
from kairos.workers.channel import Message
from kairos.workers.children import Children
from kairos.workers.fleet import LAST_DEATH_SECONDS, Fleet
from kairos.workers.heartbeat import Watch
from kairos.workers.listeners import Listeners
from tests.workers.fake_children import FakeChild, FakeChildren
from tests.workers.test_steering import connect


class Scene:
    """A fleet of two on paper, with real listeners, and what it tells."""

    def __init__(self, listeners: Listeners) -> None:
        self.listeners = listeners
        self.children = FakeChildren()
        self.zone = Zone(2, columns=8, words=8)
        self.news: list[tuple[object, ...]] = []
        watch = Watch(stale_seconds=5, dump_seconds=0.5)
        children = cast(Children, self.children)
        self.fleet = Fleet(children, listeners, self.zone, lambda *_: None, watch)
        self.fleet.on_start = lambda slot: self.news.append(("started", slot))
        self.fleet.on_message = lambda slot, message: self.news.append((message.type, slot))
        self.fleet.on_death = lambda slot, how: self.news.append((how, slot))

    def accept_everywhere(self) -> None:
        for slot in (0, 1):
            self.fleet.accepts(slot)

    @property
    def latest(self) -> FakeChild:
        return self.children.forked[-1]


@pytest.fixture
def scene() -> Iterator[Scene]:
    with closing(Listeners([Listener("127.0.0.1", 0)], slots=2)) as listeners:
        scene = Scene(listeners)
        scene.fleet.tick(time.monotonic())
        yield scene


def test_every_slot_is_filled_at_once(scene: Scene) -> None:
    assert scene.children.names == ["worker 0", "worker 1"]
    assert scene.news == [("started", 0), ("started", 1)]


def test_a_new_worker_has_time_until_its_first_heartbeat(scene: Scene) -> None:
    assert time.monotonic_ns() - scene.zone.row(1).load(layout.HEARTBEAT) < 5e9


def test_what_a_worker_says_is_passed_on_with_its_slot(scene: Scene) -> None:
    scene.latest.said(Message("ready", {}))

    assert scene.news[-1] == ("ready", 1)


def test_orders_go_to_one_or_to_all(scene: Scene) -> None:
    scene.fleet.send(1, "commit", generation=3)
    scene.fleet.send_all("unready")

    assert [child.told for child in scene.children.forked] == [
        [("unready", {})],
        [("commit", {"generation": 3}), ("unready", {})],
    ]


def test_a_dead_worker_is_taken_off_the_books_and_replaced(scene: Scene) -> None:
    gauge = scene.zone.gauge("http://backend:80")
    for index in (layout.IN_FLIGHT, gauge):
        scene.zone.row(1).store(index, 7)

    scene.latest.ended("killed by SIGKILL")
    scene.fleet.send(1, "commit")  # into the void
    scene.fleet.tick(time.monotonic())

    assert scene.zone.total(layout.IN_FLIGHT) == scene.zone.total(gauge) == 0
    assert scene.zone.cells.load(layout.WORKERS_DIED) == 1
    assert scene.children.names == ["worker 0", "worker 1", "worker 1"]
    assert scene.news[-2:] == [("killed by SIGKILL", 1), ("started", 1)]


def test_without_room_for_a_process_the_slot_is_filled_later(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.children.has_room = False
    scene.latest.ended("exit code 1")
    now = time.monotonic()
    scene.fleet.tick(now)
    assert "worker 1 cannot be started: Resource temporarily unavailable" in caplog.text

    scene.children.has_room = True
    scene.fleet.tick(now + 0.9)
    assert len(scene.children.forked) == 2
    scene.fleet.tick(now + 1)
    assert len(scene.children.forked) == 3


def test_a_fleet_that_drains_shrinks(scene: Scene) -> None:
    scene.accept_everywhere()
    scene.fleet.drain(25, time.monotonic(), serves_waiting=True)
    for child in scene.children.forked:
        child.ended("exit code 0")
    scene.fleet.tick(time.monotonic() + 3600)

    assert scene.fleet.is_empty
    assert len(scene.children.forked) == 2
    assert scene.zone.cells.load(layout.WORKERS_DIED) == 0


def test_who_starts_while_the_gateway_is_unready_is_told_so(scene: Scene) -> None:
    scene.fleet.unready()
    scene.latest.ended("killed by SIGKILL")
    scene.fleet.tick(time.monotonic())

    assert [child.told for child in scene.children.forked] == [[("unready", {})]] * 3


def test_who_does_not_accept_yet_drains_as_soon_as_it_does(scene: Scene) -> None:
    scene.fleet.accepts(0)
    scene.fleet.drain(25, time.monotonic(), serves_waiting=True)
    accepting, preparing = scene.children.forked
    assert [kind for kind, _ in accepting.told] == ["drain"]
    assert preparing.told == []

    scene.fleet.accepts(1)

    ((kind, fields),) = preparing.told
    assert kind == "drain"
    assert 0 < fields["seconds"] <= 25


def test_an_empty_slot_is_filled_once_more_for_the_connections_that_wait_there(scene: Scene) -> None:
    scene.accept_everywhere()
    for _ in range(3):
        scene.latest.ended("killed by SIGKILL")
        scene.fleet.tick(time.monotonic())
    assert len(scene.children.forked) == 4  # the next would have to wait
    now = time.monotonic()

    scene.fleet.drain(25, now, serves_waiting=True)
    assert not scene.fleet.is_empty
    scene.fleet.tick(now)

    assert scene.children.names[-1] == "worker 1"
    assert len(scene.children.forked) == 5


def test_a_worker_that_dies_just_when_the_drain_begins_is_replaced(scene: Scene) -> None:
    scene.accept_everywhere()
    now = time.monotonic()
    scene.fleet.drain(25, now, serves_waiting=True)
    scene.latest.ended("killed by SIGKILL")
    scene.fleet.tick(now + LAST_DEATH_SECONDS / 2)
    assert scene.children.names == ["worker 0", "worker 1", "worker 1"]

    scene.fleet.tick(now + LAST_DEATH_SECONDS)
    scene.latest.ended("killed by SIGKILL")
    scene.fleet.tick(now + 3600)

    assert len(scene.children.forked) == 3
    assert all(sock.fileno() == -1 for group in scene.listeners.groups for sock in group.sockets)


def test_nobody_is_waited_for_without_a_config_to_serve(scene: Scene) -> None:
    scene.fleet.drain(25, time.monotonic(), serves_waiting=False)

    assert [[kind for kind, _ in child.told] for child in scene.children.forked] == [["drain"], ["drain"]]


def test_a_second_drain_is_for_everyone_and_at_once(scene: Scene) -> None:
    scene.fleet.accepts(0)
    scene.fleet.drain(25, time.monotonic(), serves_waiting=True)

    scene.fleet.drain(0, time.monotonic(), serves_waiting=False)

    assert [child.told[-1] for child in scene.children.forked] == [("drain", {"seconds": 0.0})] * 2


def test_connections_go_to_those_that_accept(scene: Scene) -> None:
    scene.fleet.accepts(1)
    assert connect(scene.listeners)[0] == 0
    scene.fleet.accepts(0)
    scene.latest.ended("killed by SIGKILL")
    assert connect(scene.listeners)[1] == 0


def test_a_hanging_worker_is_asked_for_its_stacks_and_then_killed(scene: Scene) -> None:
    start = time.monotonic()
    scene.zone.row(0).store(layout.HEARTBEAT, int((start + 3600) * 1e9))
    for step in range(1, 12):
        scene.fleet.tick(start + step / 2)

    healthy, hanging = scene.children.forked
    assert healthy.signals == []
    assert hanging.signals[:2] == [signal.SIGUSR2, signal.SIGKILL]


def test_once_the_listeners_are_closed_nothing_is_steered(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.fleet.accepts(0)
    scene.fleet.drain(0, time.monotonic(), serves_waiting=False)
    with caplog.at_level(logging.WARNING):
        scene.latest.ended("exit code 0")

    assert "steer" not in caplog.text
    assert all(sock.fileno() == -1 for sock in scene.listeners.groups[0].sockets)


def test_a_kernel_that_cannot_steer_is_mentioned_once(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.listeners.close()  # which makes every attempt fail

    scene.fleet.accepts(0)
    scene.fleet.accepts(1)

    assert caplog.text.count("cannot steer connections away") == 1
