"""Backends that close idle connections: after a few closes no request meets one, and almost all are used again."""

import random
from collections.abc import Iterator

import pytest

from kairos.config.document import Timeouts
from kairos.protocols.http1.head import ResponseHead
from kairos.proxy.pool import MOST_WATCHED, Pool, Pools
from kairos.shm import layout
from kairos.shm.zone import Zone
from tests.proxy.messages import CONNECT_SECONDS, GET, IDLE_SECONDS, LATE, OK, POST
from tests.proxy.origins import TimedOrigin
from tests.proxy.world import Peer, Server, World, status_of

ENOUGH = 3
HINT = OK.replace(b"\r\n\r\nok", b"\r\nKeep-Alive: timeout=8, max=3\r\n\r\nok")


class Traffic:
    """A client that asks, waits, and asks again; each time on a connection of its own."""

    def __init__(self, world: World, origin: TimedOrigin, chance: random.Random) -> None:
        self.origin = origin
        self.chance = chance
        self.met = 0  # requests that were answered with an error
        self.posts = 0
        self._world = world

    def asks(self, request: bytes = GET) -> bool:
        """Send a request; say whether a connection was used again for it."""
        before = self.origin.reused
        client = self._world.client()
        client.sends(request)
        self.origin.serves()
        if status_of(client.receives()) != 200:
            assert request.startswith(b"POST")
            self.met += 1
        client.leaves()
        return self.origin.reused > before

    def sweeps(self, count: int, longest: float = 1.2) -> float:
        """Ask twice, again and again, up to `longest` times the timeout apart.

        Return the share of requests after a short gap for which a connection was used again.
        """
        short = used = 0
        for _ in range(count):
            gap = self.chance.uniform(0, longest * self.origin.timeout)
            self.asks()
            self.origin.lets_pass(gap)
            request = self.chance.choice((GET, POST.replace(b"body", b"%04d" % self.posts)))
            self.posts += request is not GET
            is_used = self.asks(request)
            if gap < 0.85 * self.origin.timeout:
                short += 1
                used += is_used
        return used / short if short else 1.0

    def until_closed(self, times: int) -> None:
        """Go on until the origin has closed so many connections more, each in a moment of its own."""
        end = self.origin.closes + times
        while self.origin.closes < end:
            self.sweeps(1)


@pytest.fixture
def chance() -> random.Random:
    return random.Random(20)


@pytest.fixture
def origin(world: World, server: Server, chance: random.Random) -> TimedOrigin:
    return TimedOrigin(world, server, chance.uniform)


@pytest.fixture
def traffic(world: World, origin: TimedOrigin, chance: random.Random) -> Iterator[Traffic]:
    traffic = Traffic(world, origin, chance)
    yield traffic
    posts = [request for request in origin.acted_on if request.startswith(b"POST")]
    assert len(posts) == len({request[-4:] for request in posts})  # none twice
    assert traffic.posts - len(posts) == traffic.met <= origin.stale


# A fixed timeout.


@pytest.mark.parametrize("jitter", [0.0, 0.05])
@pytest.mark.parametrize("timeout", [0.5, 1, 2, 3.9, 4.1, 5, 15, 60])
def test_no_request_meets_a_closed_connection(
    origin: TimedOrigin, traffic: Traffic, timeout: float, jitter: float
) -> None:
    origin.timeout, origin.jitter = timeout, jitter
    traffic.until_closed(ENOUGH)

    origin.stale = traffic.met = 0
    origin.oldest_reuse = 0.0
    used = traffic.sweeps(500)

    assert origin.stale == traffic.met == 0
    assert origin.oldest_reuse < (1 - jitter) * timeout
    assert used >= 0.98


def test_many_at_a_time_learn_as_well(world: World, origin: TimedOrigin, traffic: Traffic) -> None:
    origin.timeout, origin.jitter = 2.0, 0.05
    for round_ in range(200):
        if round_ == 50:
            origin.stale = 0
        clients = [world.client() for _ in range(traffic.chance.randrange(1, 8))]
        for client in clients:
            client.sends(GET)
        origin.serves()
        for client in clients:
            assert status_of(client.receives()) == 200
            client.leaves()
        origin.lets_pass(traffic.chance.uniform(0, 3))

    assert origin.stale == 0
    assert traffic.sweeps(100) >= 0.98


# A change of it.


@pytest.mark.parametrize("is_silent", [False, True], ids=["tells", "is_silent"])
@pytest.mark.parametrize("jitter", [0.0, 0.05])
@pytest.mark.parametrize(("before", "after"), [(10, 2), (60, 5), (5, 4.6), (2, 0.6), (1, 0.5), (0.5, 10), (5, 60)])
def test_few_requests_meet_a_change(
    origin: TimedOrigin, traffic: Traffic, before: float, after: float, jitter: float, is_silent: bool
) -> None:
    origin.timeout, origin.jitter = before, jitter
    traffic.until_closed(ENOUGH)
    origin.stale = traffic.met = 0

    origin.timeout, origin.is_silent = after, is_silent
    traffic.sweeps(60, longest=1.2 * before / after)
    assert origin.stale <= 3

    origin.is_silent = False
    traffic.until_closed(2 * ENOUGH)
    seen = origin.stale
    assert traffic.sweeps(200) >= 0.98
    assert origin.stale == seen


def test_restarts_teach_nothing(world: World, origin: TimedOrigin, traffic: Traffic) -> None:
    origin.timeout = 10.0
    traffic.until_closed(ENOUGH)

    for _ in range(20):
        for _ in range(3):
            for client in [world.client() for _ in range(traffic.chance.randrange(1, 5))]:
                client.sends(GET)
            origin.serves()
            origin.lets_pass(traffic.chance.uniform(0.3, 3))
        origin.restarts()

    assert traffic.sweeps(200) >= 0.98


# A limit of requests.


@pytest.mark.parametrize("most", [1, 2, 10])
def test_a_backend_that_closes_after_so_many_requests_gets_no_more(
    origin: TimedOrigin, traffic: Traffic, most: int
) -> None:
    origin.most_requests = most
    for _ in range(3 * most):
        traffic.asks()
        origin.lets_pass(0.5)
    origin.stale = traffic.met = 0

    for _ in range(10 * most):
        traffic.asks(POST.replace(b"body", b"%04d" % traffic.posts))
        traffic.posts += 1
        origin.lets_pass(0.5)

    assert origin.stale == traffic.met == 0
    assert origin.reused == 13 * (most - 1)


def test_a_limit_of_requests_that_is_gone_is_forgotten(origin: TimedOrigin, traffic: Traffic) -> None:
    origin.most_requests = 2
    for _ in range(10):
        traffic.asks()
        origin.lets_pass(0.5)

    origin.most_requests = 0
    for _ in range(10):
        traffic.asks()
        origin.lets_pass(2.5)

    assert traffic.asks()
    assert traffic.asks()
    assert traffic.asks()


# What is said, and what is set.


def answered(client: Peer, server: Server, answer: bytes) -> Peer:
    """Let a connection serve one exchange; return it, idle."""
    client.sends(GET)
    server.connection.sends(answer)
    client.receives()
    server.connection.receives()
    return server.connection


def test_a_backend_can_say_how_long_it_keeps_a_connection(world: World, client: Peer, server: Server) -> None:
    idle = answered(client, server, HINT)

    world.pass_time(6.75)
    client.sends(GET)
    assert idle.receives()
    idle.sends(OK)
    world.pass_time(7)
    client.sends(GET)

    assert len(server.connections) == 2
    assert not idle.receives()


def test_a_backend_can_say_how_many_requests_a_connection_serves(client: Peer, server: Server) -> None:
    for _ in range(3):
        answered(client, server, HINT)
    assert len(server.connections) == 1
    assert not server.connection.is_open

    answered(client, server, HINT)
    assert len(server.connections) == 2


def test_nothing_is_learned_if_the_config_says_so(world: World, server: Server, origin: TimedOrigin) -> None:
    world.configure(world.route("/{rest...}", server), timeouts=Timeouts(learn_keep_alive=False))
    traffic = Traffic(world, origin, random.Random(1))
    origin.timeout = 2.0
    traffic.until_closed(ENOUGH)

    client = world.client()
    idle = answered(client, server, HINT)
    world.pass_time(IDLE_SECONDS - 0.25)
    client.sends(GET)
    assert idle.receives()
    idle.sends(OK)
    world.pass_time(IDLE_SECONDS + LATE)
    assert not idle.is_open


def test_what_is_set_is_the_most_that_is_learned(world: World, server: Server, origin: TimedOrigin) -> None:
    world.configure(world.route("/{rest...}", server), timeouts=Timeouts(upstream_idle=3.0, upstream_idle_most=3.0))
    traffic = Traffic(world, origin, random.Random(1))
    origin.timeout = 3.5
    traffic.until_closed(ENOUGH)
    origin.oldest_reuse = 0.0
    traffic.sweeps(100)
    assert 2.8 < origin.oldest_reuse < 3.0

    origin.timeout = 2.0
    traffic.until_closed(ENOUGH)
    origin.oldest_reuse = 0.0
    traffic.sweeps(100)
    assert 1.7 < origin.oldest_reuse < 1.9


# Connections that are watched.


def test_few_connections_are_watched_and_not_for_ever(world: World, server: Server) -> None:
    for _ in range(MOST_WATCHED + 2):
        clients = [world.client() for _ in range(2)]
        for client in clients:
            client.sends(GET)
        for connection in server.connections[-2:]:
            connection.sends(OK)
        for client in clients:
            client.resets()
        world.pass_time(IDLE_SECONDS + LATE)

    assert sum(connection.is_open for connection in server.connections) == MOST_WATCHED

    world.pass_time(360 + LATE)
    assert not any(connection.is_open for connection in server.connections)
    assert world.count(layout.UPSTREAM_OPEN) == 0


def test_a_watched_connection_serves_no_request(world: World, client: Peer, server: Server) -> None:
    watched = answered(client, server, OK)
    world.pass_time(IDLE_SECONDS + LATE)
    assert watched.is_open

    client.sends(GET)

    assert not watched.receives()
    assert server.connection is not watched


def test_a_drain_ends_what_is_watched(world: World, client: Peer, server: Server) -> None:
    watched = answered(client, server, OK)
    world.pass_time(IDLE_SECONDS + LATE)

    world.builder.close()

    assert not watched.is_open


def test_what_the_gateway_closes_itself_teaches_nothing(world: World, server: Server) -> None:
    settings = {"timeouts": Timeouts(upstream_idle=2.0, upstream_idle_most=2.0, upstream_requests=2)}
    world.configure(world.route("/{rest...}", server), **settings)
    client = world.client()
    for _ in range(20):
        for _ in range(3):
            answered(client, server, OK)
        world.pass_time(2 + 4 * LATE)

    idle = answered(client, server, OK)
    world.pass_time(1.75)
    client.sends(GET)
    assert idle.receives()


# Workers, and reloads.


def test_what_one_worker_has_learned_holds_for_all(world: World, server: Server, origin: TimedOrigin) -> None:
    other = Pools(world.plane, world.zone).of(server.backend)  # that of another worker reads the same zone
    upstream = world.loop.run_until_complete(other.connect(CONNECT_SECONDS))
    upstream.requests = 1
    origin.timeout = 1.0
    traffic = Traffic(world, origin, random.Random(1))
    other.give(upstream)

    traffic.until_closed(ENOUGH)

    assert world.clock() - upstream.idle_since > 1.0
    assert other.take(True) is None
    assert is_used_after(0.75, other, world)
    assert not is_used_after(1.0, other, world)
    other.close()


def test_what_is_learned_outlives_the_routes(
    world: World, server: Server, origin: TimedOrigin, chance: random.Random
) -> None:
    origin.timeout = 1.0
    Traffic(world, origin, chance).until_closed(ENOUGH)
    world.configure()
    world.pass_time(2)
    world.configure(world.route("/{rest...}", server))

    origin.oldest_reuse = 0.0
    Traffic(world, origin, chance).sweeps(100)

    assert 0.8 < origin.oldest_reuse < 0.95


def test_nothing_is_learned_where_there_is_no_room_for_it(world: World, server: Server) -> None:
    zone = Zone(1, columns=64, words=1)
    zone.word(b"another")
    pool = Pools(world.plane, zone).of(server.backend)
    upstream = world.loop.run_until_complete(pool.connect(CONNECT_SECONDS))
    upstream.requests = 1

    pool.answered(ResponseHead(HINT.removesuffix(b"ok"), to_head=False), upstream._transport)
    pool.give(upstream)
    world.pass_time(IDLE_SECONDS + LATE)

    assert upstream.is_closing


def is_used_after(seconds: float, pool: Pool, world: World) -> bool:
    """Say whether a connection that has been idle for so long is used."""
    upstream = world.loop.run_until_complete(pool.connect(CONNECT_SECONDS))
    pool.give(upstream)
    world.pass_time(seconds)
    return pool.take(True) is upstream


def test_where_connections_are_scarce_none_is_watched_or_kept_for_longer_than_usual(
    world: World, server: Server
) -> None:
    pool = Pools(world.plane, world.zone).of(server.backend)
    upstream = world.loop.run_until_complete(pool.connect(CONNECT_SECONDS, 5))
    upstream.requests = 1
    pool.answered(ResponseHead(HINT.removesuffix(b"ok"), to_head=False), upstream._transport)
    pool.give(upstream)

    world.pass_time(IDLE_SECONDS - 0.25)
    assert pool.take(True) is upstream
    pool.give(upstream)
    world.pass_time(IDLE_SECONDS + LATE)
    assert upstream.is_closing
