"""A connection to a backend: how responses are read."""

import pytest

from kairos.proxy.upstream import CLOSE_SECONDS
from kairos.shm import layout
from tests.proxy.messages import GET, LARGE, LARGEST_HEAD, LATE, OK, OK_SENT, PUT, RESPONSES, error_of, unchunked
from tests.proxy.world import Peer, Server, World, body_of, masked, status_of

# Responses, RFC 9112 section 6.3.


@pytest.mark.parametrize("framing", RESPONSES)
def test_a_response_may_be_cut_anywhere(world: World, server: Server, framing: str) -> None:
    message = RESPONSES[framing]
    cuts = [[message[:i], message[i:]] for i in range(1, len(message))]
    cuts.append([message[i : i + 1] for i in range(len(message))])
    heads = set()

    for pieces in cuts:
        client = world.client()
        client.sends(GET)
        server.connection.sends(*pieces)
        if framing == "close":
            server.connection.leaves()

        answer = masked(client.receives())
        if framing == "interim":
            assert answer == b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK_SENT
        else:
            head, _, body = answer.partition(b"\r\n\r\n")
            heads.add(head)
            assert (body if framing == "length" else unchunked(body)) == b"hello\r\n\r\nyou"
        assert client.is_open

    assert len(heads) <= 1
    assert len(server.connections) == (len(cuts) if framing == "close" else 1)


def test_a_response_without_length_is_chunked_for_a_new_client_and_ends_with_the_connection_of_an_old_one(
    world: World, server: Server
) -> None:
    for framing in ("chunked", "close"):
        new, old = world.client(), world.client()
        for client, request in ((new, GET), (old, b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")):
            client.sends(request)
            server.connection.sends(RESPONSES[framing])
            server.connection.leaves()

        answer = new.receives()
        assert answer.count(b"Transfer-Encoding: chunked\r\n") == 1
        assert answer.endswith(b"0\r\n\r\n")
        assert new.is_open
        answer = old.receives()
        assert b"Transfer-Encoding" not in answer
        assert b"Connection: close\r\n" in answer
        assert body_of(answer) == b"hello\r\n\r\nyou"
        assert not old.is_open


def test_the_head_goes_out_before_there_is_a_body(client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    assert b"text/event-stream" in client.receives()

    server.connection.sends(b"data: 1\n\n")
    assert client.receives() == b"9\r\ndata: 1\n\n\r\n"


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_a_response_may_have_no_body(client: Peer, server: Server, status: bytes) -> None:
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 " + status + b"\r\n\r\n")
    assert status_of(client.receives()) == int(status[:3])

    client.sends(GET)
    assert len(server.connections) == 1


def test_a_status_beyond_599_is_passed_on_and_counted_as_an_error(world: World, client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 999 Denied\r\nContent-Length: 0\r\n\r\n")

    assert status_of(client.receives()) == 999
    assert world.responses() == [0, 0, 0, 0, 1]
    assert world.count(layout.UPSTREAM_FAILURES) == 0


def test_a_response_keeps_its_date_or_gets_one(client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 200 OK\r\nDate: today\r\nContent-Length: 0\r\n\r\n")
    assert client.receives().count(b"Date: ") == 1

    client.sends(GET)
    server.connection.sends(OK)
    assert client.receives().count(b"Date: ") == 1


# Interim answers, RFC 9110 section 15.2.


def test_a_client_that_waits_for_100_gets_it(client: Peer, server: Server) -> None:
    client.sends(b"POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    assert b"Expect: 100-continue\r\n" in server.connection.receives()

    server.connection.sends(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert client.receives() == b"HTTP/1.1 100 Continue\r\n\r\n"

    client.sends(b"body")
    assert server.connection.receives() == b"body"
    server.connection.sends(OK)
    assert masked(client.receives()) == OK_SENT


def test_an_old_client_gets_no_interim_answers(client: Peer, server: Server) -> None:
    client.sends(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    server.connection.sends(RESPONSES["interim"])

    assert client.receives().count(b"HTTP/1.1 ") == 1


def test_any_number_of_interim_answers_may_come_at_once(client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 102 Processing\r\n\r\n" * 5000 + OK)

    assert masked(client.receives()).endswith(OK_SENT)


def test_a_change_of_protocols_that_nobody_asked_for_is_refused(client: Peer, server: Server) -> None:
    client.sends(b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert b"Upgrade" not in server.connection.receives()

    server.connection.sends(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")

    answer = client.receives()
    assert status_of(answer) == 502
    assert error_of(answer)["reason"] == "unexpected_upgrade"
    assert server.connection.transport.is_aborted


# Faults.


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"nonsense\r\n\r\n", "malformed_response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "malformed_response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "malformed_response"),
        (b"HTTP/1.1 099 No\r\n\r\n", "malformed_response"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "malformed_response"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "upstream_transfer_encoding"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * LARGEST_HEAD, "response_head_too_large"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * LARGEST_HEAD + b"\r\n\r\n", "response_head_too_large"),
    ],
)
def test_a_response_that_cannot_be_read_is_a_bad_gateway(
    world: World, client: Peer, server: Server, data: bytes, reason: str
) -> None:
    client.sends(GET)
    server.connection.sends(data)

    answer = client.receives()
    assert status_of(answer) == 502
    assert error_of(answer)["reason"] == reason
    assert error_of(answer)["type"] == "upstream"
    assert b"10.0.0.1" not in answer
    assert client.is_open
    assert server.connection.transport.is_aborted
    assert world.count(layout.UPSTREAM_FAILURES) == 1


@pytest.mark.parametrize("how", ["leaves", "resets"])
@pytest.mark.parametrize(
    ("begun", "reason"), [(b"", "closed_before_head"), (b"HTTP/1.1 200 OK\r\n", "response_cut_short")]
)
def test_a_backend_that_leaves_before_its_head_is_whole_is_a_bad_gateway(
    client: Peer, server: Server, begun: bytes, reason: str, how: str
) -> None:
    client.sends(GET)
    if begun:
        server.connection.sends(begun)

    getattr(server.connection, how)()

    answer = client.receives()
    assert status_of(answer) == 502
    assert error_of(answer)["reason"] == reason
    assert len(server.connections) == 1


@pytest.mark.parametrize("how", ["leaves", "resets"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_response_that_is_cut_short_breaks_the_client_off(
    world: World, client: Peer, server: Server, framing: str, how: str
) -> None:
    client.sends(GET)
    server.connection.sends(RESPONSES[framing][:-8])

    getattr(server.connection, how)()

    assert not client.receives().endswith(b"0\r\n\r\n")
    assert client.transport.is_aborted
    assert world.responses() == [0, 1, 0, 0, 0]


def test_a_reset_is_no_end_of_a_response_that_ends_with_the_connection(client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 200 OK\r\n\r\nhello")

    server.connection.resets()

    assert client.receives().endswith(b"5\r\nhello\r\n")
    assert client.transport.is_aborted


def test_broken_chunks_break_the_client_off(client: Peer, server: Server) -> None:
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", b"zz\r\n")

    assert client.receives().endswith(b"1\r\na\r\n")
    assert client.transport.is_aborted
    assert server.connection.transport.is_aborted


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_connection_that_says_more_than_its_response_is_not_used_again(
    client: Peer, server: Server, framing: str
) -> None:
    client.sends(GET)
    server.connection.sends(RESPONSES[framing] + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
    assert b"forged" not in client.receives()
    assert not server.connection.is_open

    client.sends(GET)
    assert len(server.connections) == 2


def test_an_early_answer_ends_both_connections(world: World, client: Peer, server: Server) -> None:
    client.sends(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nbegin")
    server.connection.sends(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    answer = client.receives()
    assert status_of(answer) == 403
    assert b"Connection: close\r\n" in answer
    assert client.transport.eof_written
    assert not server.connection.is_open


def test_a_backend_that_never_reads_does_not_keep_its_connection(world: World, client: Peer, server: Server) -> None:
    client.sends(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
    server.connection.stops_reading()
    client.sends(LARGE[:60_000])
    server.connection.sends(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    assert not server.connection.is_open
    assert not server.connection.is_lost

    world.pass_time(CLOSE_SECONDS + LATE)

    assert server.connection.is_lost


def test_a_connection_with_unsent_bytes_is_not_used_again(client: Peer, server: Server) -> None:
    client.sends(PUT[:-4])
    server.connection.stops_reading()
    client.sends(b"body")
    server.connection.sends(OK)
    assert masked(client.receives()) == OK_SENT

    client.sends(GET)
    assert len(server.connections) == 2


def test_more_of_a_body_for_a_connection_that_has_just_gone_harms_nobody(client: Peer, server: Server) -> None:
    """The socket is closed, but the loop has not told us yet."""
    client.sends(PUT[:-4])
    server.connection.sockets[0].close()

    client.sends(PUT[-4:])
    server.connection.sends(OK)

    assert masked(client.receives()) == OK_SENT
