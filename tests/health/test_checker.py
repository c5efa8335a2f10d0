"""Which backend is probed when and by whom, and what all workers learn of it."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from weakref import ref

import pytest

from kairos.config.document import Backend, HealthCheck
from kairos.health.checker import JITTER, MOST_PROBES, Checker, NotAsked
from kairos.proxy.ticker import TICK_SECONDS
from kairos.resilience.lease import LEASE_SECONDS
from kairos.shm.zone import Zone
from tests.fakes import ManualClock

CHECK = HealthCheck(interval=5.0, unhealthy_threshold=3, healthy_threshold=2)
FIRST, SECOND = 0, 1


@dataclass(eq=False)
class Target:
    """A backend as a route of one worker sees it."""

    key: bytes
    checked_as: Backend | None
    health_word: int
    is_down: bool = False
    came_up_at: float = 0.0


@dataclass(eq=False)
class Route:
    """A route of one worker."""

    targets: tuple[Target, ...]
    pattern: str = "/a"


@dataclass
class Backends:
    """The backends: what ails them, by port, and when each was asked by whom."""

    clock: ManualClock
    ailments: dict[int, str] = field(default_factory=dict)
    asked: list[tuple[float, int, int]] = field(default_factory=list)
    own_fault: str = ""
    held: asyncio.Event | None = None
    broken_off: list[int] = field(default_factory=list)

    async def probe(self, slot: int, backend: Backend) -> str | None:
        self.asked.append((self.clock(), slot, backend.port))
        try:
            if self.held is not None:
                await self.held.wait()
        except asyncio.CancelledError:
            self.broken_off.append(backend.port)
            raise
        if self.own_fault:
            raise NotAsked(self.own_fault)
        return self.ailments.get(backend.port)

    def asked_by(self, slot: int) -> int:
        return sum(by == slot for _, by, _ in self.asked)

    def times(self, port: int) -> list[float]:
        return [at for at, _, asked in self.asked if asked == port]


class Node:
    """A node whose workers tick together."""

    def __init__(self, words: int = 1024) -> None:
        self.clock = ManualClock()
        self.loop = asyncio.new_event_loop()
        self.zone = Zone(2, columns=1, words=words)
        self.backends = Backends(self.clock)
        self.share = 0.5  # what is drawn, between the two numbers
        self.workers = {slot: self.worker(slot) for slot in (FIRST, SECOND)}

    def worker(self, slot: int) -> Checker:
        async def probe(backend: Backend, _: HealthCheck) -> str | None:
            return await self.backends.probe(slot, backend)

        def draw(low: float, high: float) -> float:
            return low + self.share * (high - low)

        return Checker(self.loop, self.zone, slot, probe, draw)

    def serve(
        self, *ports: int, check: HealthCheck | None = CHECK, slots: tuple[int, ...] = (FIRST, SECOND)
    ) -> dict[int, tuple[Target, ...]]:
        """Put a config into effect; return the targets of each worker."""
        targets = {slot: self.targets_at(ports, check) for slot in slots}
        for slot in slots:
            self.workers[slot].follow([Route(targets[slot])], self.clock())
        return targets

    def targets_at(self, ports: Iterable[int], check: HealthCheck | None = CHECK) -> tuple[Target, ...]:
        """Make the targets of a route to backends at these ports."""
        backends = (Backend("http", "10.0.0.1", port, health_check=check) for port in ports)
        return tuple(self.target(b"a %d" % backend.port, backend) for backend in backends)

    def target(self, key: bytes, backend: Backend) -> Target:
        if backend.health_check is None:
            return Target(key, None, 0)
        return Target(key, backend, self.zone.word(b"health " + key))

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK_SECONDS)):
            self.clock.advance(TICK_SECONDS)
            for _, worker in sorted(self.workers.items()):
                worker.tick(self.clock())
            self.settle()

    def settle(self) -> None:
        for _ in range(5):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def leave(self, slot: int) -> None:
        """Let a worker drain."""
        self.loop.run_until_complete(self.workers.pop(slot).stop())

    def end(self) -> None:
        for slot in list(self.workers):
            self.leave(slot)
        assert not asyncio.all_tasks(self.loop)
        self.loop.close()


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.end()


@pytest.fixture
def backends(node: Node) -> Backends:
    return node.backends


def test_one_worker_asks_for_all(node: Node, backends: Backends) -> None:
    node.serve(80, 81)
    node.pass_time(60)

    assert backends.asked_by(SECOND) == 0
    assert backends.asked_by(FIRST) == pytest.approx(2 * 60 / CHECK.interval, abs=2)


def test_a_backend_is_asked_at_its_interval_more_or_less_a_tenth(node: Node, backends: Backends) -> None:
    for share in (0.0, 0.25, 1.0):
        node.share = share
        node.serve(80)
        backends.asked.clear()
        node.pass_time(60)

        at = backends.times(80)
        expected = CHECK.interval * (1 - JITTER + share * 2 * JITTER)
        assert {later - earlier for earlier, later in pairwise(at[1:])} <= {
            expected // TICK_SECONDS * TICK_SECONDS,
            -(-expected // TICK_SECONDS) * TICK_SECONDS,
        }


def test_the_first_probes_are_spread_over_an_interval(node: Node, backends: Backends) -> None:
    shares = iter((0.0, 0.2, 0.4, 0.6, 0.8))
    checker = node.workers[FIRST]
    checker._draw = lambda low, high: low + next(shares, 0.5) * (high - low)

    node.serve(80, 81, 82, 83, 84)
    start = node.clock()
    node.pass_time(CHECK.interval)

    first = [backends.times(port)[0] - start - TICK_SECONDS for port in range(80, 85)]
    assert first == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_all_workers_learn_who_is_down_and_who_is_up_again(node: Node, backends: Backends) -> None:
    targets = node.serve(80, 81)
    backends.ailments[80] = "oh"

    node.pass_time(2.5 * CHECK.interval)
    assert not any(target.is_down for some in targets.values() for target in some)

    node.pass_time(CHECK.interval)
    assert [[target.is_down for target in some] for some in targets.values()] == [[True, False], [True, False]]

    del backends.ailments[80]
    node.pass_time(2 * CHECK.interval)
    assert not any(target.is_down for some in targets.values() for target in some)


def test_who_is_up_again_starts_slowly_from_that_moment(node: Node, backends: Backends) -> None:
    targets = node.serve(80, 81)
    backends.ailments[80] = "oh"
    node.pass_time(4 * CHECK.interval)
    del backends.ailments[80]
    node.pass_time(2 * CHECK.interval)

    second_success = [at for at in backends.times(80) if at > node.clock() - 2 * CHECK.interval][1]
    for again, always in targets.values():
        assert again.came_up_at == pytest.approx(second_success, abs=TICK_SECONDS)
        assert always.came_up_at == 0.0


def test_a_change_of_state_is_told_once(node: Node, backends: Backends, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kairos.health")
    backends.ailments[80] = "timed out after 2 s"
    node.serve(80)

    node.pass_time(8 * CHECK.interval)
    del backends.ailments[80]
    node.pass_time(8 * CHECK.interval)

    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "backend http://10.0.0.1:80 of /a is down: timed out after 2 s"),
        ("INFO", "backend http://10.0.0.1:80 of /a is up again"),
    ]


def test_a_new_config_keeps_what_is_known(node: Node, backends: Backends) -> None:
    backends.ailments[80] = "oh"
    node.serve(80)
    node.pass_time(4 * CHECK.interval)

    for check in (CHECK, replace(CHECK, interval=1.0)):
        targets = node.serve(80, 81, check=check)
        assert [[target.is_down for target in some] for some in targets.values()] == [[True, False], [True, False]]


def test_a_new_config_does_not_disturb_a_check_that_stays(node: Node, backends: Backends) -> None:
    node.serve(80)
    for _ in range(40):
        node.pass_time(1.0)
        node.serve(80, 81)

    at = backends.times(80)
    assert all(later - earlier <= CHECK.interval + TICK_SECONDS for earlier, later in pairwise(at))
    assert len(at) == pytest.approx(40 / CHECK.interval, abs=1)


def test_a_check_that_has_changed_begins_anew(node: Node, backends: Backends) -> None:
    node.serve(80, check=replace(CHECK, interval=3600.0))
    node.pass_time(1800)
    backends.asked.clear()

    node.serve(80)
    node.pass_time(10 * CHECK.interval)

    assert len(backends.asked) == pytest.approx(10, abs=1)


def test_what_is_gone_is_asked_no_more(node: Node, backends: Backends) -> None:
    node.serve(80, 81)
    node.pass_time(CHECK.interval)
    backends.held = asyncio.Event()
    node.pass_time(CHECK.interval)
    backends.asked.clear()

    node.serve(81)
    node.settle()

    assert backends.broken_off == [80]
    backends.held.set()
    node.pass_time(4 * CHECK.interval)
    assert {port for _, _, port in backends.asked} == {81}


def test_nothing_is_kept_of_what_is_gone(node: Node) -> None:
    rarely = replace(CHECK, interval=3600.0)
    node.serve(80, check=rarely)
    node.pass_time(1.0)
    target = ref(node.serve(80, 81, check=rarely)[FIRST][1])
    assert target() is not None

    node.serve(80, check=rarely)

    assert target() is None


def test_who_asks_for_no_check_is_left_alone(node: Node, backends: Backends) -> None:
    ((target,), _) = node.serve(80, check=None).values()
    backends.ailments[80] = "oh"
    node.pass_time(10 * CHECK.interval)

    assert backends.asked == []
    assert not target.is_down


def test_without_its_check_a_backend_is_up(node: Node, backends: Backends) -> None:
    backends.ailments[80] = "oh"
    node.serve(80)
    node.pass_time(4 * CHECK.interval)

    ((target,), _) = node.serve(80, check=None).values()
    node.pass_time(1.0)

    assert not target.is_down


def test_a_backend_that_a_route_has_twice_is_asked_once(node: Node, backends: Backends) -> None:
    backends.ailments[80] = "oh"
    targets = node.serve(80, 80)
    node.pass_time(4 * CHECK.interval)

    assert len(backends.asked) == 4
    assert [target.is_down for target in targets[SECOND]] == [True, True]


def test_after_a_worker_has_died_another_goes_on(node: Node, backends: Backends) -> None:
    targets = node.serve(80)
    backends.ailments[80] = "oh"
    node.pass_time(1.5 * CHECK.interval)
    dead = node.workers.pop(FIRST)
    backends.asked.clear()

    node.pass_time(LEASE_SECONDS - 1.0)
    assert backends.asked == []

    node.pass_time(1.0 + 3 * CHECK.interval)
    assert backends.asked_by(SECOND) == 3
    assert targets[SECOND][0].is_down
    node.loop.run_until_complete(dead.stop())


def test_the_lowest_worker_takes_over_when_it_is_back(node: Node, backends: Backends) -> None:
    node.workers.pop(FIRST)
    node.serve(80, slots=(SECOND,))
    node.pass_time(4 * CHECK.interval)
    assert backends.asked_by(SECOND) == 4
    backends.asked.clear()

    node.workers[FIRST] = node.worker(FIRST)
    node.serve(80, slots=(FIRST,))
    node.pass_time(4 * CHECK.interval)

    assert (backends.asked_by(FIRST), backends.asked_by(SECOND)) == (4, 0)


def test_who_leaves_hands_over_at_once_and_breaks_off_its_probes(node: Node, backends: Backends) -> None:
    node.share = 0.0
    node.serve(80)
    backends.held = asyncio.Event()
    node.pass_time(1.0)
    assert backends.asked_by(FIRST) == 1

    node.leave(FIRST)
    node.pass_time(TICK_SECONDS)

    assert backends.broken_off == [80]
    assert backends.asked_by(SECOND) == 1


def test_who_leaves_still_learns_what_others_find(node: Node, backends: Backends) -> None:
    targets = node.serve(80)
    leaving = node.workers[FIRST]
    node.loop.run_until_complete(leaving.stop())
    backends.ailments[80] = "oh"

    node.pass_time(5 * CHECK.interval)

    assert backends.asked_by(FIRST) == 0
    assert targets[FIRST][0].is_down


def test_what_a_stuck_worker_finds_late_does_not_count(node: Node, backends: Backends) -> None:
    once = replace(CHECK, unhealthy_threshold=1)
    node.share = 0.0
    targets = node.serve(80, check=once)
    backends.held = asyncio.Event()
    backends.ailments[80] = "oh"
    node.pass_time(TICK_SECONDS)
    stuck = node.workers.pop(FIRST)
    backends.ailments.clear()
    released, backends.held = backends.held, None
    node.pass_time(LEASE_SECONDS + 1.0)  # the other one leads
    assert backends.asked_by(SECOND) == 1

    backends.ailments[80] = "oh"
    released.set()
    node.settle()
    node.pass_time(TICK_SECONDS)

    assert not targets[SECOND][0].is_down
    node.loop.run_until_complete(stuck.stop())


def test_so_many_probes_run_at_a_time_and_the_others_wait_their_turn(node: Node, backends: Backends) -> None:
    node.share = 0.0
    ports = range(1, MOST_PROBES + 21)
    backends.held = asyncio.Event()
    node.serve(*ports)

    node.pass_time(1.0)
    assert len(backends.asked) == MOST_PROBES

    backends.held.set()
    node.pass_time(1.0)
    assert sorted(port for _, _, port in backends.asked) == list(ports)


def test_a_backend_is_not_asked_again_before_it_has_answered(node: Node, backends: Backends) -> None:
    node.serve(80)
    backends.held = asyncio.Event()
    node.pass_time(5 * CHECK.interval)
    assert len(backends.asked) == 1

    backends.held.set()
    node.pass_time(TICK_SECONDS * 2)
    assert len(backends.asked) == 2


def test_when_probing_itself_fails_the_check_goes_on(
    node: Node, backends: Backends, caplog: pytest.LogCaptureFixture
) -> None:
    backends.ailments = None  # type: ignore[assignment]
    node.serve(80)
    node.pass_time(2 * CHECK.interval)
    backends.ailments = {}
    node.pass_time(2 * CHECK.interval)

    assert len(backends.asked) == 4
    assert caplog.messages == ["cannot check backend http://10.0.0.1:80 of /a"] * 2


def test_what_is_our_own_fault_is_not_held_against_a_backend(
    node: Node, backends: Backends, caplog: pytest.LogCaptureFixture
) -> None:
    backends.own_fault = "Too many open files"
    ((target,), _) = node.serve(80).values()
    node.pass_time(5 * CHECK.interval)

    assert len(backends.asked) == 5
    assert not target.is_down
    assert caplog.messages == ["backends cannot be checked: Too many open files"]


def test_without_room_for_its_state_a_backend_is_not_checked(caplog: pytest.LogCaptureFixture) -> None:
    node = Node(words=2)
    node.backends.ailments = dict.fromkeys(range(80, 84), "oh")

    targets = node.serve(80, 81, 82, 83, slots=(FIRST,))[FIRST]
    node.pass_time(5 * CHECK.interval)

    assert [target.is_down for target in targets] == [True, False, False, False]
    assert caplog.messages[0] == (
        "backend http://10.0.0.1:81 of /a is not checked: the shared memory has no room for its state"
    )
    node.end()


def test_when_no_check_is_left_another_may_have_the_lease(node: Node, backends: Backends) -> None:
    node.serve(80)
    node.pass_time(CHECK.interval)

    node.serve(slots=(FIRST,))
    backends.asked.clear()
    node.pass_time(2 * CHECK.interval)

    assert (backends.asked_by(FIRST), backends.asked_by(SECOND)) == (0, 2)


def test_when_a_route_gets_other_backends_they_are_checked_and_those_that_stay_are_known(
    node: Node, backends: Backends
) -> None:
    backends.ailments[80] = "oh"
    route = Route(node.targets_at([80, 81]))
    node.workers[FIRST].follow([route], node.clock())
    node.pass_time(4 * CHECK.interval)
    backends.asked.clear()

    route.targets = node.targets_at([80, 82])
    node.pass_time(4 * CHECK.interval)

    assert [target.is_down for target in route.targets] == [True, False]
    assert {port for _, _, port in backends.asked} == {80, 82}


def test_a_route_may_get_its_first_backends_late(node: Node, backends: Backends) -> None:
    route = Route(())
    node.workers[FIRST].follow([route], node.clock())
    node.pass_time(1.0)

    route.targets = node.targets_at([80])
    node.pass_time(2 * CHECK.interval)

    assert len(backends.asked) == 2
