"""Sockets that are watched in one set of their own: everyone hears of theirs, as long as it is so."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import uvloop

from kairos.proxy.poller import BATCH, IN, OUT, OVER, Poller


class Watcher:
    """Keeps what it is told, and takes it."""

    def __init__(self, sock: socket.socket, act: Callable[[int], None] = lambda _: None) -> None:
        sock.setblocking(False)
        self.fd = sock.fileno()
        self.told: list[int] = []
        self._act = act

    def ready(self, events: int) -> None:
        self.told.append(events)
        self._act(events)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop = request.param()
    yield loop
    loop.close()


@pytest.fixture
def poller(loop: asyncio.AbstractEventLoop) -> Iterator[Poller]:
    poller = Poller(loop)
    yield poller
    poller.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


def until(loop: asyncio.AbstractEventLoop, is_so: Callable[[], object]) -> None:
    async def wait() -> None:
        while not is_so():
            await asyncio.sleep(0)

    loop.run_until_complete(wait())


def rounds(loop: asyncio.AbstractEventLoop) -> None:
    """Let the loop look as often as would show anything."""

    async def wait() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    loop.run_until_complete(wait())


def test_what_arrives_is_told_until_it_is_taken(loop: asyncio.AbstractEventLoop, poller: Poller, pair: Pair) -> None:
    watcher = Watcher(pair[0])
    poller.watch(watcher.fd, watcher, IN)
    pair[1].sendall(b"hello")

    until(loop, lambda: len(watcher.told) > 2)
    assert set(watcher.told) == {IN}

    pair[0].recv(100)
    watcher.told.clear()
    rounds(loop)
    assert watcher.told == []


def test_events_can_be_changed(loop: asyncio.AbstractEventLoop, poller: Poller, pair: Pair) -> None:
    watcher = Watcher(pair[0])
    poller.watch(watcher.fd, watcher, IN)
    poller.change(watcher.fd, OUT)
    pair[1].sendall(b"hello")
    until(loop, lambda: watcher.told)
    assert set(watcher.told) == {OUT}

    poller.change(watcher.fd, 0)
    watcher.told.clear()
    rounds(loop)
    assert watcher.told == []


def test_another_one_can_be_told(loop: asyncio.AbstractEventLoop, poller: Poller, pair: Pair) -> None:
    before, after = Watcher(pair[0]), Watcher(pair[0])
    poller.watch(before.fd, before, IN)
    poller.hand_over(before.fd, after)
    pair[1].sendall(b"hello")

    until(loop, lambda: after.told)

    assert before.told == []


def test_an_end_is_told_even_to_those_who_want_nothing(
    loop: asyncio.AbstractEventLoop, poller: Poller, pair: Pair
) -> None:
    watcher = Watcher(pair[0])
    poller.watch(watcher.fd, watcher, 0)
    pair[1].close()

    until(loop, lambda: len(watcher.told) > 2)  # and again and again

    assert all(events & OVER for events in watcher.told)


@pytest.mark.parametrize("how", ["forget", "closes"])
def test_who_is_not_watched_any_more_is_not_told(
    loop: asyncio.AbstractEventLoop, poller: Poller, pair: Pair, how: str
) -> None:
    watcher = Watcher(pair[0])
    poller.watch(watcher.fd, watcher, IN)
    pair[1].sendall(b"hello")
    getattr(poller, how)(watcher.fd)
    getattr(poller, how)(watcher.fd)

    rounds(loop)

    assert watcher.told == []


def test_a_number_can_be_used_again(loop: asyncio.AbstractEventLoop, poller: Poller, pair: Pair) -> None:
    first = Watcher(pair[0])
    poller.watch(first.fd, first, IN)
    poller.closes(first.fd)
    pair[0].close()
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        second = Watcher(ours)
        poller.watch(second.fd, second, IN)
        theirs.sendall(b"hello")

        until(loop, lambda: second.told)

        assert first.told == []


def test_one_that_fails_keeps_no_other_from_its_turn(loop: asyncio.AbstractEventLoop, poller: Poller) -> None:
    failures: list[object] = []
    loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
    pairs = [socket.socketpair() for _ in range(3)]
    defect = RuntimeError("a defect")

    def fail(_: int) -> None:
        poller.closes(watchers[1].fd)
        raise defect

    watchers = [Watcher(ours, fail if number == 1 else lambda _: None) for number, (ours, _) in enumerate(pairs)]
    for watcher, (_, theirs) in zip(watchers, pairs, strict=True):
        poller.watch(watcher.fd, watcher, IN)
        theirs.sendall(b"hello")

    until(loop, lambda: watchers[0].told and watchers[2].told)

    assert failures == [defect]
    for ends in pairs:
        for sock in ends:
            sock.close()


def test_more_than_a_batch_are_all_told(loop: asyncio.AbstractEventLoop, poller: Poller) -> None:
    pairs = [socket.socketpair() for _ in range(BATCH + 10)]
    watchers = [Watcher(ours) for ours, _ in pairs]
    for watcher, (_, theirs) in zip(watchers, pairs, strict=True):
        poller.watch(watcher.fd, watcher, IN)
        theirs.sendall(b"hello")

    until(loop, lambda: all(watcher.told for watcher in watchers))

    assert {event for watcher in watchers for event in watcher.told} == {IN}

    for ends in pairs:
        for sock in ends:
            sock.close()


def test_nothing_is_told_after_the_end(loop: asyncio.AbstractEventLoop, poller: Poller, pair: Pair) -> None:
    watcher = Watcher(pair[0])
    poller.watch(watcher.fd, watcher, IN)
    pair[1].sendall(b"hello")
    poller.close()
    poller.close()

    rounds(loop)

    assert watcher.told == []


def test_what_cannot_be_watched_raises(poller: Poller) -> None:
    with socket.socket() as sock, pytest.raises(OSError):
        poller.watch(10**6, Watcher(sock), IN)
