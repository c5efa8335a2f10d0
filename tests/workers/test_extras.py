"""Extra processes: started together, replaced one by one."""

import time
from typing import Any, cast

import pytest

from kairos.workers.children import Children
from kairos.workers.extras import Extras
from tests.workers.fake_children import FakeChildren


def extras_of(children: FakeChildren, count: int) -> Extras:
    mains: list[Any] = [lambda: None] * count
    return Extras(cast(Children, children), mains)


def test_each_function_gets_a_process() -> None:
    children = FakeChildren()
    extras = extras_of(children, 2)

    extras.tick(100)
    extras.tick(101)

    assert children.names == ["extra 0", "extra 1"]
    assert extras.deadline == float("inf")


def test_one_that_ends_is_started_again() -> None:
    children = FakeChildren()
    extras = extras_of(children, 2)
    extras.tick(100)

    children.forked[1].ended("exit code 0")
    extras.tick(time.monotonic())

    assert children.names == ["extra 0", "extra 1", "extra 1"]


def test_without_room_it_is_tried_again_later(caplog: pytest.LogCaptureFixture) -> None:
    children = FakeChildren()
    extras = extras_of(children, 1)
    children.has_room = False
    extras.tick(100)
    assert "Resource temporarily unavailable" in caplog.text
    children.has_room = True

    extras.tick(100.9)
    assert children.names == []
    extras.tick(101)
    assert children.names == ["extra 0"]
