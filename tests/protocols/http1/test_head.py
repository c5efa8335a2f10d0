"""The heads of messages: what they mean, and what is refused."""

import sys

import pytest

from kairos.errors import BadRequest, UpstreamError
from kairos.protocols.http1.head import (
    CHUNKED,
    UNTIL_CLOSE,
    RequestHead,
    ResponseHead,
    is_host,
)


def read_request(raw: bytes) -> RequestHead:
    """Read a request as a connection does."""
    return RequestHead(raw)


def request(line: bytes = b"GET / HTTP/1.1", *fields: bytes, host: bytes | None = b"example.com") -> RequestHead:
    lines = [line, *([b"Host: " + host] if host is not None else []), *fields, b"", b""]
    return read_request(b"\r\n".join(lines))


def read_response(raw: bytes, to_head: bool = False) -> ResponseHead:
    """Read a response as a connection does."""
    return ResponseHead(raw, to_head)


def response(line: bytes = b"HTTP/1.1 200 OK", *fields: bytes, to_head: bool = False) -> ResponseHead:
    return read_response(b"\r\n".join([line, *fields, b"", b""]), to_head)


# Requests.


def test_a_request_tells_what_it_asks_of_whom() -> None:
    head = request(b"PUT /a/b?c=d HTTP/1.1", b"Content-Length: 5", b"Connection: Upgrade")

    assert (head.method, head.target, head.host) == (b"PUT", b"/a/b?c=d", b"example.com")
    assert (head.body_length, head.connection, head.is_http11, head.keep_alive) == (5, b"Upgrade", True, True)


@pytest.mark.parametrize(
    "host",
    [b"a", b"example.com:8080", b"EXAMPLE.com", b"192.0.2.1", b"[::1]", b"[2001:db8::1]:80", b"a:", b"x_y.z~", b"%41"],
)
def test_one_host_is_accepted(host: bytes) -> None:
    assert request(host=host).host == host


@pytest.mark.parametrize(
    "host", [b"", b"a b", b"a, b", b"a:port", b"a:123456", b"u@a", b"a/b", b"[::1", b"::1", b"a?b", b'"a"', b"\xe4"]
)
def test_another_host_is_refused(host: bytes) -> None:
    assert not is_host(host)
    with pytest.raises(BadRequest) as refused:
        request(host=host)
    assert (refused.value.status, refused.value.reason) == (400, "host_invalid")


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"GET / HTTP/1.0", b"GET http://a/ HTTP/1.1"])
@pytest.mark.parametrize("second", [b"a", b"b"])
def test_two_hosts_are_refused_even_if_equal_or_replaced(line: bytes, second: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        request(line, b"Host: " + second, host=b"a")
    assert refused.value.reason == "host_invalid"


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"GET http://a/ HTTP/1.1"])
def test_http11_needs_a_host(line: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        request(line, host=None)
    assert (refused.value.status, refused.value.reason) == (400, "host_missing")


def test_http10_needs_no_host() -> None:
    assert request(b"GET / HTTP/1.0", host=None).host == b""
    assert request(b"GET / HTTP/1.0", host=b"a").host == b"a"


@pytest.mark.parametrize(
    ("target", "host", "origin_form"),
    [
        (b"http://other:81/a?b", b"other:81", b"/a?b"),
        (b"HTTPS://other", b"other", b"/"),
        (b"http://other?q", b"other", b"/?q"),
        (b"http://[::1]/", b"[::1]", b"/"),
    ],
)
def test_the_authority_of_an_absolute_target_replaces_the_host(target: bytes, host: bytes, origin_form: bytes) -> None:
    head = request(b"GET %b HTTP/1.1" % target)

    assert (head.target, head.host) == (origin_form, host)
    assert request(b"GET %b HTTP/1.0" % target, host=None).host == host


@pytest.mark.parametrize("target", [b"http:///a", b"http://u:p@a/", b"http://a:b:c/"])
def test_an_absolute_target_needs_a_valid_authority(target: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        request(b"GET %b HTTP/1.1" % target)
    assert refused.value.reason == "host_invalid"


@pytest.mark.parametrize("line", [b"GET ftp://a/ HTTP/1.1", b"GET * HTTP/1.1"])
def test_other_targets_are_refused(line: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        request(line)
    assert (refused.value.status, refused.value.reason) == (400, "bad_target")


def test_the_asterisk_asks_about_the_gateway() -> None:
    assert request(b"OPTIONS * HTTP/1.1").target == b"*"


def test_tunnels_are_not_opened() -> None:
    with pytest.raises(BadRequest) as refused:
        request(b"CONNECT a:443 HTTP/1.1", host=b"a:443")
    assert (refused.value.status, refused.value.reason) == (501, "tunnel_refused")


@pytest.mark.parametrize("line", [b"GET / HTTP/1.2", b"GET / HTTP/2.0", b"PRI * HTTP/2.0", b"GET / HTTP/0.9"])
def test_other_versions_are_refused(line: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        request(line)
    assert (refused.value.status, refused.value.reason) == (505, "version_unsupported")


@pytest.mark.parametrize(
    ("te", "takes"), [(b"trailers", True), (b"gzip, Trailers", True), (b"gzip", False), (b"", False)]
)
def test_who_takes_trailers(te: bytes, takes: bool) -> None:
    assert request(b"GET / HTTP/1.1", b"TE: " + te).takes_trailers is takes
    assert not request(b"GET / HTTP/1.0", b"TE: " + te).takes_trailers


def test_only_100_continue_can_be_expected() -> None:
    assert request(b"GET / HTTP/1.1", b"Expect: 100-Continue").body_length == 0
    assert request(b"GET / HTTP/1.0", b"Expect: anything").body_length == 0  # RFC 9110 section 10.1.1: ignored
    with pytest.raises(BadRequest) as refused:
        request(b"GET / HTTP/1.1", b"Expect: 200-ok")
    assert (refused.value.status, refused.value.reason) == (417, "expectation_unknown")


@pytest.mark.parametrize(
    ("version", "connection", "keeps_alive"),
    [
        (b"1.1", None, True),
        (b"1.1", b"keep-alive", True),
        (b"1.1", b"close", False),
        (b"1.1", b"Keep-Alive, CLOSE", False),
        (b"1.1", b"closed, Upgrade", True),
        (b"1.0", None, False),
        (b"1.0", b"close", False),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"keep-alive, close", False),
        (b"1.0", b"upgrade", False),
    ],
)
def test_who_keeps_the_connection(version: bytes, connection: bytes | None, keeps_alive: bool) -> None:
    fields = [b"Connection: " + connection] if connection is not None else []

    assert request(b"GET / HTTP/" + version, *fields).keep_alive is keeps_alive
    assert response(b"HTTP/%b 200 OK" % version, b"Content-Length: 0", *fields).keep_alive is keeps_alive


def test_several_connection_lines_are_one_list() -> None:
    assert not request(b"GET / HTTP/1.1", b"Connection: x", b"Connection: close").keep_alive


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ([], 0),
        ([b"Content-Length: 0"], 0),
        ([b"content-LENGTH:  42 "], 42),
        ([b"Content-Length: 18446744073709551615"], sys.maxsize),
        ([b"Transfer-Encoding: chunked"], CHUNKED),
        ([b"transfer-encoding: Chunked"], CHUNKED),
    ],
)
def test_how_long_the_body_of_a_request_is(fields: list[bytes], length: int) -> None:
    assert request(b"POST / HTTP/1.1", *fields).body_length == length


def test_only_the_chunked_coding_is_known() -> None:
    with pytest.raises(BadRequest) as refused:
        request(b"POST / HTTP/1.1", b"Transfer-Encoding: gzip, chunked")
    assert (refused.value.status, refused.value.reason) == (501, "transfer_encoding_unknown")


def test_http10_has_no_transfer_coding() -> None:
    with pytest.raises(BadRequest) as refused:
        request(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked")
    assert (refused.value.status, refused.value.reason) == (400, "transfer_encoding_http10")


@pytest.mark.parametrize(
    "fields",
    [
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
        [b"Content-Length: 5", b"Content-Length: 5"],
        [b"Content-Length: 5", b"Content-Length: 6"],
        [b"Content-Length: 5, 5"],
        [b"Content-Length: +5"],
        [b"Content-Length: -5"],
        [b"Content-Length: 0x5"],
        [b"Content-Length: 5 5"],
        [b"Content-Length:"],
        [b"Content-Length: 18446744073709551616"],
        [b"Transfer-Encoding:"],
        [b"Transfer-Encoding: chunked, gzip"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding : chunked"],
        [b"A: b", b" folded"],
        [b"A : b"],
        [b": b"],
        [b"no colon"],
        [b"A: \x00"],
        [b"A: \x01"],
        [b"A: b\rc"],
        [b"A: b\nB: c"],
        [b"A\x80: b"],
    ],
)
def test_what_no_intermediary_may_forward_is_refused(fields: list[bytes]) -> None:
    with pytest.raises(BadRequest) as refused:
        request(b"POST / HTTP/1.1", *fields)
    assert (refused.value.status, refused.value.reason) == (400, "malformed_request")


@pytest.mark.parametrize(
    "line",
    [
        b"GET /",
        b"GET ",
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET /a b HTTP/1.1",
        b"GET / HTTP/1,1",
        b"GET / http/1.1",
        b"GET /\x80 HTTP/1.1",
        b"GET /\x01 HTTP/1.1",
        b"OPTIONS / RTSP/1.0",
        b"SOURCE / ICE/1.0",
    ],
)
@pytest.mark.parametrize("host", [b"a", None])
def test_a_malformed_request_line_is_refused(line: bytes, host: bytes | None) -> None:
    with pytest.raises(BadRequest) as refused:
        request(line, host=host)
    assert (refused.value.status, refused.value.reason) == (400, "malformed_request")


@pytest.mark.parametrize("line", [b"get / HTTP/1.1", b"BREW / HTTP/1.1", b"GET", b"HTTP/1.1 200 OK"])
def test_an_unknown_method_is_refused(line: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        request(line)
    assert (refused.value.status, refused.value.reason) == (501, "method_unknown")


@pytest.mark.parametrize("line", [b"GET / HTTP/0.9", b"GET / HTTP/2.0", b"PRI * HTTP/2.0"])
def test_another_version_is_refused(line: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        request(line, host=None)
    assert (refused.value.status, refused.value.reason) == (505, "version_unsupported")


def test_a_wish_to_change_protocols_is_a_valid_request() -> None:
    head = request(b"GET / HTTP/1.1", b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 3")

    assert (head.body_length, head.keep_alive) == (3, True)


# Responses: RFC 9112 section 6.3, and whether the connection lasts.


@pytest.mark.parametrize(
    ("line", "fields", "length", "keeps_alive"),
    [
        (b"HTTP/1.1 200 OK", [b"Content-Length: 5"], 5, True),
        (b"HTTP/1.1 200 OK", [b"Transfer-Encoding: chunked"], CHUNKED, True),
        (b"HTTP/1.1 200 OK", [b"Transfer-Encoding: CHUNKED"], CHUNKED, True),
        (b"HTTP/1.1 200 OK", [], UNTIL_CLOSE, False),
        (b"HTTP/1.1 200 OK", [b"Connection: keep-alive"], UNTIL_CLOSE, False),
        (b"HTTP/1.0 200 OK", [b"Connection: keep-alive", b"Content-Length: 5"], 5, True),
        (b"HTTP/1.0 200 OK", [b"Connection: keep-alive", b"Transfer-Encoding: chunked"], CHUNKED, False),
        (b"HTTP/1.1 204 No Content", [], 0, True),
        (b"HTTP/1.1 204 No Content", [b"Content-Length: 5"], 0, True),
        (b"HTTP/1.1 304 Not Modified", [b"Content-Length: 5"], 0, True),
        (b"HTTP/1.1 304 Not Modified", [b"Transfer-Encoding: chunked"], 0, True),
        (b"HTTP/1.1 100 Continue", [], 0, True),
        (b"HTTP/1.1 103 Early Hints", [b"Link: </a>"], 0, True),
        (b"HTTP/1.1 404 Not Found", [b"Content-Length: 0", b"Connection: close"], 0, False),
        (b"HTTP/1.1 200", [b"Content-Length: 1"], 1, True),
        (b"HTTP/1.1 200 ", [b"Content-Length: 1"], 1, True),
        (b"HTTP/1.1 999 Request denied", [b"Content-Length: 1"], 1, True),
    ],
)
def test_how_long_the_body_of_a_response_is(line: bytes, fields: list[bytes], length: int, keeps_alive: bool) -> None:
    head = response(line, *fields)

    assert (head.body_length, head.keep_alive) == (length, keeps_alive)
    assert head.status == int(line[9:12])


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Date: x"])
def test_an_answer_to_head_has_no_body(field: bytes) -> None:
    head = response(b"HTTP/1.1 200 OK", field, to_head=True)

    assert (head.body_length, head.keep_alive) == (0, True)


def test_a_response_tells_whether_it_is_dated() -> None:
    assert response(b"HTTP/1.1 200 OK", b"date: Thu, 01 Jan 1970 00:00:00 GMT").has_date
    assert not response(b"HTTP/1.1 200 OK", b"X-Date: x").has_date


def test_another_coding_of_a_response_is_refused() -> None:
    for coding in (b"gzip", b"gzip, chunked"):
        with pytest.raises(UpstreamError) as failed:
            response(b"HTTP/1.1 200 OK", b"Transfer-Encoding: " + coding)
        assert (failed.value.status, failed.value.reason) == (502, "upstream_transfer_encoding")


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"HTTP/0.9 200 OK\r\n\r\n",
        b"HTTP/1.2 200 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 000 No\r\n\r\n",
        b"HTTP/1.1 099 No\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 +20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
    ],
)
def test_a_malformed_response_is_refused(raw: bytes) -> None:
    with pytest.raises(UpstreamError) as failed:
        read_response(raw)
    assert (failed.value.status, failed.value.reason) == (502, "malformed_response")


def test_a_change_of_protocols_is_a_valid_response() -> None:
    assert response(b"HTTP/1.1 101 Switching Protocols", b"Connection: upgrade", b"Upgrade: x").status == 101


@pytest.mark.parametrize(
    ("text", "length"),
    [
        (b"0" * 5000, 0),
        (b"0" * 5000 + b"5", 5),
        (b"999999999999999999", 10**18 - 1),
        (b"9223372036854775806", sys.maxsize - 1),
        (b"9223372036854775808", sys.maxsize),
    ],
)
def test_a_length_may_have_any_number_of_digits(text: bytes, length: int) -> None:
    assert request(b"POST / HTTP/1.1", b"Content-Length: " + text).body_length == length
    assert response(b"HTTP/1.1 200 OK", b"Content-Length: " + text).body_length == length
