"""Sockets that systemd has opened before us (sd_listen_fds(3))."""

import os
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass, field

from kairos.workers.errors import StartError

FIRST_FD = 3
UNNAMED = "unknown"  # what systemd calls a socket without a name


@dataclass(slots=True)
class Inherited:
    """The descriptors by the names of their sockets. Several sockets of one unit share a name."""

    fds: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def take(cls, environ: MutableMapping[str, str], pid: int) -> "Inherited":
        """Take what is for the process `pid`, and the variables with it, so that no other process believes them."""
        told = {name: environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
        if told["LISTEN_PID"] != str(pid) or not told["LISTEN_FDS"].isdecimal():
            return cls()
        names = told["LISTEN_FDNAMES"].split(":") if told["LISTEN_FDNAMES"] else []
        found = cls()
        for number in range(int(told["LISTEN_FDS"])):
            name = names[number] if number < len(names) else UNNAMED
            found.fds.setdefault(name, []).append(FIRST_FD + number)
            try:
                os.set_inheritable(FIRST_FD + number, False)
            except OSError:
                reason = f"descriptor {FIRST_FD + number}, of which LISTEN_FDS tells, is closed"
                raise StartError(f"cannot take over what systemd has opened: {reason}") from None
        return found

    def open(self, name: str) -> list[socket.socket]:
        """Return the listening sockets of a name, each once. StartError if there are none, or others."""
        if name not in self.fds:
            known = f"it has opened {', '.join(sorted(self.fds))}" if self.fds else "it has opened none at all"
            raise StartError(f"systemd has opened no socket with the name {name!r}: {known}")
        sockets = [socket.socket(fileno=fd) for fd in self.fds.pop(name)]
        for sock in sockets:
            is_stream = sock.type == socket.SOCK_STREAM
            if not is_stream or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                for opened in sockets:
                    opened.close()
                raise StartError(f"the socket {name!r} of systemd does not listen: write ListenStream= and Accept=no")
            sock.setblocking(False)
        return sockets
