"""An end of a tunnel writes past its transport only until that is to end."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kairos.proxy.end import End
from tests.proxy.world import plane_on


class Transport:
    """Keeps what it is given instead of sending it."""

    def __init__(self, sock: socket.socket) -> None:
        self._extra = {"socket": sock, "ssl_object": None}
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
            return self.theirs.recv(100)
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
