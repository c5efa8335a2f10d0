"""The heads that go out, byte for byte."""

import pytest

from kairos.protocols.http1.fields import USUAL_COPIES
from kairos.protocols.http1.forwarded import told_lines
from kairos.protocols.http1.head import RequestHead, ResponseHead
from kairos.protocols.http1.serialize import host_line, interim_head, local_head, request_head, response_head


def to_backend(*lines: bytes, target: bytes = b"/internal?q", trusted: bool = False) -> bytes:
    head = RequestHead(b"\r\n".join([*lines, b"", b""]))
    told = told_lines(b"192.0.2.1", b"http", head.host)
    usual = USUAL_COPIES.trusted_request if trusted else USUAL_COPIES.request
    return request_head(head, target, host_line(b"backend:8080"), told, b"an-id", usual)


def to_client(*lines: bytes, own_lines: bytes = b"", to_head: bool = False) -> bytes:
    return response_head(ResponseHead(b"\r\n".join([*lines, b"", b""]), to_head), (own_lines, b"\r\n"), USUAL_COPIES)


def test_a_backend_gets_the_fields_that_are_for_it_and_what_we_vouch_for() -> None:
    written = to_backend(
        b"GET /external?q HTTP/1.1",
        b"Host: example.com",
        b"User-Agent: test",
        b"Cookie: a=1",
        b"cookie: b=2",
        b"X-CaSe:  as is ",
        b"Connection: keep-alive, X-Mine",
        b"X-Mine: hop by hop",
        b"Keep-Alive: timeout=5",
        b"Upgrade: h2c",
        b"TE: trailers",
        b"Proxy-Authorization: Basic x",
        b"X-Forwarded-For: 203.0.113.9",
        b"X_Forwarded_For: 203.0.113.9",
        b"X-Request-ID: forged",
        b"Authorization: Bearer x",
    )

    assert written == (
        b"GET /internal?q HTTP/1.1\r\n"
        b"Host: backend:8080\r\n"
        b"User-Agent: test\r\n"
        b"Cookie: a=1\r\n"
        b"cookie: b=2\r\n"
        b"X-CaSe:  as is \r\n"
        b"Authorization: Bearer x\r\n"
        b"X-Forwarded-For: 192.0.2.1\r\n"
        b"X-Forwarded-Proto: http\r\n"
        b"X-Forwarded-Host: example.com\r\n"
        b"TE: trailers\r\n"
        b"Connection: TE\r\n"
        b"X-Request-ID: an-id\r\n"
        b"\r\n"
    )


@pytest.mark.parametrize("connection", [b"X-Forwarded-For", b"x-request-id, Host", b"X-Forwarded-Host"])
def test_a_client_cannot_name_away_what_we_vouch_for(connection: bytes) -> None:
    plain = to_backend(b"GET / HTTP/1.1", b"Host: a")

    assert to_backend(b"GET / HTTP/1.1", b"Host: a", b"Connection: " + connection) == plain
    assert plain.count(b"X-Forwarded-For: 192.0.2.1\r\n") == 1


def test_a_request_without_host_has_no_forwarded_host() -> None:
    written = to_backend(b"GET / HTTP/1.0", b"Accept: */*", target=b"/")

    assert written == (
        b"GET / HTTP/1.1\r\nHost: backend:8080\r\nAccept: */*\r\n"
        b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Request-ID: an-id\r\n\r\n"
    )


def test_a_length_is_kept_and_chunks_are_announced_anew() -> None:
    by_length = to_backend(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 5", b"Connection: content-length")
    in_chunks = to_backend(b"POST / HTTP/1.1", b"Host: a", b"transfer-encoding: CHUNKED", b"Trailer: X-Sum")

    assert b"\r\nContent-Length: 5\r\n" in by_length
    assert b"Transfer-Encoding" not in by_length
    assert in_chunks.count(b"Transfer-Encoding: chunked\r\n") == 1
    assert b"CHUNKED" not in in_chunks


def test_a_client_gets_the_fields_that_are_for_it_and_our_lines() -> None:
    written = to_client(
        b"HTTP/1.0 200 Fine by me",
        b"Server: test",
        b"Set-Cookie: a=1",
        b"Connection: close, X-Hop",
        b"set-cookie: b=2",
        b"X-Hop: x",
        b"Keep-Alive: timeout=5",
        b"X-Request-ID: theirs",
        b"Content-Length: 5",
        b"X_Under: kept",
        own_lines=b"X-Request-ID: ours\r\n",
    )

    assert written == (
        b"HTTP/1.1 200 Fine by me\r\n"
        b"Server: test\r\n"
        b"Set-Cookie: a=1\r\n"
        b"set-cookie: b=2\r\n"
        b"Content-Length: 5\r\n"
        b"X_Under: kept\r\n"
        b"X-Request-ID: ours\r\n"
        b"\r\n"
    )


def test_the_framing_of_the_backend_is_not_passed_on() -> None:
    lines = (b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"A: b")

    assert to_client(*lines) == b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"


def test_answers_without_body_keep_the_length_only_where_it_means_something() -> None:
    assert b"Content-Length: 5" in to_client(b"HTTP/1.1 200 OK", b"Content-Length: 5", to_head=True)
    assert b"Content-Length: 5" in to_client(b"HTTP/1.1 304 Not Modified", b"Content-Length: 5")
    assert b"Content-Length" not in to_client(b"HTTP/1.1 204 No Content", b"Content-Length: 5")


def test_an_interim_answer_is_passed_on_without_hop_by_hop_fields() -> None:
    raw = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: y\r\nContent-Length: 3\r\n\r\n"

    assert interim_head(ResponseHead(raw, False)) == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


def test_a_local_answer() -> None:
    assert local_head(404, "application/json", 12, b"A: b\r\n") == (
        b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 12\r\nA: b\r\n\r\n"
    )
    assert local_head(499, "text/plain", 0, b"").startswith(b"HTTP/1.1 499 Unknown\r\n")


def test_a_trusted_peer_may_tell_the_port_and_a_client_may_not() -> None:
    lines = (b"GET / HTTP/1.1", b"Host: a", b"X-Forwarded-Port: 443", b"X-Real-IP: 198.51.100.7")

    assert b"X-Forwarded-Port: 443\r\nX-Real-IP: 198.51.100.7\r\n" in to_backend(*lines, trusted=True)
    assert b"443" not in to_backend(*lines)
    assert b"198.51.100.7" not in to_backend(*lines)


def test_who_takes_trailers_says_so_to_the_backend() -> None:
    written = to_backend(b"GET / HTTP/1.1", b"Host: a", b"TE: trailers, gzip;q=0.5", b"Connection: TE")

    assert b"gzip" not in written
    assert written.count(b"TE: trailers\r\nConnection: TE\r\n") == 1
