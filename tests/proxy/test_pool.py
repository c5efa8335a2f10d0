"""The connections to one backend: taken, given back, opened, and why that may fail."""

import asyncio
import gc
import socket
import ssl
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from kairos.config.document import Backend, Timeouts, Tls
from kairos.errors import Retry, UpstreamError
from kairos.proxy.plane import DataPlane
from kairos.proxy.pool import JITTER, TRUSTED_SECONDS, Pool, Pools
from kairos.proxy.upstream import Upstream
from kairos.proxy.upstream_tls import context_of
from kairos.shm import layout
from tests.proxy.messages import CONNECT_SECONDS, IDLE_SECONDS, TIMEOUTS
from tests.proxy.world import Server, World, plane_on

GAUGE, OPENED = 40, 41  # any columns of the row


@pytest.fixture
def server(world: World) -> Server:
    return world.server()


@pytest.fixture
def pool(world: World, server: Server) -> Pool:
    return Pool(world.plane, server.backend, GAUGE, OPENED, ())


def opened(world: World, pool: Pool) -> Upstream:
    """Open a connection."""
    upstream: Upstream = world.loop.run_until_complete(pool.connect(CONNECT_SECONDS))
    return upstream


def failure(world: World, pool: Pool) -> UpstreamError:
    """Try to open a connection, and return why that fails."""
    with pytest.raises(UpstreamError) as failed:
        opened(world, pool)
    return failed.value


def test_an_empty_pool_has_nothing_to_take(pool: Pool) -> None:
    assert pool.take(True) is None


def test_the_freshest_connection_is_taken_first(world: World, pool: Pool) -> None:
    first, second = opened(world, pool), opened(world, pool)
    pool.give(first)
    pool.give(second)

    assert pool.take(True) is second
    assert pool.take(True) is first
    assert pool.take(True) is None
    assert world.count(layout.UPSTREAM_REUSES) == 2


def test_a_connection_that_was_idle_too_long_is_not_taken(world: World, pool: Pool) -> None:
    old = opened(world, pool)
    pool.give(old)
    world.pass_time(IDLE_SECONDS - 1)
    fresh = opened(world, pool)
    pool.give(fresh)
    world.pass_time(1.0)

    assert pool.take(True) is fresh
    assert pool.take(True) is None
    assert old.is_closing


def test_a_connection_that_ends_leaves_the_pool(world: World, pool: Pool, server: Server) -> None:
    pool.give(opened(world, pool))
    pool.give(opened(world, pool))

    server.connection.leaves()

    upstream = pool.take(True)
    assert upstream is not None
    assert not upstream.is_closing
    assert pool.take(True) is None


def test_a_connection_serves_a_bounded_number_of_requests(world: World, pool: Pool) -> None:
    upstream = opened(world, pool)
    upstream.requests = TIMEOUTS.upstream_requests

    pool.give(upstream)

    assert pool.take(True) is None
    assert upstream.is_closing


def test_a_connection_lives_for_a_bounded_time(world: World, pool: Pool) -> None:
    upstream = opened(world, pool)
    shortest = world.plane.ticker.now + TIMEOUTS.upstream_life * (1 - JITTER)
    assert shortest <= upstream.expires <= shortest + 2 * JITTER * TIMEOUTS.upstream_life

    upstream.expires = world.plane.ticker.now
    pool.give(upstream)

    assert pool.take(True) is None
    assert upstream.is_closing


def test_idle_connections_are_kept_without_end_if_the_config_says_so(world: World, pool: Pool) -> None:
    world.configure(timeouts=Timeouts(upstream_idle=0, upstream_life=0))
    upstream = opened(world, pool)
    pool.give(upstream)
    world.clock.advance(1_000_000)

    assert pool.take(True) is upstream


def test_a_drain_keeps_no_connection(world: World, pool: Pool) -> None:
    world.plane.is_draining = True
    upstream = opened(world, pool)

    pool.give(upstream)

    assert pool.take(True) is None
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
    error = failure(world, Pool(world.plane, Backend("http", "nowhere.test", 80), GAUGE, OPENED, ()))

    assert (error.reason, error.retry) == ("name_not_resolved", Retry.ALWAYS)
    assert "nowhere" not in error.message


def test_all_addresses_of_a_name_are_tried(world: World) -> None:
    for address in ("10.0.0.7", "10.0.0.8", "10.0.0.9"):
        backend = Backend("http", address, 80)
        world.servers[address, 80] = Server(backend)
    world.names["three.test"] = ["10.0.0.7", "10.0.0.8", "10.0.0.9"]
    world.servers["10.0.0.7", 80].error = ConnectionRefusedError
    world.servers["10.0.0.8", 80].error = ConnectionRefusedError

    opened(world, Pool(world.plane, Backend("http", "three.test", 80), GAUGE, OPENED, ()))

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
        return plane_on(asyncio.get_running_loop())

    return run(make())


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as sock:
        yield sock


def pool_to(plane: DataPlane, sock: socket.socket, scheme: str = "http") -> Pool:
    host, port = sock.getsockname()[:2]
    return Pool(plane, Backend(scheme, host, port), GAUGE, OPENED, ())


def test_opens_a_connection_without_delay(run: Any, real: DataPlane, listening: socket.socket) -> None:
    async def scenario() -> int:
        upstream = await pool_to(real, listening).connect(CONNECT_SECONDS)
        sock = upstream._transport.get_extra_info("socket")
        nodelay: int = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        upstream.abort()
        return nodelay

    assert run(scenario()) == 1
    assert real.row.load(layout.UPSTREAM_CONNECTS) == 1


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"], ids=["closes", "speaks"])
@pytest.mark.parametrize("may_be_stale", [True, False])
def test_a_connection_that_the_backend_has_closed_is_seen_before_it_is_used(
    run: Any, real: DataPlane, listening: socket.socket, says: bytes, may_be_stale: bool
) -> None:
    """The end has arrived, but the event loop has not told us yet."""

    async def scenario() -> tuple[Upstream | None, Upstream]:
        pool = pool_to(real, listening)
        upstream = await pool.connect(CONNECT_SECONDS)
        backend, _ = listening.accept()
        pool.give(upstream)
        if may_be_stale:
            upstream.idle_since -= 2 * TRUSTED_SECONDS
        backend.sendall(says)
        backend.close()
        return pool.take(may_be_stale), upstream

    taken, upstream = run(scenario())

    assert taken is None
    assert upstream.is_closing


def test_a_connection_that_is_alive_stays_as_it_is_when_it_is_looked_at(
    run: Any, real: DataPlane, listening: socket.socket
) -> None:
    async def scenario() -> bool:
        pool = pool_to(real, listening)
        upstream = await pool.connect(CONNECT_SECONDS)
        pool.give(upstream)
        taken = pool.take(False)
        upstream.abort()
        return taken is upstream

    assert run(scenario())


def test_a_port_where_nobody_listens(run: Any, real: DataPlane, listening: socket.socket) -> None:
    pool = pool_to(real, listening)
    listening.close()

    with pytest.raises(UpstreamError) as failed:
        run(pool.connect(CONNECT_SECONDS))

    assert (failed.value.reason, failed.value.retry) == ("connect_refused", Retry.ALWAYS)
    assert real.row.load(layout.UPSTREAM_FAILURES) == 1


def test_opens_a_connection_over_ipv6(run: Any, real: DataPlane) -> None:
    with closing(socket.create_server(("::1", 0), family=socket.AF_INET6)) as sock:

        async def scenario() -> None:
            (await pool_to(real, sock).connect(CONNECT_SECONDS)).abort()

        run(scenario())
        assert real.row.load(layout.UPSTREAM_CONNECTS) == 1
        assert real.row.load(layout.UPSTREAM_FAILURES) == 0


def test_a_backend_that_does_not_speak_tls(run: Any, real: DataPlane, listening: socket.socket) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        connecting = loop.create_task(pool_to(real, listening, "https").connect(CONNECT_SECONDS))
        listening.setblocking(False)
        sock, _ = await loop.sock_accept(listening)
        with closing(sock):
            await loop.sock_sendall(sock, b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await connecting

    with pytest.raises(UpstreamError) as failed:
        run(scenario())

    assert (failed.value.reason, failed.value.retry) == ("tls_not_spoken", Retry.ALWAYS)


def test_an_attempt_can_be_given_up_in_the_middle_of_a_handshake(
    run: Any, real: DataPlane, listening: socket.socket
) -> None:
    async def scenario() -> bytes:
        loop = asyncio.get_running_loop()
        connecting = loop.create_task(pool_to(real, listening, "https").connect(CONNECT_SECONDS))
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
            await pool.connect(CONNECT_SECONDS)
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
    pools = Pools(world.plane, world.zone)
    pool = pools.of(Backend("http", "10.0.0.1", 80, weight=1))

    assert pools.of(Backend("http", "10.0.0.1", 80, weight=5)) is pool
    assert pools.of(Backend("https", "10.0.0.1", 80)) is not pool
    assert pools.of(Backend("http", "10.0.0.2", 80)) is not pool
    assert pools.of(Backend("http", "10.0.0.1", 81)) is not pool


def test_the_addresses_of_a_name_have_pools_of_their_own(world: World) -> None:
    pools = Pools(world.plane, world.zone)
    pool = pools.of(Backend("https", "app.test", 443, address="10.0.0.1"))

    assert pools.of(Backend("https", "app.test", 443, address="10.0.0.1")) is pool
    assert pools.of(Backend("https", "app.test", 443, address="10.0.0.2")) is not pool
    assert pools.of(Backend("https", "other.test", 443, address="10.0.0.1")) is not pool
    assert pool.address == "https://app.test at 10.0.0.1"
    assert pool.host_line == b" HTTP/1.1\r\nHost: app.test\r\n"


def test_a_pool_that_leaves_keeps_no_connection_until_it_is_wanted_again(world: World, server: Server) -> None:
    pools = Pools(world.plane, world.zone)
    pool = pools.of(server.backend)
    idle, busy, later = (opened(world, pool) for _ in range(3))
    pool.give(idle)

    pool.leave(server)
    pool.give(busy)
    assert (idle.is_closing, busy.is_closing) == (True, True)

    assert pools.of(server.backend) is pool
    pool.give(later)
    assert pool.take(True) is later


def test_connections_that_verify_differently_are_never_shared(world: World) -> None:
    pools = Pools(world.plane, world.zone)
    pool = pools.of(Backend("https", "10.0.0.1", 443))

    assert pools.of(Backend("https", "10.0.0.1", 443, tls=Tls(verify=False))) is not pool
    assert pools.of(Backend("https", "10.0.0.1", 443, tls=Tls(server_name="a.test"))) is not pool
    assert pools.of(Backend("https", "10.0.0.1", 443)) is pool


@pytest.mark.parametrize("other", [{"ca_digest": "2"}, {"client_digest": "2"}, {"min_version": "1.3"}])
def test_connections_made_with_other_files_or_versions_are_never_shared(world: World, other: dict[str, str]) -> None:
    """The paths are those from before: what has changed is what is in the files."""
    pools, usual = Pools(world.plane, world.zone), Tls(verify=False, ca_digest="1", client_digest="1")
    pool = pools.of(Backend("https", "10.0.0.1", 443, tls=usual))

    assert pools.of(Backend("https", "10.0.0.1", 443, tls=replace(usual, **other))) is not pool
    assert pools.of(Backend("https", "10.0.0.1", 443, tls=usual)) is pool


def test_certificates_are_verified_unless_the_config_says_otherwise() -> None:
    usual, lax = context_of(Tls()), context_of(Tls(verify=False))

    assert (usual.verify_mode, usual.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (lax.verify_mode, lax.check_hostname) == (ssl.CERT_NONE, False)


def test_a_file_of_authorities_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate", encoding="utf-8")

    with pytest.raises(ValueError, match=r"ca\.pem cannot be used"):
        context_of(Tls(ca_file=str(tmp_path / "ca.pem")))


def test_a_pool_lives_as_long_as_somebody_uses_it(world: World) -> None:
    pools = Pools(world.plane, world.zone)
    backend = Backend("http", "10.0.0.1", 80)
    pool = weakref.ref(pools.of(backend))
    assert pool() is None

    kept = pools.of(backend)
    assert pools.of(backend) is kept


def test_closing_all_pools_ends_what_is_idle(world: World, server: Server) -> None:
    pools = Pools(world.plane, world.zone)
    pool = pools.of(server.backend)
    upstream = opened(world, pool)
    pool.give(upstream)

    pools.close()

    assert upstream.is_closing


def test_a_pool_tells_whom_it_leads_to(world: World) -> None:
    pool = Pool(world.plane, Backend("http", "2001:db8::1", 80), GAUGE, OPENED, ())

    assert (pool.address, pool.host_line) == ("http://[2001:db8::1]", b" HTTP/1.1\r\nHost: [2001:db8::1]\r\n")
    assert not pool.is_tls
    assert Pool(world.plane, Backend("https", "example.com", 443), GAUGE, OPENED, ()).is_tls


def test_connecting_takes_no_longer_than_the_limit(world: World, pool: Pool, server: Server) -> None:
    server.is_silent = True
    connecting = world.loop.create_task(pool.connect(CONNECT_SECONDS))

    world.pass_time(CONNECT_SECONDS + 0.25)

    error = connecting.exception()
    assert isinstance(error, UpstreamError)
    assert (error.reason, error.retry) == ("connect_timeout", Retry.ALWAYS)
