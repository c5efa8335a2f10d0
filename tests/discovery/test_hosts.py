"""Names that are kept up to date, by a manual clock."""

import asyncio
import gc
import logging
import time
from collections.abc import Iterator

import pytest

from kairos.config.document import Discovery
from kairos.discovery.hosts import MOVED_SECONDS, SLICE_SECONDS, Host, Hosts
from kairos.discovery.names import Answer
from kairos.discovery.resolver import NotResolved
from tests.fakes import ManualClock

A, B, SIX = "10.0.0.1", "10.0.0.2", "::1"
SETTINGS = Discovery()


class Loop(asyncio.SelectorEventLoop):
    """An event loop with a manual clock."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        super().__init__()

    def time(self) -> float:
        return self._clock()

    def settle(self) -> None:
        """Do what is due."""
        for _ in range(5):
            self.call_soon(self.stop)
            self.run_forever()


class Server:
    """A name server with one answer for everything; None is a failure."""

    def __init__(self) -> None:
        self.answer: Answer | None = Answer((A,), (), 10.0)
        self.asked: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def resolve(self, host: str) -> Answer:
        self.asked.append(host)
        await self.may_answer.wait()
        if self.answer is None:
            raise NotResolved("down")
        return self.answer


class Watcher:
    """Counts the changes."""

    def __init__(self) -> None:
        self.changes = 0

    def addresses_changed(self) -> None:
        self.changes += 1


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def loop(clock: ManualClock) -> Iterator[Loop]:
    loop = Loop(clock)
    yield loop
    loop.settle()
    loop.close()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def hosts(loop: Loop, server: Server) -> Hosts:
    return Hosts(loop, lambda _: server)


@pytest.fixture
def host(hosts: Hosts, loop: Loop, clock: ManualClock) -> Host:
    """A name that has been resolved."""
    host = hosts.host("app.test", SETTINGS)
    hosts.refresh(clock())
    loop.settle()
    return host


def pass_time(seconds: float, clock: ManualClock, hosts: Hosts, loop: Loop) -> None:
    clock.advance(seconds)
    hosts.refresh(clock())
    loop.settle()


def test_a_name_is_asked_for_when_its_answer_has_run_out(
    hosts: Hosts, host: Host, server: Server, clock: ManualClock, loop: Loop
) -> None:
    watcher = Watcher()
    host.watch(watcher)
    server.answer = Answer((B,), (), 10.0)

    pass_time(9.9, clock, hosts, loop)
    assert (host.addresses, server.asked) == ((A,), ["app.test"])
    pass_time(1.1, clock, hosts, loop)

    assert host.addresses == (B,)
    assert watcher.changes == 1


def test_what_did_not_change_is_not_told(
    hosts: Hosts, host: Host, server: Server, clock: ManualClock, loop: Loop
) -> None:
    watcher = Watcher()
    host.watch(watcher)
    pass_time(11, clock, hosts, loop)
    assert (len(server.asked), watcher.changes) == (2, 0)


def test_a_change_is_told_to_many_bit_by_bit(
    hosts: Hosts, host: Host, server: Server, clock: ManualClock, loop: Loop
) -> None:
    class Slow(Watcher):
        def addresses_changed(self) -> None:
            super().addresses_changed()
            time.sleep(SLICE_SECONDS)

    many = [Slow() for _ in range(4)]
    for watcher in many:
        host.watch(watcher)
    turns: list[int] = []
    server.answer = Answer((B,), (), 10.0)

    clock.advance(11)
    hosts.refresh(clock())
    while not all(watcher.changes for watcher in many):
        loop.call_soon(loop.stop)
        loop.run_forever()
        turns.append(sum(watcher.changes for watcher in many))

    assert sorted(set(turns)) == [0, 1, 2, 3, 4][-len(set(turns)) :]


def test_a_failure_is_told_once_and_so_is_its_end(
    hosts: Hosts, host: Host, server: Server, clock: ManualClock, loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kairos.discovery")
    known, server.answer = server.answer, None
    for _ in range(3):
        pass_time(11, clock, hosts, loop)
    server.answer = known
    pass_time(11, clock, hosts, loop)

    assert host.addresses == (A,)
    assert [record.getMessage() for record in caplog.records] == [
        f"app.test cannot be resolved: down; it stays at {A}",
        "app.test can be resolved again",
    ]


def test_a_refused_connection_has_the_name_resolved_at_once(
    host: Host, server: Server, clock: ManualClock, loop: Loop
) -> None:
    clock.advance(2)
    server.answer = Answer((B,), (), 10.0)
    host.refused(A)
    host.refused(A)
    loop.settle()
    assert (host.addresses, len(server.asked)) == ((B,), 2)


def test_who_is_refused_by_the_only_address_learns_where_the_name_has_moved_to(
    host: Host, server: Server, clock: ManualClock, loop: Loop
) -> None:
    clock.advance(2)
    server.answer = Answer((B,), (), 10.0)
    host.refused(A)
    assert loop.run_until_complete(host.elsewhere(A)) == (B,)


def test_who_is_refused_by_one_of_several_tries_those_that_it_has(
    host: Host, server: Server, clock: ManualClock, loop: Loop
) -> None:
    clock.advance(2)
    server.answer = Answer((A, B), (), 10.0)
    host.refused(A)
    loop.settle()
    assert loop.run_until_complete(host.elsewhere(A)) == ()


def test_who_is_refused_by_one_family_goes_on_with_the_other(
    host: Host, server: Server, clock: ManualClock, loop: Loop
) -> None:
    clock.advance(2)
    server.answer = Answer((A,), (SIX,), 10.0)
    host.refused(A)
    loop.settle()
    watcher = Watcher()
    host.watch(watcher)

    host.refused(A)

    assert watcher.changes == 1
    assert loop.run_until_complete(host.elsewhere(A)) == (SIX,)
    host.reached(SIX)


def test_nobody_waits_long_for_a_name_server(host: Host, server: Server, clock: ManualClock, loop: Loop) -> None:
    clock.advance(2)
    server.may_answer.clear()
    host.refused(A)
    waiting = loop.create_task(host.elsewhere(A))
    loop.settle()
    assert not waiting.done()

    clock.advance(MOVED_SECONDS)
    loop.settle()

    assert waiting.result() == ()
    host.stop()
    loop.settle()


def test_all_who_need_a_name_wait_for_one_answer(hosts: Hosts, server: Server, loop: Loop) -> None:
    host = hosts.host("app.test", SETTINGS)
    waiting = [loop.create_task(host.latest()) for _ in range(3)]
    loop.settle()
    assert [task.result() for task in waiting] == [(A,)] * 3
    assert server.asked == ["app.test"]


def test_a_name_that_is_not_known_is_not_asked_for_by_every_request(
    hosts: Hosts, server: Server, loop: Loop, clock: ManualClock
) -> None:
    server.answer = None
    host = hosts.host("app.test", SETTINGS)
    for _ in range(5):
        assert loop.run_until_complete(host.latest()) == ()
    assert len(server.asked) == 1


def test_new_names_are_learned_together_within_a_time(
    hosts: Hosts, host: Host, server: Server, loop: Loop, clock: ManualClock
) -> None:
    new = [hosts.host(f"{number}.test", SETTINGS) for number in range(3)]
    loop.run_until_complete(hosts.learn(2.0))
    assert [one.addresses for one in new] == [(A,)] * 3

    server.may_answer.clear()
    slow = hosts.host("slow.test", SETTINGS)
    learning = loop.create_task(hosts.learn(2.0))
    loop.settle()
    clock.advance(2.0)
    loop.settle()
    assert learning.done()
    assert slow.addresses == ()
    hosts.stop()


def test_a_name_is_forgotten_with_the_last_who_holds_it(hosts: Hosts, host: Host, server: Server, loop: Loop) -> None:
    assert hosts.host("app.test", SETTINGS) is host
    assert hosts.host("app.test", Discovery(ipv="4")) is not host
    watcher = Watcher()
    host.watch(watcher)
    gc.disable()
    try:
        kept, _ = hosts.host("kept.test", SETTINGS), hosts.host("gone.test", SETTINGS)
        del _
        hosts.refresh(0.0)
        loop.settle()
    finally:
        gc.enable()
    assert server.asked == ["app.test", "kept.test"]
    assert kept.addresses


def test_a_defect_is_not_hidden_and_does_not_end_the_asking(
    hosts: Hosts, host: Host, server: Server, loop: Loop, clock: ManualClock
) -> None:
    seen: list[object] = []
    loop.set_exception_handler(lambda _, context: seen.append(context.get("exception")))
    server.answer = 1  # type: ignore[assignment]

    pass_time(11, clock, hosts, loop)
    gc.collect()
    assert isinstance(seen[0], AttributeError)

    server.answer = Answer((B,), (), 10.0)
    pass_time(11, clock, hosts, loop)
    assert host.addresses == (B,)
