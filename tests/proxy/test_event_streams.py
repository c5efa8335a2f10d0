"""A drain ends an event stream between two events."""

import gc
import weakref

import pytest

from kairos.config.policies import Cache, Compression
from kairos.proxy.tunnels import TOLD_PER_SECOND, Farewell
from kairos.shm import layout
from tests.decoding import Decoder
from tests.proxy.messages import GET, unchunked
from tests.proxy.world import Peer, Server, World, body_of

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
UNTIL_CLOSE = HEAD + b"\r\n"
END = b"0\r\n\r\n"


def drain(world: World) -> None:
    """Do once what a drain does again and again, and tell all."""
    if not world.plane.is_draining:
        world.plane.is_draining = True
        Farewell(world.plane, 0.0).tell(0.0)
    for downstream in list(world.plane.downstreams):
        downstream.drain(world.plane.ticker.now)
    world.settle()


@pytest.fixture
def streaming(client: Peer, server: Server) -> Peer:
    """A client that has an event stream with one event."""
    client.sends(GET)
    server.connection.sends(UNTIL_CLOSE, b"data: 1\n\n")
    assert client.receives().endswith(b"9\r\ndata: 1\n\n\r\n")
    return client


def test_a_silent_one_ends_at_once(world: World, streaming: Peer, server: Server) -> None:
    drain(world)

    assert streaming.receives() == END
    assert not streaming.is_open
    assert not server.connection.is_open
    assert world.responses() == [0, 1, 0, 0, 0]


def test_many_end_one_after_the_other(world: World, server: Server) -> None:
    clients = [world.client() for _ in range(TOLD_PER_SECOND)]
    for client in clients:
        client.sends(GET)
        server.connection.sends(UNTIL_CLOSE, b"data: 1\n\n")
    farewell = Farewell(world.plane, 10.0)

    farewell.tell(0.5)
    assert sum(client.is_open for client in clients) == len(clients) / 2

    farewell.tell(1.0)
    assert not any(client.is_open for client in clients)


def test_one_without_any_event_ends_at_once(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(UNTIL_CLOSE)
    client.receives()

    drain(world)

    assert client.receives() == END


def test_one_within_an_event_ends_with_it(world: World, streaming: Peer, server: Server) -> None:
    server.connection.sends(b"id: 2\n")
    drain(world)
    assert streaming.receives() == b"6\r\nid: 2\n\r\n"
    assert streaming.is_open

    server.connection.sends(b"data: 2\n\nid: 3\ndata:")

    assert streaming.receives() == b"9\r\ndata: 2\n\n\r\n" + END
    assert not streaming.is_open
    assert not server.connection.is_open


def test_an_old_client_gets_the_end_of_the_connection(world: World, client: Peer, server: Server) -> None:
    client.sends(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    server.connection.sends(UNTIL_CLOSE, b"data: 1\n\n")

    drain(world)

    assert body_of(client.receives()) == b"data: 1\n\n"
    assert not client.is_open
    assert not client.transport.is_aborted


@pytest.mark.parametrize("line", [b"Content-Length: 20", b"Content-Encoding: gzip"])
def test_one_that_cannot_end_anywhere_goes_on(world: World, client: Peer, server: Server, line: bytes) -> None:
    client.sends(GET)
    server.connection.sends(HEAD + line + b"\r\n\r\n", b"data: 1\n\n")

    drain(world)

    assert client.is_open
    assert server.connection.is_open
    client.resets()


def test_an_answer_of_another_type_goes_on(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", b"data: 1\n\n")

    drain(world)

    assert client.is_open
    client.resets()


def test_a_request_that_has_no_answer_yet_is_waited_for(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)

    drain(world)
    server.connection.sends(UNTIL_CLOSE)

    head = client.receives()
    assert b"Connection: close\r\n" in head
    assert not head.endswith(END)
    drain(world)
    assert client.receives() == END


def test_a_slow_reader_gets_all_of_it(world: World, streaming: Peer, server: Server) -> None:
    streaming.stops_reading()
    server.connection.sends(b"data: " + bytes(100_000) + b"\n\n")

    drain(world)
    streaming.reads_on()

    assert streaming.receives().endswith(b"\n\n\r\n" + END)
    assert not streaming.transport.is_aborted


def test_the_part_that_was_sent_is_not_stored(world: World, server: Server) -> None:
    world.configure(world.route("/{rest...}", server, cache=Cache()))
    first, second = world.client(), world.client()
    first.sends(GET)
    server.connection.sends(HEAD + b"Cache-Control: max-age=60\r\n\r\n", b"data: 1\n\n")

    drain(world)
    second.sends(GET)

    assert first.receives().endswith(END)
    assert second.receives() == b""
    assert len(server.connections) == 2


def test_one_that_nobody_waits_for_ends_as_well(world: World, server: Server) -> None:
    world.configure(world.route("/{rest...}", server, cache=Cache(stale_while_revalidate=60.0)))
    client, stored = world.client(), b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok"
    client.sends(GET)
    server.connection.sends(stored)
    assert b"; stored" in client.receives()
    world.pass_time(61)
    world.plane.is_draining = True
    client.sends(GET)
    assert b"; hit" in client.receives()

    server.connection.sends(UNTIL_CLOSE + b"data: 2\n\n")

    assert not server.connection.is_open
    assert world.plane.in_flight == 0


def test_the_counters_know_it_as_one_answer(world: World, streaming: Peer) -> None:
    drain(world)

    assert world.count(layout.IN_FLIGHT) == 0
    assert world.count(layout.UPSTREAM_FAILURES) == 0


def test_a_stream_keeps_no_generation_alive(world: World, streaming: Peer, server: Server) -> None:
    old = weakref.ref(world.plane.snapshot)

    world.configure(world.route("/other", server))
    gc.collect()

    assert old() is None
    server.connection.sends(b"data: 2\n\n")
    assert streaming.receives() == b"9\r\ndata: 2\n\n\r\n"


def test_a_compressed_one_ends_as_a_whole(world: World, client: Peer) -> None:
    server, reader = world.server(), Decoder("br")
    world.configure(world.route("/{rest...}", server, compression=Compression(event_streams=True)))
    client.sends(GET.replace(b"\r\n\r\n", b"\r\nAccept-Encoding: br\r\n\r\n"))
    server.connection.sends(UNTIL_CLOSE, b"data: 1\n\n")
    assert reader.feed(unchunked(body_of(client.receives()))) == b"data: 1\n\n"

    drain(world)

    last = client.receives()
    assert last.endswith(END)
    reader.feed(unchunked(last))
    assert reader.is_whole
    assert not client.is_open
