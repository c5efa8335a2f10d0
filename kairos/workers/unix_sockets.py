"""Listening sockets in the file system."""

import errno
import os
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kairos.workers.errors import StartError


@dataclass(frozen=True, slots=True)
class SocketFile:
    """The file of a socket that this process has made."""

    path: Path
    identity: tuple[int, int]
    """Device and inode."""

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return what is at a path now. Raises OSError."""
        found = path.lstat()
        return cls(path, (found.st_dev, found.st_ino))

    def remove(self) -> None:
        """Let nobody connect any more; a file that somebody else has put there since stays."""
        with suppress(OSError):
            if SocketFile.of(self.path) == self:
                self.path.unlink()


def listen(path: Path, mode: int, backlog: int) -> tuple[socket.socket, SocketFile]:
    """Listen at a path. A file that is there is replaced only if it is a socket at which nobody listens."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        _clear(path)
        _bind(sock, path, mode)
        sock.listen(backlog)
        return sock, SocketFile.of(path)
    except OSError as error:
        sock.close()
        raise StartError(f"cannot listen on unix:{path}: {_advice(error)}") from None
    except StartError:
        sock.close()
        raise


def _bind(sock: socket.socket, path: Path, mode: int) -> None:
    """Make the file, with its permissions from the beginning."""
    before = os.umask(0o777 & ~mode)
    try:
        sock.bind(str(path))
    finally:
        os.umask(before)


def _clear(path: Path) -> None:
    """Remove what a gateway has left that could not clear up."""
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise StartError(f"cannot listen on unix:{path}: there is a file that is no socket; remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # its queue is full
    raise StartError(f"cannot listen on unix:{path}: another program listens there; stop it, or choose another path")


def _advice(error: OSError) -> str:
    """Say what the operator can do."""
    if error.errno == errno.ENOENT:
        return "the folder does not exist; make it"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "no permission to make a file there, or to replace the one that is there"
    return error.strerror or str(error)
