"""Listening sockets in the file system: ours alone, with the permissions asked for, and gone at the end."""

import os
import socket
from pathlib import Path

import pytest

from kairos.workers import unix_sockets
from kairos.workers.errors import StartError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kairos.sock"


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o777])
def test_the_file_has_the_permissions_asked_for(path: Path, mode: int) -> None:
    before = os.umask(0o022)
    try:
        sock, _ = unix_sockets.listen(path, mode, 5)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    with sock:
        assert path.stat().st_mode & 0o777 == mode
        assert not sock.getblocking()


def test_clients_connect_until_the_file_is_removed_and_who_has_is_still_served(path: Path) -> None:
    sock, file = unix_sockets.listen(path, 0o600, 5)
    with sock, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        file.remove()
        assert not path.exists()

        client.send(b"hello")
        with sock.accept()[0] as accepted:
            assert accepted.recv(10) == b"hello"


def test_what_a_gateway_left_that_was_killed_is_replaced(path: Path) -> None:
    unix_sockets.listen(path, 0o600, 5)[0].close()
    assert path.is_socket()

    sock, _ = unix_sockets.listen(path, 0o600, 5)
    with sock, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


@pytest.mark.parametrize("backlog", [5, 0])
def test_where_somebody_listens_nothing_is_replaced(path: Path, backlog: int) -> None:
    sock, _ = unix_sockets.listen(path, 0o600, backlog)
    with sock, socket.socket(socket.AF_UNIX) as first:
        first.connect(str(path))  # with the smaller backlog the queue is now full
        with pytest.raises(StartError, match=f"cannot listen on unix:{path}: another program listens there"):
            unix_sockets.listen(path, 0o600, 5)
        assert path.is_socket()


def test_a_file_that_is_no_socket_stays(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(StartError, match="there is a file that is no socket"):
        unix_sockets.listen(path, 0o600, 5)
    assert path.read_text() == "precious"


def test_a_file_that_somebody_else_has_put_there_stays(path: Path) -> None:
    sock, file = unix_sockets.listen(path, 0o600, 5)
    with sock:
        path.rename(path.with_suffix(".old"))
        path.write_text("precious")
        file.remove()
        assert path.read_text() == "precious"
        path.unlink()
        file.remove()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("nowhere/a.sock", "the folder does not exist"), ("a" * 200, "too long"), ("file/a.sock", "Not a directory")],
)
def test_a_path_that_cannot_be_is_one_clear_line(tmp_path: Path, name: str, complaint: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=complaint) as raised:
        unix_sockets.listen(tmp_path / name, 0o600, 5)
    assert "\n" not in raised.value.message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone who may not")
def test_a_folder_without_permission_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(StartError, match="no permission"):
            unix_sockets.listen(Path("/kairos.sock"), 0o600, 5)
    finally:
        os.seteuid(0)
