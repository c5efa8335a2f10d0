"""Compressed answers, on their way through the data plane."""

import asyncio
import gc
import random
import zlib
from collections.abc import Callable

import pytest

from kairos.config.policies import Compression
from kairos.config.transformations import FieldRule, JsonBody, JsonRule, StatusRule, Transformation
from kairos.proxy.encoding import MAX_THREADS, EncodingThreads
from kairos.proxy.exchange import Exchange
from kairos.shm import layout
from tests.decoding import Decoder, decoded
from tests.proxy.messages import GET, unchunked
from tests.proxy.world import Peer, Server, World, body_of, masked, status_of

TYPE = b"Content-Type: text/plain\r\n"
GZIP = b"GET /a HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
BR = GZIP.replace(b"gzip", b"br")
TEXT = b"".join(b"%d times %d is %d\n" % (number, number, number * number) for number in range(100))
LONG = b"".join(random.Random(1).choice((b"yes ", b"no ", b"perhaps ")) for _ in range(60_000))


def counted(body: bytes, *lines: bytes) -> bytes:
    """Answer with a length."""
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n%b\r\n%b" % (TYPE, len(body), b"".join(lines), body)


def in_chunks(*pieces: bytes, trailers: bytes = b"") -> bytes:
    """Answer without a length."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\n%bTransfer-Encoding: chunked\r\n\r\n%b0\r\n%b\r\n" % (TYPE, chunks, trailers)


def head_of(answer: bytes) -> bytes:
    """Return the head of an answer."""
    return answer.partition(b"\r\n\r\n")[0]


@pytest.fixture
def route(world: World) -> Callable[..., Server]:
    """Make a server to which all requests go, with these settings."""

    def make(**settings: object) -> Server:
        server = world.server()
        more = {name: settings.pop(name) for name in ("response_change",) if name in settings}
        compression = Compression(**settings)  # type: ignore[arg-type]
        world.configure(world.route("/{rest...}", server, compression=compression, **more))
        return server

    return make


@pytest.fixture
def server(route: Callable[..., Server]) -> Server:
    return route()


def test_an_answer_that_comes_as_a_whole_has_a_length(client: Peer, server: Server) -> None:
    client.sends(GZIP)
    server.connection.sends(counted(TEXT, b'ETag: "1"\r\n', b"Accept-Ranges: bytes\r\n"))

    answer = client.receives()
    body = body_of(answer)
    assert masked(head_of(answer) + b"\r\n") == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n"
        b'ETag: W/"1"\r\nVary: Accept-Encoding\r\nX-Content-Type-Options: nosniff\r\nX-Request-ID: *\r\nDate: *\r\n'
        % len(body)
    )
    assert decoded("gzip", body) == TEXT

    client.sends(GZIP)  # the connection goes on
    server.connection.sends(counted(TEXT))
    assert decoded("gzip", body_of(client.receives())) == TEXT


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip"])
def test_a_body_may_come_in_any_pieces(world: World, client: Peer, server: Server, coding: str) -> None:
    whole = in_chunks(TEXT[:700], TEXT[700:])
    for cut in (*range(70, 110), *range(110, len(whole), 97)):
        client.sends(GZIP.replace(b"gzip", coding.encode()))
        server.connection.sends(whole[:cut], whole[cut:])

        answer = client.receives()
        assert b"Content-Encoding: %b\r\n" % coding.encode() in answer
        body = body_of(answer)
        is_chunked = b"Transfer-Encoding: chunked" in head_of(answer)
        assert decoded(coding, unchunked(body) if is_chunked else body) == TEXT
        assert is_chunked is (b"Content-Length" not in head_of(answer))


def test_byte_by_byte(world: World, client: Peer, server: Server) -> None:
    client.sends(BR)
    for byte in counted(TEXT):
        server.connection.sends(bytes([byte]))

    answer = client.receives()
    assert head_of(answer).count(b"Transfer-Encoding: chunked") == 1
    assert decoded("br", unchunked(body_of(answer))) == TEXT


def test_without_a_length_every_piece_goes_on_at_once(client: Peer, server: Server) -> None:
    reader = Decoder("br")
    client.sends(BR)
    server.connection.sends(in_chunks(b"one")[:-5])
    assert reader.feed(unchunked(body_of(client.receives()))) == b"one"

    server.connection.sends(b"3\r\ntwo\r\n")
    assert reader.feed(unchunked(client.receives())) == b"two"

    server.connection.sends(b"0\r\n\r\n")
    last = client.receives()
    assert last.endswith(b"0\r\n\r\n")
    reader.feed(unchunked(last))
    assert reader.is_whole


def test_events_go_on_one_by_one_if_streams_are_compressed(client: Peer, route: Callable[..., Server]) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    server = route(event_streams=True)
    reader = Decoder("gzip")

    client.sends(GZIP)
    server.connection.sends(head + b"data: 1\n\n")
    answer = client.receives()
    assert b"Content-Encoding: gzip\r\n" in answer
    assert reader.feed(unchunked(body_of(answer))) == b"data: 1\n\n"
    server.connection.sends(b"data: 2\n\n")
    assert reader.feed(unchunked(client.receives())) == b"data: 2\n\n"


def test_the_head_of_a_compressed_stream_waits_for_no_event(
    world: World, client: Peer, route: Callable[..., Server]
) -> None:
    server = route(event_streams=True)
    reader = Decoder("br")

    client.sends(BR)
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    assert client.receives().endswith(b"\r\n\r\n")
    server.connection.sends(b"data: 1\n\n")

    assert reader.feed(unchunked(client.receives())) == b"data: 1\n\n"


@pytest.mark.parametrize("events", [[], [b"data: 1\n\n"]])
def test_a_drain_ends_a_compressed_stream_as_a_whole(
    world: World, client: Peer, route: Callable[..., Server], events: list[bytes]
) -> None:
    server = route(event_streams=True)
    reader = Decoder("gzip")
    client.sends(GZIP)
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", *events)

    client.protocol.leave()
    world.settle()

    answer = client.receives()
    assert reader.feed(unchunked(body_of(answer))) == b"".join(events)
    assert answer.endswith(b"0\r\n\r\n")
    assert reader.is_whole
    assert not client.is_open


def test_events_are_left_alone_otherwise(client: Peer, server: Server) -> None:
    client.sends(GZIP)
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")

    answer = client.receives()
    assert b"Vary" not in answer
    assert unchunked(body_of(answer)) == b"data: 1\n\n"


def test_a_short_body_without_a_length_is_left_alone_if_it_comes_as_a_whole(client: Peer, server: Server) -> None:
    client.sends(GZIP)
    server.connection.sends(in_chunks(b"short", trailers=b"X-Sum: 1\r\n"))

    answer = client.receives()
    assert b"Vary: Accept-Encoding\r\n" in answer
    assert b"Content-Encoding" not in answer
    assert unchunked(body_of(answer)) == b"short"


def test_who_does_not_accept_it_is_told_that_others_might(client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(counted(TEXT, b'ETag: "1"\r\n'))

    answer = client.receives()
    assert b'\r\nETag: "1"\r\n' in answer
    assert answer.count(b"Vary: Accept-Encoding\r\n") == 1
    assert body_of(answer) == TEXT


def test_the_head_for_head_is_that_for_get(client: Peer, server: Server) -> None:
    answer = counted(LONG, b'ETag: "1"\r\n')
    heads = []
    for method, sent in ((b"GET", (answer[:1000], answer[1000:])), (b"HEAD", (head_of(answer) + b"\r\n\r\n",))):
        client.sends(GZIP.replace(b"GET", method))
        server.connection.sends(*sent)
        heads.append(client.receives())

    of_get, of_head = (masked(head_of(one) + b"\r\n") for one in heads)
    assert of_head == of_get.replace(b"Transfer-Encoding: chunked\r\n", b"")
    assert b"Content-Encoding: gzip\r\n" in of_head
    assert b"Content-Length" not in of_head
    assert body_of(heads[1]) == b""


def test_old_clients_get_it_as_it_is(client: Peer, server: Server) -> None:
    client.sends(GZIP.replace(b"HTTP/1.1", b"HTTP/1.0"))
    server.connection.sends(counted(TEXT))

    answer = client.receives()
    assert b"Vary: Accept-Encoding\r\n" in answer
    assert body_of(answer) == TEXT


def test_a_304_tells_the_validator_that_the_client_has(client: Peer, server: Server) -> None:
    client.sends(GZIP[:-2] + b'If-None-Match: W/"1"\r\n\r\n')
    server.connection.sends(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n')

    answer = client.receives()
    assert status_of(answer) == 304
    assert b'ETag: W/"1"\r\nVary: Accept-Encoding\r\n' in answer
    assert b"Content-Encoding" not in answer


def test_digests_of_what_was_sent_before_are_no_trailers(client: Peer, server: Server) -> None:
    client.sends(GZIP.replace(b"\r\n\r\n", b"\r\nTE: trailers\r\nConnection: TE\r\n\r\n"))
    server.connection.sends(in_chunks(TEXT, trailers=b"Content-Digest: x\r\nX-Sum: 1\r\n"))

    answer = client.receives()
    assert b"Transfer-Encoding: chunked\r\n" in answer  # for there is a trailer to send
    assert answer.endswith(b"0\r\nX-Sum: 1\r\n\r\n")


def test_what_is_compressed_already_passes(client: Peer, server: Server) -> None:
    body = zlib.compress(TEXT)
    client.sends(GZIP)
    server.connection.sends(counted(body, b"Content-Encoding: deflate\r\n"))

    answer = client.receives()
    assert answer.count(b"Content-Encoding") == 1
    assert b"Vary" not in answer
    assert body_of(answer) == body


def test_a_reload_switches_it_off_and_what_runs_ends_as_it_began(world: World, client: Peer, server: Server) -> None:
    reader = Decoder("gzip")
    client.sends(GZIP)
    server.connection.sends(in_chunks(TEXT)[:-5])
    assert reader.feed(unchunked(body_of(client.receives()))) == TEXT
    world.configure(world.route("/{rest...}", server))
    server.connection.sends(b"0\r\n\r\n")
    reader.feed(unchunked(client.receives()))
    assert reader.is_whole

    client.sends(GZIP)
    server.connection.sends(counted(TEXT))
    answer = client.receives()
    assert b"Vary" not in answer
    assert body_of(answer) == TEXT


def test_rules_come_first(client: Peer, route: Callable[..., Server]) -> None:
    rules = Transformation(
        headers=(FieldRule("set", "Vary", "Accept"),),
        statuses=(StatusRule(200, 201),),
        json=JsonBody((JsonRule("set", "/a", "x" * 2000),)),
    )
    server = route(response_change=rules, types=("application/json",))

    client.sends(GZIP)
    server.connection.sends(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"b":1}')

    answer = client.receives()
    assert status_of(answer) == 201
    assert b"Vary: Accept, Accept-Encoding\r\n" in answer
    assert decoded("gzip", body_of(answer)) == b'{"b":1,"a":"%b"}' % (b"x" * 2000)


# Long pieces go into a thread.


def test_a_long_piece_is_compressed_elsewhere_while_the_backend_waits(
    world: World, client: Peer, server: Server
) -> None:
    world.threads.is_slow = True
    client.sends(GZIP)
    server.connection.sends(counted(LONG)[:40_000], counted(LONG)[40_000:])
    assert client.receives() == b""
    assert not server.connection.transport.is_reading()
    assert len(world.threads.waiting) == 1

    world.threads.work()
    world.settle()
    begun = client.receives()
    assert len(world.threads.waiting) == 1  # the next piece

    world.threads.work()
    world.settle()
    assert decoded("gzip", unchunked(body_of(begun + client.receives()))) == LONG
    client.sends(GZIP)
    server.connection.sends(counted(TEXT))
    assert status_of(client.receives()) == 200


def test_a_short_piece_waits_for_a_long_one(world: World, client: Peer, server: Server) -> None:
    world.threads.is_slow = True
    client.sends(GZIP)
    head, body = in_chunks(LONG, TEXT).split(TEXT)[0], TEXT
    server.connection.sends(head)
    # what a transport had read before it was told to pause
    server.connection.protocol.data_received(body)
    server.connection.protocol.data_received(b"\r\n0\r\n\r\n")
    world.settle()
    assert client.receives() == b""

    world.threads.work()
    world.settle()
    world.threads.work()
    world.settle()
    assert decoded("gzip", unchunked(body_of(client.receives()))) == LONG + TEXT


def test_a_client_may_leave_while_a_thread_works(world: World, client: Peer, server: Server) -> None:
    world.threads.is_slow = True
    client.sends(GZIP)
    server.connection.sends(counted(LONG)[:40_000])
    client.resets()
    assert not server.connection.is_open

    world.threads.work()
    world.settle()
    assert client.receives() == b""
    assert world.count(layout.IN_FLIGHT) == 0


def test_the_next_exchange_of_a_client_gets_nothing_of_the_one_before(world: World, server: Server) -> None:
    world.threads.is_slow = True
    leaves, stays = world.client(), world.client()
    leaves.sends(GZIP)
    server.connection.sends(counted(LONG)[:40_000])
    leaves.leaves()
    stays.sends(GZIP)
    server.connection.sends(counted(TEXT))

    world.threads.work()
    world.settle()
    assert leaves.receives() == b""
    assert decoded("gzip", body_of(stays.receives())) == TEXT


def test_a_backend_that_dies_in_the_middle_leaves_a_body_that_is_cut(
    world: World, client: Peer, server: Server
) -> None:
    client.sends(GZIP)
    server.connection.sends(in_chunks(TEXT)[:-5])
    server.connection.resets()

    answer = client.receives()
    assert client.transport.is_aborted
    assert not answer.endswith(b"0\r\n\r\n")

    world.threads.is_slow = True
    client = world.client()
    client.sends(GZIP)
    server.connection.sends(in_chunks(LONG)[:-5])
    server.connection.resets()
    assert client.transport.is_aborted

    world.threads.work()
    world.settle()
    assert client.receives() == b""


def test_a_slow_reader_holds_the_backend_back(world: World, client: Peer, server: Server) -> None:
    noise = random.Random(2).randbytes(200_000)
    client.stops_reading()
    client.sends(GZIP)
    connection = server.connection
    connection.sends(counted(noise)[:100_000])
    assert world.threads.done == 1
    assert not connection.transport.is_reading()  # though no thread works

    client.reads_on()
    assert connection.transport.is_reading()
    connection.sends(counted(noise)[100_000:])
    client.reads_on()
    assert decoded("gzip", unchunked(body_of(client.receives()))) == noise


def test_a_reader_that_goes_on_does_not_let_the_backend_go_on_before_the_thread(
    world: World, client: Peer, server: Server
) -> None:
    noise = random.Random(2).randbytes(300_000)
    client.stops_reading()
    client.sends(GZIP)
    connection = server.connection
    connection.sends(counted(noise)[:60_000])
    assert connection.transport.is_reading()
    world.threads.is_slow = True
    connection.sends(counted(noise)[60_000:100_000])
    client.protocol.pause_writing()
    client.protocol.resume_writing()
    assert not connection.transport.is_reading()

    world.threads.work()
    world.settle()
    client.reads_on()
    assert connection.transport.is_reading()


def test_an_encoder_that_fails_breaks_the_answer_off(world: World, client: Peer, server: Server) -> None:
    told: list[object] = []
    world.loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    world.threads.is_slow = True
    client.sends(GZIP)
    server.connection.sends(counted(LONG)[:40_000])

    ((future, _),) = world.threads.waiting
    world.threads.waiting.clear()
    future.set_exception(MemoryError())
    world.settle()

    assert [type(error) for error in told] == [MemoryError]
    assert not server.connection.is_open
    assert client.transport.is_aborted


@pytest.mark.parametrize("fate", ["answered", "elsewhere", "left", "cut short"])
def test_an_exchange_that_is_compressed_leaves_nothing_to_collect(
    world: World, client: Peer, server: Server, fate: str
) -> None:
    gc.collect()
    gc.disable()
    try:
        world.threads.is_slow = fate != "answered"
        client.sends(GZIP)
        server.connection.sends(counted(LONG)[:40_000])
        if fate == "left":
            client.leaves()
        elif fate == "cut short":
            server.connection.resets()
        else:
            server.connection.sends(counted(LONG)[40_000:])
        for _ in range(2):
            world.threads.work()
            world.settle()
        exchanges = [one for one in gc.get_objects() if isinstance(one, Exchange)]
        assert [one for one in exchanges if one.downstream is client.protocol] == []
    finally:
        gc.enable()


def test_real_threads_do_one_job_after_the_other() -> None:
    async def ask() -> list[bytes]:
        threads = EncodingThreads(asyncio.get_running_loop())
        jobs = [threads.run(lambda number=number: b"%d" % number) for number in range(4 * MAX_THREADS)]
        return await asyncio.gather(*jobs)

    assert asyncio.run(ask()) == [b"%d" % number for number in range(4 * MAX_THREADS)]
