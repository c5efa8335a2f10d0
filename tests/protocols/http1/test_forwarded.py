"""What backends are told about the client."""

import pytest

from kairos.protocols.http1.forwarded import acceptable_request_id, forwarded_line, tells_https, told_lines, via_line


def test_the_x_forwarded_fields() -> None:
    assert told_lines(b"203.0.113.9, 10.0.0.1", b"https", b"example.com") == (
        b"X-Forwarded-For: 203.0.113.9, 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: example.com\r\n"
    )
    assert told_lines(b"", b"http", b"a") == b"X-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n"
    assert told_lines(b"::1", b"http", b"") == b"X-Forwarded-For: ::1\r\nX-Forwarded-Proto: http\r\n"


def test_https_is_what_the_scheme_says_and_nothing_else() -> None:
    pretended = b"X-Forwarded-Proto: https"
    for chain in (b"", b"192.0.2.1"):
        assert tells_https(told_lines(chain, b"https", b"a"))
        assert not tells_https(told_lines(chain, b"http", pretended))
    assert not tells_https(told_lines(pretended, b"http", b""))


@pytest.mark.parametrize(
    ("earlier", "peer", "host", "value"),
    [
        (None, "192.0.2.1", b"a.test:80", b'for=192.0.2.1;proto=http;host="a.test:80"'),
        (None, "2001:db8::1", b"", b'for="[2001:db8::1]";proto=http'),
        (b"for=203.0.113.9", "10.0.0.1", b"", b"for=203.0.113.9, for=10.0.0.1;proto=http"),
        (None, "", b"", b"for=unknown;proto=http"),
    ],
)
def test_the_forwarded_field(earlier: bytes | None, peer: str, host: bytes, value: bytes) -> None:
    assert forwarded_line(earlier, peer, b"http", host) == b"Forwarded: " + value + b"\r\n"


def test_via_names_the_gateway_if_it_has_a_name() -> None:
    assert via_line("edge") == b"Via: 1.1 edge\r\n"
    assert via_line(None) == b""


@pytest.mark.parametrize("value", [b"3f1c8f0a-9a6b-4d0e", b"Root=1-67891233-abcdef012345678912345678", b"x" * 128])
def test_ids_that_are_passed_on(value: bytes) -> None:
    assert acceptable_request_id(value) == value


@pytest.mark.parametrize("value", [None, b"", b"a b", b'a"b', b"x" * 129, b"a, b", b"\xff"])
def test_ids_that_are_made_anew(value: bytes | None) -> None:
    assert acceptable_request_id(value) is None
