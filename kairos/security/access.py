"""Access lists: which client addresses may come in."""

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from kairos.config import policies
from kairos.errors import KairosError, Side
from kairos.filters import Asked, LocalReply
from kairos.security.peers import parsed_address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Region = tuple[int, ...]
"""A set of numbers as the points where it begins, ends, begins again and so on."""

MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")  # RFC 4291 section 2.5.5.2


class AccessDenied(KairosError):
    """The address of the client is kept out."""

    kind = "access_denied"
    side = Side.DOWNSTREAM
    status = 403


class AccessControl:
    """Let a client in if every list does: no network of `deny` has its address, and one of `allow` has if there is any.

    The lists are made into one set of numbers per version of IP, so that their length hardly matters. IPv4 addresses in
    IPv6 count as what they are. What is no address comes in nowhere.
    """

    __slots__ = ("_admitted4", "_admitted6")

    def __init__(self, lists: Sequence[policies.AccessList]) -> None:
        self._admitted4 = admitted(lists, 4)
        self._admitted6 = admitted(lists, 6)

    def admits(self, client: str) -> bool:
        """Say whether this address may come in."""
        address = parsed_address(client)
        if address is None:
            return False
        return contains(self._admitted4 if address.version == 4 else self._admitted6, int(address))

    def take(self, asked: Asked) -> LocalReply | None:
        """Answer 403 to who may not come in."""
        if self.admits(asked.client):
            return None
        return LocalReply.refusal(AccessDenied("Access from this address is denied"))

    look = take


def admitted(lists: Sequence[policies.AccessList], version: int) -> Region:
    """Return the addresses of one version that every list lets in."""
    wanted = [region(one.allow, version) for one in lists if one.allow]
    unwanted = region([network for one in lists for network in one.deny], version)
    points: list[int] = []
    for point in sorted({0, *unwanted, *(point for one in wanted for point in one)}):
        is_in = all(contains(one, point) for one in wanted) and not contains(unwanted, point)
        if is_in != len(points) % 2:
            points.append(point)
    return tuple(points)


def region(networks: Iterable[str], version: int) -> Region:
    """Return all addresses of one version in some networks."""
    points: list[int] = []
    found = (network for text in networks if (network := canonical_network(text)).version == version)
    for network in ipaddress.collapse_addresses(found):  # type: ignore[type-var]  # they are of one version
        points += (int(network.network_address), int(network.broadcast_address) + 1)
    return tuple(points)


def contains(points: Region, number: int) -> bool:
    """Say whether a number is in a region."""
    return bisect_right(points, number) % 2 == 1


def canonical_network(text: str) -> Network:
    """Read a network; one of IPv4 addresses in IPv6 becomes one of IPv4."""
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(MAPPED):
        address = ipaddress.IPv4Address(int(network.network_address) & 0xFFFF_FFFF)
        return ipaddress.IPv4Network((address, network.prefixlen - MAPPED.prefixlen))
    return network
