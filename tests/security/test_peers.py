"""Whose word is believed, and who the client is."""

import pytest

from kairos.security.peers import TrustedPeers, parsed_address, plain_address

PROXIES = TrustedPeers(("10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"))


@pytest.mark.parametrize("address", ["10.1.2.3", "192.0.2.7", "2001:db8::1", "::ffff:10.1.2.3"])
def test_peers_in_the_networks_are_trusted(address: str) -> None:
    assert PROXIES.trusts(address)


@pytest.mark.parametrize("address", ["11.0.0.1", "192.0.2.8", "2001:db9::1", "", "unix", "::ffff:11.0.0.1"])
def test_others_are_not(address: str) -> None:
    assert not PROXIES.trusts(address)


def test_nobody_is_trusted_without_networks() -> None:
    assert not TrustedPeers().trusts("127.0.0.1")


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        (None, "10.0.0.1"),
        (b"", "10.0.0.1"),
        (b"203.0.113.9", "203.0.113.9"),
        (b"198.51.100.1, 203.0.113.9", "203.0.113.9"),  # what stands left of the client, the client has written
        (b"198.51.100.1, 203.0.113.9, 10.9.9.9", "203.0.113.9"),
        (b"203.0.113.9,10.9.9.9 , 10.8.8.8", "203.0.113.9"),
        (b"10.9.9.9, 10.8.8.8", "10.9.9.9"),  # all are proxies: the one farthest away
        (b"203.0.113.9, nonsense, 10.9.9.9", "10.9.9.9"),
        (b"203.0.113.9:4711", "203.0.113.9"),
        (b"[2001:db9::5]:4711", "2001:db9::5"),
        (b"2001:db9::5", "2001:db9::5"),
        (b"203.0.113.9, ", "10.0.0.1"),
        (b"unknown", "10.0.0.1"),
    ],
)
def test_the_client_is_found_from_the_right(chain: bytes | None, client: str) -> None:
    assert PROXIES.client("10.0.0.1", chain) == client


@pytest.mark.parametrize("text", ["", "a", "1.2.3", "1.2.3.4.5", "1.2.3.256", "a:80", "[]", "-"])
def test_what_is_no_address(text: str) -> None:
    assert parsed_address(text) is None


@pytest.mark.parametrize(
    ("shown", "plain"),
    [("::ffff:192.0.2.1", "192.0.2.1"), ("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::1"), ("", "")],
)
def test_an_ipv4_peer_has_one_address(shown: str, plain: str) -> None:
    assert plain_address(shown) == plain
