"""Open connections to one backend: names, sockets, TLS."""

import asyncio
import errno
import socket
import ssl
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, cast

from kairos.config.document import Backend
from kairos.errors import Limit, Retry, UpstreamError, UpstreamTimeout
from kairos.proxy import tls_faults, upstream_tls
from kairos.shm import layout

if TYPE_CHECKING:
    from kairos.discovery.hosts import Host
    from kairos.proxy.plane import DataPlane
    from kairos.proxy.pool import Pool
    from kairos.proxy.upstream import Upstream

_REASONS = {
    errno.ECONNREFUSED: "connect_refused",
    errno.EHOSTUNREACH: "connect_unreachable",
    errno.ENETUNREACH: "connect_unreachable",
    errno.EMFILE: "connect_no_descriptors",
}


class Connector:
    """Know how to reach one backend."""

    __slots__ = ("_backend", "_plane", "_tls")

    def __init__(self, plane: "DataPlane", backend: Backend) -> None:
        self._plane = plane
        self._backend = backend
        self._tls = upstream_tls.UpstreamTls(backend) if backend.scheme in upstream_tls.SCHEMES else None

    async def connect(self, pool: "Pool", seconds: float, header: bytes = b"") -> "Upstream":
        """Open a connection for a pool, which begins with a header in the clear.

        Raises UpstreamError, after which any request may be sent elsewhere.
        """
        self._plane.row.add(layout.UPSTREAM_CONNECTS, 1)
        try:
            return await self._connect(pool, seconds, header)
        except OSError as error:
            self._plane.row.add(layout.UPSTREAM_FAILURES, 1)
            if self._backend.address:
                self._host().refused(self._backend.address)  # it may have moved
            raise self._timeout(error, seconds) or _failure(error) from None

    def answered(self, transport: asyncio.BaseTransport) -> None:
        """Take from a connection that has begun to answer what it takes to resume its TLS session."""
        if self._tls is not None:
            self._tls.keep(transport.get_extra_info("ssl_object"), self._plane.ticker.now)

    async def _connect(self, pool: "Pool", seconds: float, header: bytes) -> "Upstream":
        tls = self._tls
        if tls is not None and tls.may_resume(self._plane.ticker.now):
            try:
                return await self._open(pool, seconds, header)
            except (ssl.SSLError, ConnectionResetError):
                tls.forget()  # what the backend does not like may be that
        return await self._open(pool, seconds, header)

    async def _open(self, pool: "Pool", seconds: float, header: bytes) -> "Upstream":
        from kairos.proxy.upstream import Upstream  # here, because compiled it imports those who import this module

        async with asyncio.timeout(seconds or None):
            sock = await self._open_socket()
        try:
            if header:
                await self._plane.loop.sock_sendall(sock, header)  # a new connection has room for it
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            upstream = Upstream(self._plane, pool, sock)
            await self._begin(upstream, sock)
        except BaseException:
            sock.close()
            raise
        if upstream.is_closing:
            raise ConnectionResetError(errno.ECONNRESET, "closed at once")
        return upstream

    async def _begin(self, upstream: "Upstream", sock: socket.socket) -> None:
        """Make a connection of a connected socket, with TLS if the backend speaks it."""
        tls = self._tls
        handshake_seconds = self._plane.snapshot.settings.timeouts.tls_handshake or None
        try:
            await self._plane.loop.create_connection(
                lambda: cast("asyncio.Protocol", upstream),
                sock=sock,
                ssl=cast("ssl.SSLContext | None", tls),
                server_hostname=tls.server_name if tls else None,
                ssl_handshake_timeout=handshake_seconds if tls else None,
            )
        except (ConnectionResetError, BrokenPipeError):
            if tls is None:
                raise
            raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "closed in the handshake") from None

    def _timeout(self, error: OSError, seconds: float) -> UpstreamTimeout | None:
        """Return what to say if the error is that it took too long."""
        if isinstance(error, TimeoutError):
            phase, message, reason = "connect", "the connection timed out", "connect_timeout"
        elif isinstance(error, ConnectionAbortedError):  # so the event loops tell that a handshake took too long
            phase, message, reason = "tls_handshake", "the TLS handshake timed out", "tls_timeout"
            seconds = self._plane.snapshot.settings.timeouts.tls_handshake
        else:
            return None
        is_ours = error.errno != errno.ETIMEDOUT  # else the kernel has lost patience before us
        limit = Limit(f"timeouts.{phase}_seconds", f"{seconds:g}", "no connection") if is_ours else None
        return UpstreamTimeout(message, reason=reason, retry=Retry.ALWAYS, limit=limit)

    def _host(self) -> "Host":
        return self._plane.hosts.host(self._backend.host, self._plane.snapshot.settings.discovery)

    async def _open_socket(self) -> socket.socket:
        """Connect to the address of the backend, or to where its name leads meanwhile."""
        backend = self._backend
        if not has_name(backend):
            return await self._open_one(backend.host)
        host = self._host()
        if not backend.address:
            return await self._open_first(host, await host.latest())
        try:
            return await self._open_and_tell(host, backend.address)
        except OSError:
            addresses = await host.elsewhere(backend.address)
            if not addresses:
                raise
        return await self._open_first(host, addresses)

    async def _open_first(self, host: "Host", addresses: tuple[str, ...]) -> socket.socket:
        """Connect to the first address that answers."""
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no address is known")
        *others, last = addresses
        for address in others:
            with suppress(OSError):
                return await self._open_and_tell(host, address)
        return await self._open_and_tell(host, last)

    async def _open_and_tell(self, host: "Host", address: str) -> socket.socket:
        """Connect to an address, and note whether that was possible."""
        try:
            sock = await self._open_one(address)
        except OSError:
            host.refused(address)
            raise
        host.reached(address)
        return sock

    async def _open_one(self, address: str) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            await self._plane.loop.sock_connect(sock, (address, self._backend.port))
        except BaseException:
            sock.close()
            raise
        return sock


def has_name(backend: Backend) -> bool:
    """Say whether the host of a backend has to be resolved."""
    try:
        ip_address(backend.host)
    except ValueError:
        return True
    return False


def _failure(error: OSError) -> UpstreamError:
    """Say in words for clients why a connection could not be opened."""
    if isinstance(error, ssl.SSLError):
        fault = tls_faults.fault(error)
        message, reason = f"TLS failed: {fault.message}", fault.reason
    elif isinstance(error, socket.gaierror):
        message, reason = "the host name is not known", "name_not_resolved"
    else:
        message, reason = "the connection failed", _REASONS.get(error.errno or 0, "connect_failed")
    return UpstreamError(message, reason=reason, retry=Retry.ALWAYS)
