"""Whose word is believed: which peers are proxies of ours, and which client they speak for."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


UNIX_PEERS = "unix:"
"""What stands among networks for the peers on Unix sockets."""


class TrustedPeers:
    """The networks of the proxies before us, in CIDR notation; `unix:` is for all peers on Unix sockets."""

    __slots__ = ("_networks", "_trusts_unix")

    def __init__(self, networks: Sequence[str] = ()) -> None:
        self._trusts_unix = UNIX_PEERS in networks
        self._networks = tuple(ipaddress.ip_network(network) for network in networks if network != UNIX_PEERS)

    def trusts(self, address: str) -> bool:
        """Say whether this peer is believed. One on a Unix socket has an empty address."""
        if not address:
            return self._trusts_unix
        parsed = parsed_address(address) if self._networks else None
        return parsed is not None and self._contains(parsed)

    def client(self, peer: str, chain: bytes | None) -> str:
        """Return the address of the client for whom a trusted peer speaks.

        `chain` is the value of X-Forwarded-For. Each proxy has appended the one that it heard from, so the chain is
        read from the right, and the first address that is not a proxy of ours is the client. What stands left of that,
        or of something that is no address, anybody may have written.
        """
        client = peer
        for item in reversed(chain.split(b",")) if chain else ():
            parsed = parsed_address(item.strip(b" \t").decode("latin-1"))
            if parsed is None:
                break
            client = str(parsed)
            if not self._contains(parsed):
                break
        return client

    def _contains(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def peer_address(name: object) -> str:
    """Return the address in what a socket says of its peer; it is empty for one on a Unix socket."""
    return plain_address(str(name[0])) if isinstance(name, tuple) else ""


def plain_address(text: str) -> str:
    """Return the IPv4 address of a peer that a socket for both versions shows as IPv6, and any other as it is."""
    return text.removeprefix("::ffff:") if "." in text else text


@lru_cache(maxsize=4096)
def parsed_address(text: str) -> Address | None:
    """Read an address, also one with a port or in brackets; None for anything else. IPv4 in IPv6 becomes IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
