"""What the socket takes goes past the transport, in order, and only while the transport would send it, too."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from kairos.proxy.writer import MOST_BYTES, Writer


class Transport:
    """Keeps what it is given instead of sending it."""

    def __init__(self, sock: socket.socket | None, ssl_object: object = None) -> None:
        self._extra = {"socket": sock, "ssl_object": ssl_object}
        self.written: list[bytes] = []

    def get_extra_info(self, name: str) -> Any:
        return self._extra[name]

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.written))

    def write(self, data: bytes) -> None:
        self.written.append(data)


class Scene:
    """A writer, and who is connected to it."""

    def __init__(self, theirs: socket.socket, transport: Transport) -> None:
        self._theirs = theirs
        self.transport = transport
        written: Any = transport
        self.writer = Writer(written)

    def sees(self) -> bytes:
        """Return what has come to the other side, without waiting."""
        received = b""
        while True:
            try:
                received += self._theirs.recv(1 << 20)
            except BlockingIOError:
                return received


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        yield ours, theirs


@pytest.fixture
def scene(ends: tuple[socket.socket, socket.socket]) -> Scene:
    return Scene(ends[1], Transport(ends[0]))


def fill(scene: Scene) -> bytes:
    """Write until something waits in the transport; return all that was written."""
    piece, written = bytes(range(256)) * 16, b""
    while not scene.transport.written:
        scene.writer.write(piece)
        written += piece
    return written


def test_what_the_socket_takes_does_not_go_through_the_transport(scene: Scene) -> None:
    scene.writer.write(b"one, ")
    scene.writer.write(b"two")

    assert scene.sees() == b"one, two"
    assert scene.transport.written == []


def test_the_rest_waits_in_the_transport_and_all_that_follows_waits_behind_it(scene: Scene) -> None:
    written = fill(scene)
    (rest,) = scene.transport.written

    scene.writer.write(b"after it")
    received = scene.sees()  # now the socket would take more
    scene.writer.write(b"and that")

    assert scene.transport.written[1:] == [b"after it", b"and that"]
    assert received + rest == written


def test_it_goes_on_past_the_transport_as_soon_as_nothing_waits_there(scene: Scene) -> None:
    fill(scene)
    scene.transport.written.clear()
    scene.sees()

    scene.writer.write(b"again")

    assert scene.sees() == b"again"
    assert scene.transport.written == []


def test_what_waits_from_before_comes_first(ends: tuple[socket.socket, socket.socket]) -> None:
    transport = Transport(ends[0])
    transport.write(b"an answer")
    scene = Scene(ends[1], transport)

    scene.writer.write(b"a frame")

    assert transport.written == [b"an answer", b"a frame"]


def test_large_pieces_are_left_to_the_transport(scene: Scene) -> None:
    large = bytes(MOST_BYTES + 1)

    scene.writer.write(large)

    assert scene.transport.written == [large]
    assert scene.transport.written[0] is large


def test_what_a_broken_connection_does_not_take_is_left_to_the_transport(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    scene = Scene(ends[1], Transport(ends[0]))
    ends[1].close()

    scene.writer.write(b"for nobody")

    assert scene.transport.written == [b"for nobody"]


def test_after_the_stop_everything_is_left_to_the_transport(scene: Scene) -> None:
    scene.writer.write(b"before")
    scene.writer.stop()

    scene.writer.write(b"after")

    assert scene.sees() == b"before"
    assert scene.transport.written == [b"after"]


def test_nothing_goes_past_tls(ends: tuple[socket.socket, socket.socket]) -> None:
    scene = Scene(ends[1], Transport(ends[0], ssl_object=object()))

    scene.writer.write(b"a secret")

    assert scene.sees() == b""
    assert scene.transport.written == [b"a secret"]


def test_without_a_socket_the_transport_sends() -> None:
    transport = Transport(None)
    writer: Any = transport

    Writer(writer).write(b"to nowhere")

    assert transport.written == [b"to nowhere"]
