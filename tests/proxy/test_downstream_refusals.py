"""A connection from a client: what is refused, and how."""

import pytest

from kairos.proxy.downstream import LINGER_SECONDS
from kairos.shm import layout
from tests.proxy.messages import GET, LARGEST_BODY, LARGEST_HEAD, LATE, MOST_FIELDS, OK, error_of
from tests.proxy.world import Peer, Server, World, status_of

LONG_LINE = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * LARGEST_HEAD
MANY_LINES = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * MOST_FIELDS + b"\r\n"


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400, "host_missing"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "host_invalid"),
        (b"GET /\r\n\r\n", 400, "malformed_request"),
        (b"nonsense\r\n\r\n", 501, "method_unknown"),
        (b"BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", 501, "method_unknown"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "transfer_encoding_unknown"),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "version_unsupported"),
        (LONG_LINE, 431, "request_head_too_large"),
        (LONG_LINE + b"\r\n\r\n", 431, "request_head_too_large"),
        (MANY_LINES, 431, "request_head_too_large"),
        (b"\x16\x03\x01 a TLS hello\r\n\r\n", 501, "method_unknown"),
    ],
)
def test_a_request_that_cannot_be_read_is_refused_and_the_connection_ends(
    world: World, client: Peer, server: Server, data: bytes, status: int, reason: str
) -> None:
    client.sends(data)

    answer = client.receives()
    assert status_of(answer) == status
    assert b"\r\nConnection: close\r\n" in answer
    assert error_of(answer)["reason"] == reason
    assert client.transport.eof_written
    assert server.connections == []
    assert world.responses() == [0, 0, 0, int(status < 500), int(status >= 500)]
    assert world.count(layout.LOCAL_REPLIES) == 1


def test_a_refusal_names_the_limit(client: Peer, world: World) -> None:
    client.sends(LONG_LINE)
    other = world.client()
    other.sends(MANY_LINES)

    assert str(LARGEST_HEAD) in error_of(client.receives())["error"]
    assert str(MOST_FIELDS) in error_of(other.receives())["error"]


def test_heads_up_to_the_limits_are_accepted(client: Peer, server: Server) -> None:
    most = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * (MOST_FIELDS - 1) + b"\r\n"
    longest = LONG_LINE[: LARGEST_HEAD - 4] + b"\r\n\r\n"

    for head in (most, longest):
        client.sends(head)
        server.connection.sends(OK)
        assert status_of(client.receives()) == 200


def test_nothing_that_follows_a_refused_request_is_read(world: World, client: Peer, server: Server) -> None:
    client.sends(b"GET / HTTP/1.1\r\n\r\n" + GET, GET)

    assert client.receives().count(b"HTTP/1.1 400") == 1
    assert server.connections == []
    assert world.count(layout.REQUESTS) == 1


def test_a_refused_client_has_a_moment_to_read_the_answer(world: World, client: Peer) -> None:
    client.sends(b"GET / HTTP/1.1\r\n\r\n")
    assert client.is_open

    client.sends(b"still sending")
    client.leaves()
    assert not client.is_open
    assert not client.transport.is_aborted

    other = world.client()
    other.sends(b"GET / HTTP/1.1\r\n\r\n")
    world.pass_time(LINGER_SECONDS + LATE)
    assert other.transport.is_aborted


@pytest.mark.parametrize("expects", [b"", b"Expect: 100-continue\r\n"])
def test_a_body_that_is_announced_too_large_is_refused(client: Peer, server: Server, expects: bytes) -> None:
    client.sends(b"POST /a HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\nbeg" % (expects, LARGEST_BODY + 1))

    answer = client.receives()
    assert status_of(answer) == 413
    assert error_of(answer)["type"] == "payload_too_large"
    assert str(LARGEST_BODY) in error_of(answer)["error"]
    assert client.transport.eof_written
    assert server.connections == []


def test_a_chunked_body_that_becomes_too_large_is_refused(world: World, client: Peer, server: Server) -> None:
    size = LARGEST_BODY // 10
    client.sends(b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(10):
        client.sends(b"%x\r\n" % size + b"x" * size + b"\r\n")
        server.connection.receives()
    assert client.receives() == b""

    client.sends(b"1\r\nx\r\n")

    assert status_of(client.receives()) == 413
    assert server.connection.transport.is_aborted
    assert world.responses() == [0, 0, 0, 1, 0]


@pytest.mark.parametrize("is_with_head", [True, False])
def test_a_malformed_chunk_is_refused(client: Peer, server: Server, is_with_head: bool) -> None:
    head, chunks = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"zz\r\n"

    client.sends(head + chunks) if is_with_head else client.sends(head, chunks)

    answer = client.receives()
    assert status_of(answer) == 400
    assert error_of(answer)["reason"] == "malformed_chunk"
    assert all(connection.transport.is_aborted for connection in server.connections)


def test_a_fault_in_the_body_breaks_off_an_answer_that_has_begun(world: World, client: Peer, server: Server) -> None:
    client.sends(b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
    assert client.receives().endswith(b"hel")

    client.sends(b"zz\r\n")

    assert client.receives() == b""
    assert client.transport.is_aborted
    assert server.connection.transport.is_aborted
    assert world.responses() == [0, 1, 0, 0, 0]


def test_a_local_reply_to_an_unfinished_request_ends_the_connection(world: World) -> None:
    client = world.client()

    client.sends(b"POST /lost HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nbegin")

    answer = client.receives()
    assert status_of(answer) == 404
    assert b"Connection: close\r\n" in answer
    assert client.transport.eof_written
