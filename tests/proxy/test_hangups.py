"""Clients that leave while nothing is read from them are noticed all the same."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import uvloop

from kairos.proxy.hangups import Hangups


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop = request.param()
    yield loop
    loop.close()


@pytest.fixture
def hangups(loop: asyncio.AbstractEventLoop) -> Iterator[Hangups]:
    hangups = Hangups(loop)
    yield hangups
    hangups.close()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        yield ours, theirs


def heard(loop: asyncio.AbstractEventLoop, hangups: Hangups, sock: socket.socket, act: Callable[[], object]) -> None:
    """Watch a socket, act, and wait until the end is heard of."""
    left = loop.create_future()
    hangups.watch(sock.fileno(), lambda: left.set_result(None))
    act()
    loop.run_until_complete(left)


def test_a_peer_that_ends_its_side_has_left(
    loop: asyncio.AbstractEventLoop, hangups: Hangups, ends: tuple[socket.socket, socket.socket]
) -> None:
    heard(loop, hangups, ends[0], lambda: ends[1].shutdown(socket.SHUT_WR))


def test_what_was_sent_before_the_end_hides_nothing(
    loop: asyncio.AbstractEventLoop, hangups: Hangups, ends: tuple[socket.socket, socket.socket]
) -> None:
    ends[1].sendall(b"unread")

    heard(loop, hangups, ends[0], ends[1].close)

    assert ends[0].recv(100) == b"unread"


def test_who_is_forgotten_is_not_told(
    loop: asyncio.AbstractEventLoop, hangups: Hangups, ends: tuple[socket.socket, socket.socket]
) -> None:
    other, peer = socket.socketpair()
    with closing(other), closing(peer):
        hangups.watch(ends[0].fileno(), lambda: pytest.fail("forgotten"))
        hangups.forget(ends[0].fileno())
        ends[1].close()

        heard(loop, hangups, other, peer.close)


def test_a_socket_may_be_watched_again(
    loop: asyncio.AbstractEventLoop, hangups: Hangups, ends: tuple[socket.socket, socket.socket]
) -> None:
    hangups.watch(ends[0].fileno(), lambda: pytest.fail("forgotten"))
    hangups.forget(ends[0].fileno())

    heard(loop, hangups, ends[0], ends[1].close)


def test_forgetting_a_socket_that_is_closed_or_was_never_watched_does_nothing(
    hangups: Hangups, ends: tuple[socket.socket, socket.socket]
) -> None:
    fd = ends[0].fileno()
    hangups.watch(fd, lambda: None)
    ends[0].close()

    hangups.forget(fd)
    hangups.forget(fd)
    hangups.forget(-1)
