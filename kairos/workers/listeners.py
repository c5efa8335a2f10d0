"""The gateway's listening sockets: one per worker slot and address, opened by the supervisor and kept open."""

import errno
import resource
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kairos.config.listening import Listener, renewed
from kairos.workers import unix_sockets
from kairos.workers.errors import StartError
from kairos.workers.inherited import Inherited

BACKLOG = 4096
KEEPALIVE_IDLE_SECONDS = 60
ANY_IPV6 = "::"


@dataclass(frozen=True, slots=True)
class Address:
    """What a host name and a port resolve to."""

    family: socket.AddressFamily
    host: str
    port: int
    scope: int = 0

    @property
    def sockaddr(self) -> tuple[str, int] | tuple[str, int, int, int]:
        """The address as the socket module has it."""
        return (self.host, self.port, 0, self.scope) if self.family is socket.AF_INET6 else (self.host, self.port)

    def with_port(self, port: int) -> "Address":
        """Return the same address with another port."""
        return replace(self, port=port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.family is socket.AF_INET6 else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Group:
    """The sockets of one address of a listener, by the numbers of the slots: one for each, or the same for all."""

    listener: Listener
    address: str
    sockets: list[socket.socket]

    def __str__(self) -> str:
        if self.address.startswith("unix:"):
            return self.address
        return f"{'http' if self.listener.tls is None else 'https'}://{self.address}"


class Listeners:
    """Listening sockets for `slots` workers, at every address of every listener.

    Each address that we bind ourselves has one SO_REUSEPORT group, in which a slot's socket has the slot's number. A
    connection that the kernel has put into the queue of a socket stays there while the slot changes hands. A Unix
    socket and one of systemd cannot be multiplied: all workers accept from the same.
    """

    def __init__(self, listeners: Sequence[Listener], slots: int, inherited: Inherited | None = None) -> None:
        self.groups: list[Group] = []
        self._files: list[unix_sockets.SocketFile] = []
        inherited = inherited or Inherited()
        try:
            for listener in listeners:
                if listener.unix is not None:
                    self._open_file(listener, Path(listener.unix), slots)
                elif listener.systemd is not None:
                    self._take_over(listener, inherited.open(listener.systemd), slots)
                else:
                    self._bind(listener, slots)
        except BaseException:
            self.withdraw()
            self.close()
            raise

    @property
    def multiplied(self) -> list[Group]:
        """The groups that have a socket for each slot."""
        return [group for group in self.groups if group.listener.is_tcp]

    def of(self, slot: int) -> list[tuple[Listener, socket.socket]]:
        """Return a slot's sockets, one per address, each with its listener."""
        return [(group.listener, group.sockets[slot]) for group in self.groups]

    def follow(self, listeners: Sequence[Listener]) -> None:
        """Take what a new config says of the listeners that are open, for the workers to come."""
        known = list(dict.fromkeys(group.listener for group in self.groups))
        news = dict(zip(known, renewed(known, listeners), strict=True))
        self.groups = [replace(group, listener=news[group.listener]) for group in self.groups]

    def withdraw(self) -> None:
        """Remove the files of Unix sockets, so that nobody connects any more; who has connected still waits."""
        for file in self._files:
            file.remove()
        self._files.clear()

    def close(self, keep: Iterable[socket.socket] = ()) -> None:
        """Close this process's copies but those to keep; connections go on as long as another process has one."""
        kept = set(keep)
        for group in self.groups:
            for sock in group.sockets:
                if sock not in kept:
                    sock.close()

    def _bind(self, listener: Listener, slots: int) -> None:
        """Open a group at each address; if any port will do, it is chosen by the first and taken by all after it."""
        port = listener.port
        for address in resolve(listener.host, port):
            group = _open_group(address.with_port(port), slots)
            port = group[0].getsockname()[1]
            self.groups.append(Group(listener, str(address.with_port(port)), group))

    def _open_file(self, listener: Listener, path: Path, slots: int) -> None:
        sock, file = unix_sockets.listen(path, listener.mode, BACKLOG)
        self._files.append(file)
        self.groups.append(Group(listener, f"unix:{path}", [sock] * slots))

    def _take_over(self, listener: Listener, sockets: Sequence[socket.socket], slots: int) -> None:
        for sock in sockets:
            name = sock.getsockname()
            if sock.family == socket.AF_UNIX:
                address = f"unix:{name}"
            else:
                _prepare(sock)
                address = str(Address(sock.family, name[0], name[1]))
            self.groups.append(Group(listener, address, [sock] * slots))


def _open_group(address: Address, slots: int) -> list[socket.socket]:
    """Open the sockets of one address. StartError if that cannot be."""
    group: list[socket.socket] = []
    try:
        if address.port:
            _probe(address)
        for _ in range(slots):
            sock = _bound(address, shared=True)
            group.append(sock)
            address = address.with_port(sock.getsockname()[1])
        for sock in group:  # in the order of the slots, which becomes their order in the group
            sock.listen(BACKLOG)
    except OSError as error:
        for sock in group:
            sock.close()
        raise _explained(error, address) from None
    return group


def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of a host name or literal."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        advice = "the host name does not resolve; give an address of this machine with --host"
        raise StartError(f"cannot listen on {host!r}: {advice}") from None
    addresses = []
    for family, _, _, _, sockaddr in found:
        scope = sockaddr[3] if len(sockaddr) == 4 else 0
        addresses.append(Address(family, str(sockaddr[0]), port, scope))
    return list(dict.fromkeys(addresses))


def raise_open_files_limit() -> int:
    """Allow as many open files as the hard limit does; return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _probe(address: Address) -> None:
    """Fail if anyone listens here: a second gateway with SO_REUSEPORT would quietly take half of the connections."""
    with _bound(address, shared=False) as sock:
        sock.listen(1)


def _bound(address: Address, *, shared: bool) -> socket.socket:
    """Return a non-blocking socket that is bound to the address."""
    sock = socket.socket(address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if address.family is socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address.host != ANY_IPV6)
        _prepare(sock)
        sock.bind(address.sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


def _prepare(sock: socket.socket) -> None:
    """Set what the connections of a TCP socket inherit."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _explained(error: OSError, address: Address) -> StartError:
    """Say in one line what the operator can do about a socket that does not open."""
    if error.errno == errno.EADDRINUSE:
        advice = "another program listens there; stop it, or choose another port (server.port, or --port)"
    elif error.errno in (errno.EACCES, errno.EPERM):
        advice = "no permission for this port; choose one from 1024 up, or grant CAP_NET_BIND_SERVICE"
    elif error.errno == errno.EADDRNOTAVAIL:
        advice = "no interface of this machine has this address"
    else:
        advice = error.strerror or str(error)
    return StartError(f"cannot listen on {address}: {advice}")
