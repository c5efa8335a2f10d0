"""The connections to one backend: idle ones to take, new ones to open."""

import asyncio
import errno
import ipaddress
import socket
import ssl
from contextlib import suppress
from functools import cache
from typing import cast
from weakref import WeakValueDictionary

from kairos.config.document import Backend
from kairos.errors import Retry, UpstreamError
from kairos.proxy.plane import DataPlane
from kairos.proxy.upstream import Upstream
from kairos.shm import layout

CONNECT_SECONDS = 3.0
TLS_HANDSHAKE_SECONDS = 10.0
IDLE_SECONDS = 4.0  # many backends close at 5
MOST_REQUESTS = 10_000  # per connection
BUFFER_HIGH, BUFFER_LOW = 64 << 10, 16 << 10

Address = tuple[int, tuple[str, int] | tuple[str, int, int, int]]  # the family, and the address in it

_REASONS = {
    errno.ECONNREFUSED: "connect_refused",
    errno.EHOSTUNREACH: "connect_unreachable",
    errno.ENETUNREACH: "connect_unreachable",
    errno.EMFILE: "connect_no_descriptors",
}


class Pool:
    """Keep the connections to one backend. The freshest idle one is used first, so that the others can age out."""

    __slots__ = ("__weakref__", "_idle", "_plane", "_tls", "address", "authority", "backend")

    def __init__(self, plane: DataPlane, backend: Backend) -> None:
        self.backend = backend
        self.authority = backend.authority.encode()
        self.address = f"{backend.scheme}://{backend.authority}"
        self._plane = plane
        self._idle: list[Upstream] = []
        self._tls = _default_tls() if backend.scheme in ("https", "wss") else None

    def take(self) -> Upstream | None:
        """Return an idle connection, or None if a new one has to be opened."""
        idle, now = self._idle, self._plane.ticker.now
        while idle:
            upstream = idle.pop()
            if upstream.deadline > now and not upstream.is_closing:
                self._plane.row.add(layout.UPSTREAM_REUSES, 1)
                return upstream
            upstream.close()
        return None

    def give(self, upstream: Upstream) -> None:
        """Keep a connection that has finished an exchange cleanly, or close it when it has served enough."""
        if upstream.requests >= MOST_REQUESTS or self._plane.is_draining:
            upstream.close()
            return
        upstream.deadline = self._plane.ticker.now + IDLE_SECONDS
        self._idle.append(upstream)

    def remove(self, upstream: Upstream) -> None:
        """Forget a connection that has ended while it was idle."""
        if upstream in self._idle:
            self._idle.remove(upstream)

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()

    async def connect(self) -> Upstream:
        """Open a connection. Raises UpstreamError, after which any request may be sent elsewhere."""
        self._plane.row.add(layout.UPSTREAM_CONNECTS, 1)
        try:
            return await self._connect()
        except OSError as error:
            self._plane.row.add(layout.UPSTREAM_FAILURES, 1)
            raise _failure(error) from None

    async def _connect(self) -> Upstream:
        loop, backend = self._plane.loop, self.backend
        async with asyncio.timeout(CONNECT_SECONDS):
            sock = await self._open_socket(await self._resolve())
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            upstream = Upstream(self._plane, self)
            await loop.create_connection(
                lambda: cast("asyncio.Protocol", upstream),
                sock=sock,
                ssl=self._tls,
                server_hostname=backend.host if self._tls else None,
                ssl_handshake_timeout=TLS_HANDSHAKE_SECONDS if self._tls else None,
            )
        except BaseException:
            sock.close()
            raise
        if upstream.is_closing:
            raise ConnectionResetError(errno.ECONNRESET, "closed at once")
        return upstream

    async def _resolve(self) -> list[Address]:
        """Return the addresses of the backend as (family, address); names are looked up off the loop."""
        host, port = self.backend.host, self.backend.port
        try:
            version = ipaddress.ip_address(host).version
        except ValueError:
            found = await self._plane.loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            return [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]
        return [(socket.AF_INET if version == 4 else socket.AF_INET6, (host, port))]

    async def _open_socket(self, addresses: list[Address]) -> socket.socket:
        """Connect to the first address that answers."""
        *others, last = addresses
        for address in others:
            with suppress(OSError):
                return await self._open_one(address)
        return await self._open_one(last)

    async def _open_one(self, address: Address) -> socket.socket:
        family, where = address
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            await self._plane.loop.sock_connect(sock, where)
        except BaseException:
            sock.close()
            raise
        return sock


@cache
def _default_tls() -> ssl.SSLContext:
    """Return the context of all backends that verify against the system's authorities: reading those takes long."""
    return ssl.create_default_context()


def _failure(error: OSError) -> UpstreamError:
    """Say in words for clients why a connection could not be opened."""
    if isinstance(error, TimeoutError):
        message, reason = "the connection timed out", "connect_timeout"
    elif isinstance(error, ssl.SSLError):
        message, reason = f"TLS failed: {error.reason}", "tls_failed"
    elif isinstance(error, socket.gaierror):
        message, reason = "the host name is not known", "name_not_resolved"
    else:
        message, reason = "the connection failed", _REASONS.get(error.errno or 0, "connect_failed")
    return UpstreamError(message, reason=reason, retry=Retry.ALWAYS)


class Pools:
    """One pool per backend address, shared by all routes and generations that name it."""

    __slots__ = ("_plane", "_pools")

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane
        self._pools: WeakValueDictionary[tuple[str, str, int], Pool] = WeakValueDictionary()

    def of(self, backend: Backend) -> Pool:
        """Return the pool of a backend; it lives as long as somebody uses it."""
        key = (backend.scheme, backend.host, backend.port)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = Pool(self._plane, backend)
        return pool

    def close(self) -> None:
        """Close every idle connection."""
        for pool in list(self._pools.values()):
            pool.close()
