"""An exchange: which backend a request goes to, what is answered here, and what is counted."""

import errno
import gc
import weakref
from collections.abc import Iterator
from functools import partial

import pytest

from kairos.config.document import Retry
from kairos.proxy.exchange import Exchange
from kairos.shm import layout
from tests.proxy.messages import CONNECT_SECONDS, GET, LARGE, LATE, OK, OK_SENT, POSTS, error_of
from tests.proxy.world import Peer, Server, World, body_of, masked, status_of


def refused() -> OSError:
    return OSError(errno.ECONNREFUSED, "refused by 10.0.0.1")


@pytest.fixture
def servers(world: World) -> list[Server]:
    """Three backends of one route."""
    servers = [world.server(port) for port in (8001, 8002, 8003)]
    world.configure(world.route("/{rest...}", *servers))
    return servers


def answering(servers: list[Server], client: Peer) -> Server:
    """Send a request and let the backend that gets it answer; return this backend."""
    client.sends(GET)
    (server,) = (server for server in servers if server.connections and server.connection.receives())
    server.connection.sends(OK)
    assert masked(client.receives()) == OK_SENT
    return server


# Which backend.


def test_backends_take_turns_whichever_client_asks(world: World, servers: list[Server]) -> None:
    chosen = [answering(servers, client) for client in (world.client(), world.client()) for _ in range(3)]

    assert chosen == servers * 2
    assert [len(server.connections) for server in servers] == [1, 1, 1]


def test_turns_go_on_after_a_reload(world: World, servers: list[Server]) -> None:
    assert answering(servers, world.client()) is servers[0]

    world.configure(world.route("/{rest...}", *servers), world.route("/other", servers[0]))

    assert answering(servers, world.client()) is servers[1]


def test_a_backend_that_refuses_is_passed_over_at_once(world: World, servers: list[Server]) -> None:
    servers[0].error = refused
    servers[1].error = refused

    assert answering(servers, world.client()) is servers[2]
    assert world.count(layout.UPSTREAM_FAILURES) == 2
    assert world.count(layout.UPSTREAM_CONNECTS) == 3
    assert world.responses() == [0, 1, 0, 0, 0]


@pytest.mark.parametrize("framing", POSTS)
def test_a_request_with_a_body_goes_whole_to_the_next_backend(
    world: World, servers: list[Server], framing: str
) -> None:
    servers[0].error = refused
    client = world.client()

    client.sends(POSTS[framing][:-3], POSTS[framing][-3:])

    received = servers[1].connection.receives()
    assert received.startswith(POSTS[framing][:8])
    if framing == "length":
        assert body_of(received) == b"hello\r\n\r\nyou"
    if framing == "chunked":
        assert received.endswith(b"0\r\n\r\n")


def test_a_backend_that_does_not_answer_is_passed_over_in_time(world: World, servers: list[Server]) -> None:
    servers[0].is_silent = True
    client = world.client()
    client.sends(GET)
    world.pass_time(CONNECT_SECONDS - 1)
    assert not servers[1].connections

    world.pass_time(1.25)

    servers[1].connection.sends(OK)
    assert masked(client.receives()) == OK_SENT


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        (errno.ECONNREFUSED, 502, "connect_refused"),
        (errno.EHOSTUNREACH, 502, "connect_unreachable"),
        (errno.ENETUNREACH, 502, "connect_unreachable"),
        (errno.ETIMEDOUT, 504, "connect_timeout"),
        (errno.EMFILE, 502, "connect_no_descriptors"),
        (errno.EACCES, 502, "connect_failed"),
    ],
)
def test_if_no_backend_can_be_reached_the_client_hears_why(
    world: World, servers: list[Server], code: int, status: int, reason: str
) -> None:
    for server in servers:
        server.error = partial(OSError, code, "10.0.0.1 says no")
    client = world.client()

    client.sends(GET.replace(b"/a", b"/a?secret"))

    answer = client.receives()
    assert status_of(answer) == status
    assert error_of(answer)["reason"] == reason
    assert "the connection " in error_of(answer)["error"]
    assert b"10.0.0.1" not in answer
    assert b"secret" not in answer
    assert client.is_open
    assert world.responses() == [0, 0, 0, 0, 1]


def test_a_defect_is_answered_and_reported(world: World, server: Server, client: Peer) -> None:
    reported: list[dict[str, object]] = []
    world.loop.set_exception_handler(lambda _, context: reported.append(context))
    server.error = ZeroDivisionError

    client.sends(GET)
    gc.collect()  # the loop reports an exception of a task when the task is gone

    answer = client.receives()
    assert status_of(answer) == 500
    assert error_of(answer) | {"request_id": "", "timestamp": ""} == {
        "error": "Internal error",
        "reason": "internal",
        "request_id": "",
        "timestamp": "",
        "type": "internal",
    }
    assert [type(context["exception"]) for context in reported] == [ZeroDivisionError]


# What is answered here.


def test_a_request_without_route_is_answered_here(world: World, server: Server) -> None:
    world.configure(world.route("/a", server, methods=("GET", "PUT")))
    client = world.client()

    client.sends(GET.replace(b"/a", b"/b?q"), GET.replace(b"GET", b"DELETE"), GET.replace(b"/a", b"/%00"))

    answers = client.receives()
    lost, wrong, bad = (b"HTTP/1.1 " + answer for answer in answers.split(b"HTTP/1.1 ")[1:])
    assert (status_of(lost), error_of(lost)["error"]) == (404, "No route found for path: /b")
    assert (status_of(wrong), error_of(wrong)["type"]) == (405, "method_not_allowed")
    assert b"\r\nAllow: GET, HEAD, PUT\r\n" in wrong
    assert (status_of(bad), error_of(bad)["reason"]) == (400, "bad_target")
    assert world.responses() == [0, 0, 0, 3, 0]
    assert world.count(layout.LOCAL_REPLIES) == 3


def test_a_filter_ends_an_exchange_before_any_backend_hears_of_it(world: World, server: Server) -> None:
    world.configure(world.route("/a", server, auth_required=True), world.route("/f", server, protocol="ftp"))
    client = world.client()

    client.sends(GET)
    answer = client.receives()
    assert status_of(answer) == 401
    assert b"\r\nWWW-Authenticate: Bearer" in answer

    client.sends(GET.replace(b"/a", b"/f"))
    assert status_of(client.receives()) == 501
    assert server.connections == []


def test_a_path_is_rewritten_and_a_query_kept(world: World, server: Server) -> None:
    world.configure(world.route("/users/{id}", server, internal="/v1/{id}?from=gateway"))
    client = world.client()

    client.sends(GET.replace(b"/a", b"/users/%61b?q=1"))

    assert server.connection.receives().startswith(b"GET /v1/ab?from=gateway&q=1 HTTP/1.1\r\n")


def test_an_exchange_keeps_its_snapshot_and_the_next_takes_the_new(world: World, server: Server) -> None:
    other = world.server(9090)
    world.configure(world.route("/a", server))
    client = world.client()
    server.is_silent = True
    client.sends(GET + GET)

    world.configure(world.route("/a", other))
    server.is_silent = False
    server.error = refused
    world.pass_time(CONNECT_SECONDS + 0.25)

    assert error_of(client.receives())["reason"] == "connect_timeout"
    other.connection.sends(OK)
    assert masked(client.receives()) == OK_SENT


# What is counted.


def test_every_request_is_counted_once_by_route_and_class(world: World, server: Server) -> None:
    world.configure(world.route("/a", server), world.route("/b/{c}", server))
    client = world.client()

    for path, status in ((b"/a", 200), (b"/a", 503), (b"/b/1", 302), (b"/b/2", 404)):
        client.sends(GET.replace(b"/a", path))
        server.connection.sends(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
    client.sends(GET.replace(b"/a", b"/lost"))

    columns = world.zone.columns()
    assert [world.count(columns[name]) for name in ("/a", "/b/{c}")] == [2, 2]
    assert world.responses() == [0, 1, 1, 2, 1]
    assert world.count(layout.REQUESTS) == 5
    assert world.count(layout.LOCAL_REPLIES) == 1


def test_bytes_are_counted_in_both_directions(world: World, server: Server, client: Peer) -> None:
    message = POSTS["length"]

    client.sends(message)
    server.connection.sends(OK)

    assert world.count(layout.BYTES_IN) == len(message)
    assert world.count(layout.BYTES_OUT) == len(client.receives())


def test_what_runs_is_in_flight(world: World, server: Server) -> None:
    clients = [world.client(), world.client()]
    for client in clients:
        client.sends(GET)
    assert world.count(layout.IN_FLIGHT) == 2

    server.connections[0].sends(OK)

    assert world.count(layout.IN_FLIGHT) == 1


# What is left: nothing, without the garbage collector's help.


@pytest.fixture
def without_gc() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def exchanges_of(client: Peer) -> list[Exchange]:
    """Return what is in memory of a client's exchanges."""
    return [one for one in gc.get_objects() if isinstance(one, Exchange) and one.downstream is client.protocol]


FATES = [
    *("answered", "refused", "timeout", "left", "left connecting", "cut short", "malformed", "local", "stale", "413"),
    "retried",
]


@pytest.mark.usefixtures("without_gc")
@pytest.mark.parametrize("fate", FATES)
def test_an_exchange_leaves_nothing_to_collect(world: World, server: Server, client: Peer, fate: str) -> None:
    server.error = refused if fate == "refused" else None
    server.is_silent = fate in ("timeout", "left connecting")
    if fate == "retried":
        world.configure(world.route("/{rest...}", server, retry=Retry(jitter=False)))
    if fate == "stale":
        client.sends(GET)
        server.connection.sends(OK)
    if fate == "local":
        client.sends(GET.replace(b"/a", b"/%00"))
    elif fate == "413":
        client.sends(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n")
    else:
        client.sends(GET)
        assert len(exchanges_of(client)) == (fate != "refused")
    if fate == "answered":
        server.connection.sends(OK)
    elif fate == "timeout":
        world.pass_time(CONNECT_SECONDS + LATE)
    elif fate.startswith("left"):
        client.leaves()
    elif fate == "cut short":
        server.connection.sends(OK[:-1])
        server.connection.leaves()
    elif fate == "malformed":
        server.connection.sends(b"nonsense\r\n\r\n")
    elif fate == "retried":
        server.connection.leaves()
        world.pass_time(0.25)
        server.connection.sends(OK)
    elif fate == "stale":
        server.connection.leaves()
        server.connection.leaves()

    assert exchanges_of(client) == []


@pytest.mark.usefixtures("without_gc")
def test_a_reload_leaves_nothing_to_collect(world: World, server: Server, client: Peer) -> None:
    client.sends(GET)
    server.connection.sends(OK)
    first = weakref.ref(world.plane.snapshot)

    second = weakref.ref(world.configure(world.route("/other", server)))
    assert first() is None

    world.configure()
    assert second() is None


@pytest.mark.usefixtures("without_gc")
def test_only_running_exchanges_keep_an_old_snapshot(world: World, server: Server, client: Peer) -> None:
    client.sends(GET)
    old = weakref.ref(world.plane.snapshot)
    world.configure()
    assert old() is not None

    server.connection.sends(OK)

    assert old() is None


def test_large_bodies_pass_in_both_directions(world: World, server: Server, client: Peer) -> None:
    client.sends(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n", LARGE)
    assert body_of(server.connection.receives()) == LARGE

    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n", LARGE)
    assert body_of(client.receives()) == LARGE
    assert world.count(layout.BYTES_IN) > 200_000
    assert client.is_open
