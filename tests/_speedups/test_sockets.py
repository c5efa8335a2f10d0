"""Both twins accept and send without waiting, and say what they could not do."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from types import ModuleType

import pytest

from kairos import _speedups
from kairos._speedups import _sockets_py

TWINS: list[ModuleType] = [_sockets_py]
if _speedups.COMPILED:
    from kairos._speedups import sockets

    TWINS.append(sockets)


@pytest.fixture(params=TWINS, ids=lambda twin: twin.__name__)
def twin(request: pytest.FixtureRequest) -> ModuleType:
    found = request.param
    assert isinstance(found, ModuleType)
    return found


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as sock:
        sock.setblocking(False)
        yield sock


def test_each_call_accepts_one_client(twin: ModuleType, listening: socket.socket) -> None:
    clients = [socket.create_connection(listening.getsockname()) for _ in range(2)]

    accepted = [socket.socket(fileno=twin.accept_one(listening)) for _ in range(2)]

    assert [one.getpeername() for one in accepted] == [client.getsockname() for client in clients]
    assert not any(os.get_inheritable(one.fileno()) for one in accepted)
    assert twin.accept_one(listening) == -1
    for sock in (*clients, *accepted):
        sock.close()


def test_clients_on_unix_sockets_are_accepted(twin: ModuleType) -> None:
    with socket.socket(socket.AF_UNIX) as sock, socket.socket(socket.AF_UNIX) as client:
        sock.bind("")  # a name of the kernel's
        sock.listen()
        sock.setblocking(False)
        client.connect(sock.getsockname())

        with socket.socket(fileno=twin.accept_one(sock)) as accepted:
            client.sendall(b"hello")
            assert accepted.recv(10) == b"hello"


def test_what_cannot_accept_raises(twin: ModuleType) -> None:
    with socket.socket() as sock, pytest.raises(OSError) as caught:
        twin.accept_one(sock)

    assert caught.value.errno == errno.EINVAL


def test_as_much_is_sent_as_the_socket_takes(twin: ModuleType) -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        ours.setblocking(False)
        assert twin.send_now(ours.fileno(), b"hello") == 5
        assert theirs.recv(10) == b"hello"

        large = bytes(16 << 20)
        sent = twin.send_now(ours.fileno(), large)
        assert 0 < sent < len(large)
        assert twin.send_now(ours.fileno(), b"x") == 0


def test_what_cannot_be_sent_is_not_sent(twin: ModuleType) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with closing(ours):
        assert twin.send_now(ours.fileno(), b"hello") == 0
    assert twin.send_now(-1, b"hello") == 0
