"""What the socket takes goes past the transport, in order, and only while the transport would send it, too."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kairos.proxy.end import End
from tests.proxy.world import plane_on


class Transport:
    """Keeps what it is given instead of sending it."""

    def __init__(self, sock: socket.socket, ssl_object: object = None) -> None:
        self._extra = {"socket": sock, "ssl_object": ssl_object}
        self.protocol: object = None
        self.written: list[bytes] = []

    def get_extra_info(self, name: str) -> Any:
        return self._extra[name]

    def set_protocol(self, protocol: object) -> None:
        self.protocol = protocol

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.written))

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return False

    def end(self) -> None:
        """Do nothing: what was written is to be seen."""

    write_eof = close = abort = end


class Tunnel:
    """Hears of an end."""

    def lost(self, _: End) -> None:
        """Do nothing."""


class Scene:
    """One end of a tunnel of bytes, and who is connected to it."""

    def __init__(self, theirs: socket.socket, transport: Transport) -> None:
        tunnel: Any = Tunnel()
        plane = plane_on(asyncio.new_event_loop())
        self._loop = plane.loop
        self.theirs = theirs
        self.transport = transport
        self.end = End(tunnel, plane, None, is_client=True)
        peer = End(tunnel, plane, None, is_client=False)
        joined: Any = transport
        self.end.join(peer, joined)

    def sees(self) -> bytes:
        """Return what has come to the other side, without waiting."""
        try:
            return self.theirs.recv(64 << 20)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        self._loop.close()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


@pytest.fixture
def scene(ends: tuple[socket.socket, socket.socket]) -> Iterator[Scene]:
    scene = Scene(ends[1], Transport(ends[0]))
    yield scene
    scene.close()


def test_what_the_socket_takes_does_not_go_through_the_transport(scene: Scene) -> None:
    scene.end.write(b"one, ")
    scene.end.write(b"two")

    assert scene.sees() == b"one, two"
    assert scene.transport.written == []


def test_the_rest_waits_in_the_transport_and_all_that_follows_waits_behind_it(scene: Scene) -> None:
    large = bytes(range(256)) * (64 << 10)
    scene.end.write(large)
    (rest,) = scene.transport.written
    assert 0 < len(rest) < len(large)

    scene.end.write(b"after it")
    received = b""
    while piece := scene.sees():  # now the socket would take more
        received += piece
    scene.end.write(b"and that")

    assert scene.transport.written[1:] == [b"after it", b"and that"]
    assert received + rest == large


def test_it_goes_on_past_the_transport_as_soon_as_nothing_waits_there(scene: Scene) -> None:
    scene.end.write(bytes(64 << 20))
    scene.transport.written.clear()
    while scene.sees():
        pass

    scene.end.write(b"again")

    assert scene.sees() == b"again"
    assert scene.transport.written == []


def test_what_waits_from_before_comes_first(ends: tuple[socket.socket, socket.socket]) -> None:
    transport = Transport(ends[0])
    transport.write(b"an answer")
    scene = Scene(ends[1], transport)

    scene.end.write(b"a frame")

    assert transport.written == [b"an answer", b"a frame"]
    scene.close()


ENDINGS: dict[str, Callable[[End], None]] = {
    "no more is written": lambda end: end.end_writing(),
    "it closes": lambda end: end.let_go(),
    "it is aborted": lambda end: end.abort(),
    "it is lost": lambda end: end.connection_lost(None),  # its number may be somebody else's by now
}


@pytest.mark.parametrize("how", ENDINGS)
def test_after_an_end_it_is_up_to_the_transport(scene: Scene, how: str) -> None:
    scene.end.write(b"before")
    ENDINGS[how](scene.end)

    scene.end.write(b"after")

    assert scene.sees() == b"before"
    assert scene.transport.written == [b"after"]


def test_nothing_goes_past_tls(ends: tuple[socket.socket, socket.socket]) -> None:
    scene = Scene(ends[1], Transport(ends[0], ssl_object=object()))

    scene.end.write(b"a secret")

    assert scene.sees() == b""
    assert scene.transport.written == [b"a secret"]
    scene.close()
