"""Open connections to one backend: names, sockets, TLS."""

import asyncio
import errno
import socket
import ssl
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, cast

from kairos.config.document import Backend, Tls
from kairos.errors import Limit, Retry, UpstreamError, UpstreamTimeout
from kairos.shm import layout

if TYPE_CHECKING:
    from kairos.discovery.hosts import Host
    from kairos.proxy.plane import DataPlane
    from kairos.proxy.pool import Pool
    from kairos.proxy.upstream import Upstream

TLS_SCHEMES = ("https", "wss")
SYSTEM_TLS = Tls()

_REASONS = {
    errno.ECONNREFUSED: "connect_refused",
    errno.EHOSTUNREACH: "connect_unreachable",
    errno.ENETUNREACH: "connect_unreachable",
    errno.EMFILE: "connect_no_descriptors",
}


class Connector:
    """Know how to reach one backend."""

    __slots__ = ("_backend", "_plane", "_server_name", "_tls")

    def __init__(self, plane: "DataPlane", backend: Backend) -> None:
        self._plane = plane
        self._backend = backend
        self._tls: ssl.SSLContext | None = None
        self._server_name: str | None = None
        if backend.scheme in TLS_SCHEMES:
            tls = backend.tls or SYSTEM_TLS
            self._tls = tls_context(tls.verify, tls.ca_file, tls.ca_digest)
            self._server_name = tls.server_name or backend.host

    async def connect(self, pool: "Pool", seconds: float) -> "Upstream":
        """Open a connection for a pool. Raises UpstreamError, after which any request may be sent elsewhere."""
        self._plane.row.add(layout.UPSTREAM_CONNECTS, 1)
        try:
            return await self._connect(pool, seconds)
        except OSError as error:
            self._plane.row.add(layout.UPSTREAM_FAILURES, 1)
            if self._backend.address:
                self._host().refused(self._backend.address)  # it may have moved
            raise self._timeout(error, seconds) or _failure(error) from None

    async def _connect(self, pool: "Pool", seconds: float) -> "Upstream":
        from kairos.proxy.upstream import Upstream  # here, because compiled it imports those who import this module

        async with asyncio.timeout(seconds or None):
            sock = await self._open_socket()
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            upstream = Upstream(self._plane, pool, sock)
            handshake_seconds = self._plane.snapshot.settings.timeouts.tls_handshake or None
            await self._plane.loop.create_connection(
                lambda: cast("asyncio.Protocol", upstream),
                sock=sock,
                ssl=self._tls,
                server_hostname=self._server_name,
                ssl_handshake_timeout=handshake_seconds if self._tls else None,
            )
        except BaseException:
            sock.close()
            raise
        if upstream.is_closing:
            raise ConnectionResetError(errno.ECONNRESET, "closed at once")
        return upstream

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


@lru_cache(maxsize=64)  # reading the authorities of a system takes long
def tls_context(verify: bool, ca_file: str | None, _digest: str) -> ssl.SSLContext:
    """Return what verifies a backend, or does not. ValueError if the file with the authorities is unusable."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one too
        raise ValueError(f"the CA file {ca_file} cannot be used: {error.strerror or error}") from None
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _failure(error: OSError) -> UpstreamError:
    """Say in words for clients why a connection could not be opened."""
    if isinstance(error, ssl.SSLCertVerificationError):
        message, reason = f"TLS failed: {error.verify_message}", "tls_not_verified"
    elif isinstance(error, ssl.SSLError):
        message, reason = f"TLS failed: {error.reason}", "tls_failed"
    elif isinstance(error, socket.gaierror):
        message, reason = "the host name is not known", "name_not_resolved"
    else:
        message, reason = "the connection failed", _REASONS.get(error.errno or 0, "connect_failed")
    return UpstreamError(message, reason=reason, retry=Retry.ALWAYS)
