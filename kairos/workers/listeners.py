"""The gateway's listening sockets: one per worker slot and address, opened by the supervisor and kept open."""

import errno
import resource
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from kairos.workers.errors import StartError

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

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.family is socket.AF_INET6 else f"{self.host}:{self.port}"


class Listeners:
    """Listening sockets for `slots` workers, at every address that `host` resolves to.

    Each address has one SO_REUSEPORT group, in which a slot's socket has the slot's number. A connection that the
    kernel has put into the queue of a socket stays there while the slot changes hands.
    """

    def __init__(self, host: str, port: int, slots: int) -> None:
        self.groups: list[list[socket.socket]] = []
        self.addresses: list[Address] = []
        try:
            for address in resolve(host, port):
                self._open_group(address, slots)
        except BaseException:
            self.close()
            raise

    def of(self, slot: int) -> list[socket.socket]:
        """Return a slot's sockets, one per address."""
        return [group[slot] for group in self.groups]

    def close(self, keep: Iterable[socket.socket] = ()) -> None:
        """Close this process's copies but those to keep; connections go on as long as another process has one."""
        kept = set(keep)
        for group in self.groups:
            for sock in group:
                if sock not in kept:
                    sock.close()

    def _open_group(self, address: Address, slots: int) -> None:
        """Open the sockets of one address; if any port will do, it is chosen by the first and taken by all after it."""
        port = address.port or (self.addresses[0].port if self.addresses else 0)
        address = Address(address.family, address.host, port, address.scope)
        group: list[socket.socket] = []
        self.groups.append(group)
        try:
            if port:
                _probe(address)
            for _ in range(slots):
                sock = _bound(address, shared=True)
                group.append(sock)
                address = Address(address.family, address.host, sock.getsockname()[1], address.scope)
            for sock in group:  # in the order of the slots, which becomes their order in the group
                sock.listen(BACKLOG)
        except OSError as error:
            raise _explained(error, address) from None
        self.addresses.append(address)


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
    """Return a non-blocking socket that is bound to the address. What is set here its connections inherit."""
    sock = socket.socket(address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if address.family is socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address.host != ANY_IPV6)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind(address.sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


def _explained(error: OSError, address: Address) -> StartError:
    """Say in one line what the operator can do about a socket that does not open."""
    if error.errno == errno.EADDRINUSE:
        advice = "another program listens there; stop it, or choose another port with --port"
    elif error.errno in (errno.EACCES, errno.EPERM):
        advice = "no permission for this port; choose one from 1024 up, or grant CAP_NET_BIND_SERVICE"
    elif error.errno == errno.EADDRNOTAVAIL:
        advice = "no interface of this machine has this address"
    else:
        advice = error.strerror or str(error)
    return StartError(f"cannot listen on {address}: {advice}")
