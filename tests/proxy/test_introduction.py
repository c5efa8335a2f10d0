"""Connections that begin with a PROXY header: from trusted peers, in time, and to the last byte of it."""

import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from kairos.protocols.proxy_protocol import UNKNOWN, Endpoint, ProxyHeader, encode_v1, encode_v2
from kairos.proxy.introduction import LOG_SECONDS, SECONDS, Introductions
from tests.proxy.world import World

CLIENT, HERE = Endpoint("203.0.113.9", 40000), Endpoint("192.0.2.7", 443)
REQUEST = b"GET / HTTP/1.1\r\n\r\n"
HEADERS = [encode_v1(CLIENT, HERE), encode_v2(CLIENT, HERE)]


class Scene:
    """One connection, of which `proxy` is the other end, and what becomes of it."""

    def __init__(self, world: World, loop: Any) -> None:
        self.loop = loop
        self.plane = world.plane
        self.introductions = Introductions(self.plane, lambda sock, header: self.done.append((sock, header)))
        self.done: list[tuple[socket.socket, ProxyHeader]] = []
        self.ours, self.proxy = socket.socketpair()
        self.ours.setblocking(False)

    def begin(self, peer: str = "10.0.0.9") -> None:
        self.introductions.begin(self.ours, peer)

    def arrives(self, data: bytes) -> None:
        """Let bytes arrive, and the loop notice if it watches."""
        self.proxy.sendall(data)
        self.loop.look()

    @property
    def is_closed(self) -> bool:
        return self.ours.fileno() < 0

    def end(self) -> None:
        self.ours.close()
        self.proxy.close()


class Readers:
    """The part of an event loop that is asked of: who is to be told when something arrives."""

    def __init__(self) -> None:
        self.readers: dict[Any, Any] = {}

    def add_reader(self, sock: Any, call: Any) -> None:
        assert sock not in self.readers
        self.readers[sock] = call

    def remove_reader(self, sock: Any) -> None:
        del self.readers[sock]

    def look(self) -> None:
        for call in tuple(self.readers.values()):
            call()


@pytest.fixture
def scene(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    world.configure(trusted_proxies=("10.0.0.0/8", "unix:"))
    readers = Readers()
    for name in ("add_reader", "remove_reader"):
        monkeypatch.setattr(world.loop, name, getattr(readers, name))
    scene = Scene(world, readers)
    yield scene
    scene.end()
    assert readers.readers == {}
    assert scene.introductions.waiting == set()


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_is_there_is_taken_at_once_and_nothing_more(scene: Scene, header: bytes) -> None:
    scene.proxy.sendall(header + REQUEST)
    scene.begin()

    assert scene.done == [(scene.ours, ProxyHeader(CLIENT, HERE))]
    assert scene.ours.recv(100) == REQUEST


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_may_come_byte_by_byte(scene: Scene, header: bytes) -> None:
    scene.begin()
    for index in range(len(header)):
        assert scene.done == []
        assert len(scene.introductions.waiting) == 1
        scene.arrives(header[index : index + 1])

    assert scene.done == [(scene.ours, ProxyHeader(CLIENT, HERE))]


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_may_be_cut_anywhere(world: World, scene: Scene, header: bytes) -> None:
    for cut in range(len(header)):
        other = Scene(world, scene.loop)
        other.begin()
        if cut:
            other.arrives(header[:cut])
        other.arrives(header[cut:] + REQUEST)
        assert other.done == [(other.ours, ProxyHeader(CLIENT, HERE))]
        assert other.ours.recv(100) == REQUEST
        other.end()


def test_what_waits_does_not_wake_the_loop_again_and_again(scene: Scene) -> None:
    scene.begin()
    scene.arrives(b"PROXY TCP4 ")
    with pytest.raises(BlockingIOError):
        scene.ours.recv(1)
    scene.introductions.close()


def test_a_peer_on_a_unix_socket_is_trusted_if_the_config_says_so(world: World, scene: Scene) -> None:
    scene.proxy.sendall(b"PROXY UNKNOWN\r\n")
    scene.begin("")
    assert scene.done == [(scene.ours, UNKNOWN)]

    world.configure(trusted_proxies=("10.0.0.0/8",))
    other = Scene(world, scene.loop)
    other.begin("")
    assert other.is_closed
    other.end()


def test_a_peer_that_is_not_trusted_is_not_listened_to(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.proxy.sendall(HEADERS[0])
    scene.begin("203.0.113.1")

    assert scene.is_closed
    assert scene.done == []
    assert "203.0.113.1 is none of server.trusted_proxies" in caplog.text


@pytest.mark.parametrize("garbage", [REQUEST, b"\x16\x03\x01", b"PROXY TCP4 a b c d\r\n", b"PROXY " + b"x" * 200])
def test_what_is_no_header_ends_the_connection(scene: Scene, garbage: bytes) -> None:
    scene.begin()
    scene.arrives(garbage)
    assert scene.is_closed


def test_the_end_of_the_connection_ends_the_wait(scene: Scene) -> None:
    scene.begin()
    scene.arrives(b"PROXY")
    scene.proxy.shutdown(socket.SHUT_WR)
    scene.loop.look()
    assert scene.is_closed


def test_who_sends_nothing_in_time_is_closed(world: World, scene: Scene) -> None:
    scene.begin()
    scene.arrives(b"PROXY ")
    world.pass_time(SECONDS - 1)
    assert not scene.is_closed

    world.pass_time(2.5)
    assert scene.is_closed


def test_the_log_is_not_flooded(world: World, scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(5):
        scene.introductions.begin(socket.socket(), "203.0.113.1")
    assert len(caplog.records) == 1

    world.pass_time(LOG_SECONDS + 1)
    scene.introductions.begin(socket.socket(), "203.0.113.1")
    assert "(4 more since the last)" in caplog.text


def test_at_the_end_nobody_waits_any_more(scene: Scene) -> None:
    scene.begin()
    scene.introductions.close()
    assert scene.is_closed
