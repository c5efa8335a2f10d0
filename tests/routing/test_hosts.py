"""Hosts are read as requests will carry them."""

import pytest

from kairos.routing.hosts import parse_host
from kairos.routing.pattern import PatternError


@pytest.mark.parametrize(
    ("text", "name", "is_wildcard"),
    [
        ("example.com", b"example.com", False),
        ("Example.COM", b"example.com", False),
        ("example.com.", b"example.com", False),
        ("localhost", b"localhost", False),
        ("192.0.2.1", b"192.0.2.1", False),
        ("xn--bcher-kva.example", b"xn--bcher-kva.example", False),
        ("[::1]", b"[::1]", False),
        ("[2001:DB8:0:0::1]", b"[2001:db8::1]", False),
        ("*.Example.com", b".example.com", True),
    ],
)
def test_a_host_is_kept_as_it_is_looked_up(text: str, name: bytes, is_wildcard: bool) -> None:
    assert parse_host(text) == (name, is_wildcard)


@pytest.mark.parametrize(
    ("text", "complaint", "advice"),
    [
        ("example.com:8080", "has a port", "leave it out"),
        ("::1", "has a port", "brackets"),
        ("[::1]:80", "not an IPv6 address", "[2001:db8::1]"),
        ("[::g]", "not an IPv6 address", "[2001:db8::1]"),
        ("bücher.example", "not ASCII", "xn--"),
        ("*", "not a host", "'*.'"),
        ("*example.com", "not a host", "'*.'"),
        ("a.*.com", "not a host", "'*.'"),
        ("*.*.com", "not a host", "'*.'"),
        ("", "not a host", "a name"),
        ("a..b", "not a host", "a name"),
        ("http//x", "not a host", "a name"),
    ],
)
def test_a_host_that_no_request_can_have_is_refused_with_a_fix(text: str, complaint: str, advice: str) -> None:
    with pytest.raises(PatternError) as refusal:
        parse_host(text)

    assert complaint in refusal.value.message
    assert advice in refusal.value.fix
