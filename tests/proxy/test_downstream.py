"""A connection from a client: how requests are read and answers given."""

import pytest

from kairos.proxy.downstream import LARGEST_BACKLOG
from kairos.proxy.ticker import NEVER
from kairos.shm import layout
from tests.proxy.messages import CLIENT_IDLE_SECONDS, GET, GET_SENT, LARGE_OK, LATE, OK, OK_SENT, POSTS, unchunked
from tests.proxy.world import Peer, Server, World, body_of, masked, status_of

# One request.


def test_a_request_goes_to_the_backend_and_its_answer_to_the_client(client: Peer, server: Server) -> None:
    client.sends(GET)
    assert masked(server.connection.receives()) == GET_SENT

    server.connection.sends(OK)
    assert masked(client.receives()) == OK_SENT
    assert client.is_open


def test_an_answer_is_one_write(client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(OK)

    assert len(client.transport.written) == 1


@pytest.mark.parametrize("framing", POSTS)
def test_a_request_may_be_cut_anywhere(world: World, server: Server, framing: str) -> None:
    message = POSTS[framing]
    expected = {"length": b"hello\r\n\r\nyou", "chunked": b"hello\r\n\r\nyo", "none": b""}[framing]
    cuts = [[message[:i], message[i:]] for i in range(1, len(message))]
    cuts.append([message[i : i + 1] for i in range(len(message))])
    heads = set()

    for pieces in cuts:
        client = world.client()
        client.sends(*pieces)
        head, _, body = masked(server.connection.receives()).partition(b"\r\n\r\n")
        server.connection.sends(OK)

        heads.add(head)
        assert (unchunked(body) if framing == "chunked" else body) == expected
        assert masked(client.receives()) == OK_SENT
        assert client.is_open

    assert len(heads) == 1
    assert world.responses() == [0, len(cuts), 0, 0, 0]


def test_a_chunked_body_is_framed_anew(client: Peer, server: Server) -> None:
    client.sends(POSTS["chunked"])

    head, _, body = server.connection.receives().partition(b"\r\n\r\n")

    assert head.count(b"Transfer-Encoding: chunked") == 1
    assert body == b"b\r\nhello\r\n\r\nyo\r\n0\r\n\r\n"


def test_a_body_is_passed_on_as_it_arrives(client: Peer, server: Server) -> None:
    client.sends(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nab")
    assert body_of(server.connection.receives()) == b"ab"

    client.sends(b"cd")
    assert server.connection.receives() == b"cd"

    client.sends(b"efGET")
    assert server.connection.receives() == b"ef"


def test_a_head_request_gets_no_body(client: Peer, server: Server) -> None:
    client.sends(b"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n")
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    answer = client.receives()
    assert b"Content-Length: 1000\r\n" in answer
    assert body_of(answer) == b""

    client.sends(b"HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = client.receives()
    assert status_of(answer) == 200
    assert body_of(answer) == b""
    assert b"Content-Length: 0" not in answer
    assert client.is_open


def test_empty_lines_before_a_request_are_ignored(client: Peer, server: Server) -> None:
    client.sends(b"\r\n", b"\r", b"\n\r\n" + GET)

    assert masked(server.connection.receives()) == GET_SENT


def test_empty_lines_alone_keep_no_connection_open(world: World, client: Peer) -> None:
    for _ in range(round(CLIENT_IDLE_SECONDS)):
        client.sends(b"\r\n" * 100)
        world.pass_time(1)
    world.pass_time(LATE)

    assert not client.is_open


# Keeping the connection.


@pytest.mark.parametrize(
    ("line", "fields", "answered", "keeps"),
    [
        (b"GET / HTTP/1.1", b"", None, True),
        (b"GET / HTTP/1.1", b"Connection: close\r\n", b"close", False),
        (b"GET / HTTP/1.0", b"", b"close", False),
        (b"GET / HTTP/1.0", b"Connection: keep-alive\r\n", b"keep-alive", True),
    ],
)
@pytest.mark.parametrize("path", [b"/a", b"/health", b"/health/none"])
def test_the_client_says_whether_to_keep_the_connection(
    world: World, server: Server, line: bytes, fields: bytes, answered: bytes | None, keeps: bool, path: bytes
) -> None:
    world.configure(world.route("/a", server))
    client = world.client()

    client.sends(line.replace(b"/", path, 1) + b"\r\nHost: a\r\n" + fields + b"\r\n")
    if server.connections:
        server.connection.sends(OK)

    head = client.receives().partition(b"\r\n\r\n")[0]
    lines = [line for line in head.split(b"\r\n") if line.startswith(b"Connection: ")]
    assert lines == ([b"Connection: " + answered] if answered else [])
    assert client.is_open is keeps


def test_a_backend_that_closes_does_not_close_the_client(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    assert client.is_open
    assert b"Connection:" not in client.receives()

    client.sends(GET)
    server.connection.sends(OK)
    assert len(server.connections) == 2
    assert masked(client.receives()) == OK_SENT


def test_an_idle_client_is_closed_after_a_while(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(OK)
    client.receives()

    world.pass_time(CLIENT_IDLE_SECONDS - 1)
    assert client.is_open

    world.pass_time(1 + LATE)
    assert not client.is_open
    assert client.receives() == b""


# Pipelining.


def test_pipelined_requests_are_answered_one_after_the_other(client: Peer, server: Server) -> None:
    client.sends(b"".join(GET.replace(b"/a", b"/%d" % i) for i in range(3)))

    for i in range(3):
        assert server.connection.receives().startswith(b"GET /%d " % i)
        server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % i)
        assert client.receives().endswith(b"\r\n\r\n%d" % i)
    assert len(server.connections) == 1


def test_local_replies_keep_their_place_among_pipelined_requests(world: World, server: Server) -> None:
    world.configure(world.route("/a", server))
    client = world.client()
    health, lost = GET.replace(b"/a", b"/health"), GET.replace(b"/a", b"/lost")

    client.sends(health + lost + GET + lost + POSTS["length"] + health + lost)
    first = client.receives()
    server.connection.sends(OK)
    second = client.receives()
    server.connection.sends(OK)
    third = client.receives()

    assert [first.count(b"HTTP/1.1 " + status) for status in (b"200", b"404")] == [1, 1]
    assert [second.count(b"HTTP/1.1 " + status) for status in (b"200", b"404")] == [1, 1]
    assert second.startswith(b"HTTP/1.1 200")
    assert [third.count(b"HTTP/1.1 " + status) for status in (b"200", b"404")] == [2, 1]
    assert world.responses() == [0, 4, 0, 3, 0]


@pytest.mark.parametrize("first", ["length", "chunked"])
def test_what_follows_a_body_is_the_next_request(client: Peer, server: Server, first: str) -> None:
    client.sends(POSTS[first] + GET)
    server.connection.receives()

    server.connection.sends(OK)

    assert masked(server.connection.receives()) == GET_SENT


def test_a_large_backlog_stops_the_client_until_it_is_worked_off(client: Peer, server: Server) -> None:
    client.sends(GET)
    client.sends(GET * (LARGEST_BACKLOG // len(GET)))
    assert client.transport.is_reading()

    client.sends(GET)
    assert not client.transport.is_reading()

    for _ in range(LARGEST_BACKLOG // len(GET) + 2):
        server.connection.sends(OK)
    assert client.transport.is_reading()
    assert client.receives().count(b"HTTP/1.1 200 OK") == LARGEST_BACKLOG // len(GET) + 2
    assert len(server.connections) == 1


def test_each_answer_lets_no_more_in_than_the_backlog(client: Peer, server: Server) -> None:
    flood = GET * (4 * LARGEST_BACKLOG // len(GET))
    client.sends(GET, flood, flood)

    for _ in range(10):
        server.connection.sends(OK)
        assert not client.transport.is_reading()


# Leaving.


@pytest.mark.parametrize("how", ["leaves", "resets"])
@pytest.mark.parametrize("phase", ["head", "connecting", "sending", "waiting", "streaming", "full"])
def test_a_client_that_leaves_stops_the_backend_at_once(world: World, server: Server, phase: str, how: str) -> None:
    client = world.client()
    server.is_silent = phase == "connecting"
    if phase == "head":
        client.sends(GET[:10])
    elif phase == "sending":
        client.sends(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbegin")
    else:
        client.sends(GET)
    if phase == "streaming":
        server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegin")
    if phase == "full":
        client.stops_reading()
        server.connection.sends(LARGE_OK)
        assert not server.connection.transport.is_reading()

    getattr(client, how)()

    if server.connections:
        assert server.connection.transport.is_aborted
    assert world.count(layout.IN_FLIGHT) == 0
    begun = int(phase in ("streaming", "full"))
    assert world.responses() == [0, begun, 0, 0 if begun or phase == "head" else 1, 0]
    assert world.count(layout.LOCAL_REPLIES) == 0


def test_a_client_that_leaves_between_requests_is_not_counted(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(OK)
    client.leaves()

    assert client.is_lost
    assert server.connection.is_open
    assert world.responses() == [0, 1, 0, 0, 0]


# Draining.


def test_a_drain_lets_the_answer_say_that_the_connection_ends(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    world.plane.is_draining = True
    client.protocol.drain(world.plane.ticker.now)
    assert client.is_open

    server.connection.sends(OK)

    assert b"Connection: close\r\n" in client.receives()
    assert not client.is_open
    assert not server.connection.is_open


def test_a_drain_closes_a_connection_that_has_been_idle_for_a_moment(world: World, client: Peer) -> None:
    world.plane.is_draining = True
    client.protocol.drain(world.plane.ticker.now)
    assert client.is_open

    world.pass_time(1)
    client.protocol.drain(world.plane.ticker.now)
    assert not client.is_open


def test_a_drain_waits_for_a_head_that_has_begun(world: World, client: Peer, server: Server) -> None:
    client.sends(GET[:10])
    world.pass_time(5)
    world.plane.is_draining = True
    client.protocol.drain(world.plane.ticker.now)

    client.sends(GET[10:])
    server.connection.sends(OK)

    assert b"Connection: close\r\n" in client.receives()


def test_a_drain_does_not_shorten_the_moment_after_a_refusal(world: World, client: Peer) -> None:
    world.pass_time(5)
    client.sends(b"GET / HTTP/1.1\r\n\r\n")

    client.protocol.drain(world.plane.ticker.now)

    assert client.is_open


def test_a_connection_can_be_broken_off_with_its_exchange(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)

    client.protocol.abort_with_exchange("drain_deadline")
    world.settle()

    assert client.transport.is_aborted
    assert server.connection.transport.is_aborted
    assert world.responses() == [0, 0, 0, 1, 0]


def test_an_exchange_without_debts_has_no_deadline(client: Peer, server: Server) -> None:
    client.sends(GET)

    assert client.protocol.deadline == NEVER


def test_connections_are_counted(world: World, server: Server) -> None:
    clients = [world.client() for _ in range(3)]
    assert world.count(layout.CONNECTIONS_OPEN) == 3

    clients[0].leaves()

    assert world.count(layout.CONNECTIONS_OPEN) == 2
    assert world.count(layout.CONNECTIONS_ACCEPTED) == 3


def test_a_peer_without_address_is_served_too(world: World, server: Server) -> None:
    client = world.client(peername=None)

    client.sends(GET)

    assert server.connection.receives().startswith(b"GET /a HTTP/1.1\r\n")
