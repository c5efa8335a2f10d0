"""The connections to one backend: taken, given back, opened, and why that may fail."""

import asyncio
import gc
import socket
import ssl
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import uvloop

from kairos.config.document import Backend
from kairos.errors import Retry, UpstreamError
from kairos.proxy.plane import DataPlane
from kairos.proxy.pool import CONNECT_SECONDS, IDLE_SECONDS, MOST_REQUESTS, Pool, Pools
from kairos.proxy.upstream import Upstream
from kairos.shm import layout
from kairos.shm.zone import Zone
from tests.proxy.world import Server, World


@pytest.fixture
def server(world: World) -> Server:
    return world.server()


@pytest.fixture
def pool(world: World, server: Server) -> Pool:
    return Pool(world.plane, server.backend)


def opened(world: World, pool: Pool) -> Upstream:
    """Open a connection."""
    upstream: Upstream = world.loop.run_until_complete(pool.connect())
    return upstream


def failure(world: World, pool: Pool) -> UpstreamError:
    """Try to open a connection, and return why that fails."""
    with pytest.raises(UpstreamError) as failed:
        opened(world, pool)
    return failed.value


def test_an_empty_pool_has_nothing_to_take(pool: Pool) -> None:
    assert pool.take() is None


def test_the_freshest_connection_is_taken_first(world: World, pool: Pool) -> None:
    first, second = opened(world, pool), opened(world, pool)
    pool.give(first)
    pool.give(second)

    assert pool.take() is second
    assert pool.take() is first
    assert pool.take() is None
    assert world.count(layout.UPSTREAM_REUSES) == 2


def test_a_connection_that_was_idle_too_long_is_not_taken(world: World, pool: Pool) -> None:
    old = opened(world, pool)
    pool.give(old)
    world.plane.ticker.now += IDLE_SECONDS - 1
    fresh = opened(world, pool)
    pool.give(fresh)
    world.plane.ticker.now += 1.5

    assert pool.take() is fresh
    assert pool.take() is None
    assert old.is_closing


def test_a_connection_that_ends_leaves_the_pool(world: World, pool: Pool, server: Server) -> None:
    pool.give(opened(world, pool))
    pool.give(opened(world, pool))

    server.connection.leaves()

    upstream = pool.take()
    assert upstream is not None
    assert not upstream.is_closing
    assert pool.take() is None


def test_a_connection_serves_a_bounded_number_of_requests(world: World, pool: Pool) -> None:
    upstream = opened(world, pool)
    upstream.requests = MOST_REQUESTS

    pool.give(upstream)

    assert pool.take() is None
    assert upstream.is_closing


def test_a_drain_keeps_no_connection(world: World, pool: Pool) -> None:
    world.plane.is_draining = True
    upstream = opened(world, pool)

    pool.give(upstream)

    assert pool.take() is None
    assert upstream.is_closing


def test_closing_ends_what_is_idle(world: World, pool: Pool) -> None:
    idle, busy = opened(world, pool), opened(world, pool)
    pool.give(idle)

    pool.close()

    assert idle.is_closing
    assert not busy.is_closing


# Failures. No byte was sent, so any request may go elsewhere.


def test_a_connection_that_is_closed_at_once_was_not_opened(world: World, pool: Pool, server: Server) -> None:
    server.closes_at_once = True

    error = failure(world, pool)

    assert (error.reason, error.retry) == ("connect_failed", Retry.ALWAYS)
    assert world.count(layout.UPSTREAM_FAILURES) == 1


def test_a_name_that_is_not_known(world: World) -> None:
    error = failure(world, Pool(world.plane, Backend("http", "nowhere.test", 80)))

    assert (error.reason, error.retry) == ("name_not_resolved", Retry.ALWAYS)
    assert "nowhere" not in error.message


def test_all_addresses_of_a_name_are_tried(world: World) -> None:
    for address in ("10.0.0.7", "10.0.0.8", "10.0.0.9"):
        backend = Backend("http", address, 80)
        world.servers[address, 80] = Server(backend)
    world.names["three.test"] = ["10.0.0.7", "10.0.0.8", "10.0.0.9"]
    world.servers["10.0.0.7", 80].error = ConnectionRefusedError
    world.servers["10.0.0.8", 80].error = ConnectionRefusedError

    opened(world, Pool(world.plane, Backend("http", "three.test", 80)))

    assert len(world.servers["10.0.0.9", 80].connections) == 1


# The same over real sockets, on both event loops.


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


@pytest.fixture
def real(run: Callable[..., DataPlane]) -> DataPlane:
    """A data plane on a real event loop."""

    async def make() -> DataPlane:
        return DataPlane(asyncio.get_running_loop(), Zone(1, columns=64, words=64).row(0), 0.0)

    return run(make())


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as sock:
        yield sock


def pool_to(plane: DataPlane, sock: socket.socket, scheme: str = "http") -> Pool:
    host, port = sock.getsockname()[:2]
    return Pool(plane, Backend(scheme, host, port))


def test_opens_a_connection_without_delay(run: Any, real: DataPlane, listening: socket.socket) -> None:
    async def scenario() -> int:
        upstream = await pool_to(real, listening).connect()
        sock = upstream._transport.get_extra_info("socket")
        nodelay: int = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        upstream.abort()
        return nodelay

    assert run(scenario()) == 1
    assert real.row.load(layout.UPSTREAM_CONNECTS) == 1


def test_a_port_where_nobody_listens(run: Any, real: DataPlane, listening: socket.socket) -> None:
    pool = pool_to(real, listening)
    listening.close()

    with pytest.raises(UpstreamError) as failed:
        run(pool.connect())

    assert (failed.value.reason, failed.value.retry) == ("connect_refused", Retry.ALWAYS)
    assert real.row.load(layout.UPSTREAM_FAILURES) == 1


def test_opens_a_connection_over_ipv6(run: Any, real: DataPlane) -> None:
    with closing(socket.create_server(("::1", 0), family=socket.AF_INET6)) as sock:

        async def scenario() -> None:
            (await pool_to(real, sock).connect()).abort()

        run(scenario())


def test_a_backend_that_does_not_speak_tls(run: Any, real: DataPlane, listening: socket.socket) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        connecting = loop.create_task(pool_to(real, listening, "https").connect())
        listening.setblocking(False)
        sock, _ = await loop.sock_accept(listening)
        with closing(sock):
            await loop.sock_sendall(sock, b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await connecting

    with pytest.raises(UpstreamError) as failed:
        run(scenario())

    assert (failed.value.reason, failed.value.retry) == ("tls_failed", Retry.ALWAYS)


def test_an_attempt_can_be_given_up_in_the_middle_of_a_handshake(
    run: Any, real: DataPlane, listening: socket.socket
) -> None:
    async def scenario() -> bytes:
        loop = asyncio.get_running_loop()
        connecting = loop.create_task(pool_to(real, listening, "https").connect())
        listening.setblocking(False)
        sock, _ = await loop.sock_accept(listening)
        with closing(sock):
            await loop.sock_recv(sock, 65536)
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting
            return await loop.sock_recv(sock, 65536)

    assert run(scenario()) == b""
    assert real.row.load(layout.UPSTREAM_OPEN) == 0


def test_a_failed_attempt_leaves_nothing_to_collect(run: Any, real: DataPlane, listening: socket.socket) -> None:
    pool = pool_to(real, listening)
    listening.close()

    async def fails() -> weakref.ref[UpstreamError] | None:
        try:
            await pool.connect()
        except UpstreamError as error:
            return weakref.ref(error)
        return None

    gc.collect()
    gc.disable()
    try:
        left = run(fails())
    finally:
        gc.enable()

    assert left is not None
    assert left() is None


# All pools.


def test_backends_with_the_same_address_share_a_pool(world: World) -> None:
    pools = Pools(world.plane)
    pool = pools.of(Backend("http", "10.0.0.1", 80, weight=1))

    assert pools.of(Backend("http", "10.0.0.1", 80, weight=5)) is pool
    assert pools.of(Backend("https", "10.0.0.1", 80)) is not pool
    assert pools.of(Backend("http", "10.0.0.2", 80)) is not pool
    assert pools.of(Backend("http", "10.0.0.1", 81)) is not pool


def test_a_pool_lives_as_long_as_somebody_uses_it(world: World) -> None:
    pools = Pools(world.plane)
    backend = Backend("http", "10.0.0.1", 80)
    pool = weakref.ref(pools.of(backend))
    assert pool() is None

    kept = pools.of(backend)
    assert pools.of(backend) is kept


def test_closing_all_pools_ends_what_is_idle(world: World, server: Server) -> None:
    pools = Pools(world.plane)
    pool = pools.of(server.backend)
    upstream = opened(world, pool)
    pool.give(upstream)

    pools.close()

    assert upstream.is_closing


def test_a_pool_tells_whom_it_leads_to(world: World) -> None:
    pool = Pool(world.plane, Backend("http", "2001:db8::1", 80))

    assert (pool.address, pool.authority) == ("http://[2001:db8::1]", b"[2001:db8::1]")
    assert pool._tls is None
    tls = Pool(world.plane, Backend("https", "example.com", 443))._tls
    assert tls is not None
    assert (tls.verify_mode, tls.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_connecting_takes_no_longer_than_the_limit(world: World, pool: Pool, server: Server) -> None:
    server.is_silent = True
    connecting = world.loop.create_task(pool.connect())

    world.pass_time(CONNECT_SECONDS + 0.25)

    error = connecting.exception()
    assert isinstance(error, UpstreamError)
    assert (error.reason, error.retry) == ("connect_timeout", Retry.ALWAYS)
