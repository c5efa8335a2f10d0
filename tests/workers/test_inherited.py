"""What systemd has opened is taken over by name, and by nobody for whom it is not."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kairos.workers import inherited
from kairos.workers.errors import StartError
from kairos.workers.inherited import Inherited


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """Two listening sockets and a connected one, in descriptors that follow each other."""
    mine = [socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0)), socket.socket()]
    first = max(int(fd.name) for fd in Path("/proc/self/fd").iterdir()) + 1
    for number, sock in enumerate(mine):
        os.dup2(sock.fileno(), first + number)
    monkeypatch.setattr(inherited, "FIRST_FD", first)
    yield mine
    for number, sock in enumerate(mine):
        sock.close()
        try:
            os.close(first + number)
        except OSError:
            continue


def told(count: int, names: str, pid: str = "42") -> dict[str, str]:
    return {"LISTEN_PID": pid, "LISTEN_FDS": str(count), "LISTEN_FDNAMES": names, "HOME": "/"}


def test_sockets_are_found_by_their_names(sockets: list[socket.socket]) -> None:
    environ = told(2, "web:api")
    found = Inherited.take(environ, 42)

    assert environ == {"HOME": "/"}
    (web,) = found.open("web")
    with web:
        assert web.getsockname() == sockets[0].getsockname()
        assert not web.getblocking()
        assert not web.get_inheritable()
    assert list(found.fds) == ["api"]


def test_sockets_of_one_unit_share_a_name(sockets: list[socket.socket]) -> None:
    found = Inherited.take(told(2, "web:web"), 42).open("web")
    assert [sock.getsockname() for sock in found] == [sock.getsockname() for sock in sockets[:2]]
    for sock in found:
        sock.close()


def test_a_socket_without_a_name_is_called_as_systemd_does(sockets: list[socket.socket]) -> None:
    assert sorted(Inherited.take(told(2, ""), 42).fds) == ["unknown"]


@pytest.mark.parametrize(
    "environ", [told(2, "web:api", pid="43"), {}, {"LISTEN_PID": "42"}, told(2, "web") | {"LISTEN_FDS": "x"}]
)
def test_what_is_for_another_process_is_left_alone(environ: dict[str, str]) -> None:
    assert Inherited.take(environ, 42).fds == {}
    assert not any(name.startswith("LISTEN") for name in environ)


def test_a_name_that_nobody_knows_is_one_clear_line(sockets: list[socket.socket]) -> None:
    with pytest.raises(StartError, match=r"no socket with the name 'ftp': it has opened api, web"):
        Inherited.take(told(2, "web:api"), 42).open("ftp")
    with pytest.raises(StartError, match="none at all"):
        Inherited().open("web")


def test_a_socket_that_does_not_listen_is_refused(sockets: list[socket.socket]) -> None:
    with pytest.raises(StartError, match=r"ListenStream= and Accept=no"):
        Inherited.take(told(3, "a:b:c"), 42).open("c")


def test_a_descriptor_that_is_not_there_is_one_clear_line(sockets: list[socket.socket]) -> None:
    with pytest.raises(StartError, match=rf"descriptor {inherited.FIRST_FD + 3}, .* is closed"):
        Inherited.take(told(4, ""), 42)
