"""Connections with TLS over real sockets, on both event loops: what is seen of their ends before they are used."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
import uvloop

from kairos.config.document import Backend, Tls
from kairos.errors import Retry, UpstreamError
from kairos.proxy.connector import Connector
from kairos.proxy.plane import DataPlane
from kairos.proxy.pool import TRUSTED_SECONDS, Pool
from kairos.proxy.upstream import Upstream
from kairos.proxy.upstream_tls import UpstreamTls
from tests import pki
from tests.proxy.messages import CONNECT_SECONDS
from tests.proxy.world import plane_on

PATIENCE_SECONDS = 30.0
GAUGE, OPENED = 40, 41  # any columns of the row
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> pki.Certificate:
    return pki.authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def well(ca: pki.Certificate) -> pki.Certificate:
    return ca.issue("well", "127.0.0.1")


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


@pytest.fixture
def plane(run: Callable[..., DataPlane]) -> DataPlane:
    async def make() -> DataPlane:
        return plane_on(asyncio.get_running_loop())

    return run(make())


class Server:
    """Accept connections in a thread and shake hands; then they are the test's, which may block for a moment."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.accepted: list[ssl.SSLSocket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.settimeout(PATIENCE_SECONDS)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is sent has arrived
                with suppress(OSError):
                    self.accepted.append(self._context.wrap_socket(sock, server_side=True))

    def close(self) -> None:
        """Be gone."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE_SECONDS)
        for sock in self.accepted:
            sock.close()


class Picky(UpstreamTls):
    """TLS with a session that the backend refuses."""

    __slots__ = ("_is_asked", "refusals")

    def __init__(self, usual: UpstreamTls) -> None:
        self._context, self.server_name = usual._context, usual.server_name
        self._session = None
        self._is_asked = True
        self.refusals = 0

    def may_resume(self, now: float) -> bool:
        return self._is_asked

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        if self._is_asked:
            self.refusals += 1
            options["server_hostname"] = "other.example"  # this handshake will fail, as well as any other that does
        return super().wrap_bio(*arguments, **options)

    def forget(self) -> None:
        self._is_asked = False


@pytest.fixture(params=[V12, V13], ids=["1.2", "1.3"])
def server(request: pytest.FixtureRequest, well: pki.Certificate) -> Iterator[Server]:
    context = well.server()
    context.minimum_version = context.maximum_version = request.param
    with closing(Server(context)) as running:
        yield running


def pool_to(plane: DataPlane, port: int, ca: pki.Certificate, **tls: str) -> Pool:
    backend = Backend("https", "127.0.0.1", port, tls=Tls(ca_file=str(ca.cert), **tls))
    return Pool(plane, backend, GAUGE, OPENED, ())


async def opened(pool: Pool, server: Server) -> tuple[Upstream, ssl.SSLSocket]:
    """Open a connection that is idle, and return both ends."""
    upstream = await pool.connect(CONNECT_SECONDS)
    while not server.accepted:
        await asyncio.sleep(0)
    pool.give(upstream)
    return upstream, server.accepted.pop()


def says_goodbye(sock: ssl.SSLSocket) -> None:
    sock.setblocking(False)
    with suppress(ssl.SSLWantReadError):
        sock.unwrap()  # close_notify, and no end of the connection yet


def speaks(sock: ssl.SSLSocket) -> None:
    sock.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    sock.close()


ENDS = {"closes": ssl.SSLSocket.close, "says goodbye": says_goodbye, "speaks and closes": speaks}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("may_be_stale", [True, False])
def test_a_connection_that_the_backend_has_closed_is_not_used(
    run: Callable[[Awaitable[Any]], Any],
    plane: DataPlane,
    server: Server,
    ca: pki.Certificate,
    end: str,
    may_be_stale: bool,
) -> None:
    """The end has arrived, but the event loop has not told us yet; session tickets may lie before it."""

    async def scenario() -> tuple[Upstream | None, Upstream]:
        pool = pool_to(plane, server.port, ca)
        upstream, theirs = await opened(pool, server)
        if may_be_stale:
            upstream.idle_since -= 2 * TRUSTED_SECONDS
        ENDS[end](theirs)
        taken = pool.take(may_be_stale)
        theirs.close()
        upstream.abort()
        return taken, upstream

    taken, upstream = run(scenario())

    assert taken is None
    assert upstream.is_closing


def test_session_tickets_are_no_end(
    run: Callable[[Awaitable[Any]], Any], plane: DataPlane, server: Server, ca: pki.Certificate
) -> None:
    async def scenario() -> bool:
        pool = pool_to(plane, server.port, ca)
        upstream, theirs = await opened(pool, server)
        taken = pool.take(False)
        theirs.close()
        upstream.abort()
        return taken is upstream

    assert run(scenario())


def test_who_breaks_off_the_handshake_is_told_apart(
    run: Callable[[Awaitable[Any]], Any], plane: DataPlane, ca: pki.Certificate
) -> None:
    async def scenario(listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        connecting = loop.create_task(pool_to(plane, listener.getsockname()[1], ca).connect(CONNECT_SECONDS))
        sock, _ = await loop.sock_accept(listener)
        with closing(sock):
            await loop.sock_recv(sock, 65536)
        await connecting

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.setblocking(False)
        with pytest.raises(UpstreamError) as failed:
            run(scenario(listener))

    assert (failed.value.reason, failed.value.retry) == ("tls_closed", Retry.ALWAYS)
    assert failed.value.message == "TLS failed: the backend closed the connection during the handshake"


def test_a_handshake_that_fails_with_a_session_is_made_again_without(
    run: Callable[[Awaitable[Any]], Any], plane: DataPlane, ca: pki.Certificate, well: pki.Certificate
) -> None:
    """Some servers refuse a session that they do not like, instead of a full handshake."""

    async def scenario(server: Server) -> int:
        connector = Connector(plane, pool_to(plane, server.port, ca).backend)
        assert connector._tls is not None
        connector._tls = picky = Picky(connector._tls)
        upstream = await connector.connect(pool_to(plane, server.port, ca), CONNECT_SECONDS)
        upstream.abort()
        return picky.refusals

    with closing(Server(well.server())) as server:
        assert run(scenario(server)) == 1


def test_a_header_goes_before_the_handshake(
    run: Callable[[Awaitable[Any]], Any], plane: DataPlane, ca: pki.Certificate
) -> None:
    async def scenario(listener: socket.socket) -> bytes:
        loop = asyncio.get_running_loop()
        pool = pool_to(plane, listener.getsockname()[1], ca)
        connector = Connector(plane, pool.backend)
        connecting = loop.create_task(connector.connect(pool, CONNECT_SECONDS, b"PROXY UNKNOWN\r\n"))
        sock, _ = await loop.sock_accept(listener)
        with closing(sock):
            data = b""
            while len(data) < 18:
                data += await loop.sock_recv(sock, 65536)
            connecting.cancel()
            with suppress(asyncio.CancelledError):
                await connecting
            return data

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.setblocking(False)
        assert run(scenario(listener)).startswith(b"PROXY UNKNOWN\r\n\x16\x03\x01")
