"""The PROXY protocol, versions 1 and 2: a proxy says at the start of a connection for whom it has opened it.

The sections named here are those of https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import NamedTuple

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LONGEST_V1 = 107
LONGEST = 4096  # of version 2, of which the length field would allow 64 KiB

_V1 = b"PROXY "
_V2_HEAD = Struct("!12sBBH")
_TLV_HEAD = Struct("!BH")
_PORTS = Struct("!HH")
_VERSION, _LOCAL, _PROXY = 0x20, 0x0, 0x1
_TCP4, _TCP6 = 0x11, 0x21
_WIDTHS = {0: 0, 1: 12, 2: 36, 3: 216}  # bytes of both addresses and ports, by family: none, IPv4, IPv6, Unix
_SSL, _CLIENT_SSL = 0x20, 0x01

LOCAL_V2 = _V2_HEAD.pack(SIGNATURE, _VERSION | _LOCAL, 0, 0)
"""What a proxy sends on a connection of its own, such as a health check."""


class ProxyHeaderError(ValueError):
    """What has come is no header of the PROXY protocol. The connection has to be closed (section 2)."""


class Endpoint(NamedTuple):
    """One end of a connection: an address in its shortest form, IPv4 as such, and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """What the proxy says. Without endpoints it speaks for itself, or does not know: those of its connection hold."""

    source: Endpoint | None = None
    """The client."""
    destination: Endpoint | None = None
    """Where the client has connected to."""
    is_secure: bool = False
    """Whether the client has spoken TLS to the proxy; version 1 cannot tell."""


UNKNOWN = ProxyHeader()


def parse(data: bytes) -> tuple[ProxyHeader, int] | None:
    """Read the header at the start of `data`; return it with its length, or None if it is not whole yet.

    Raises ProxyHeaderError as soon as it is known that no header comes.
    """
    if data.startswith(_V1):
        return _parse_v1(data)
    if data.startswith(SIGNATURE):
        return _parse_v2(data)
    if SIGNATURE.startswith(data) or _V1.startswith(data):
        return None
    raise ProxyHeaderError("no PROXY header")


def encode_v1(source: Endpoint | None, destination: Endpoint | None) -> bytes:
    """Write a header of version 1 (section 2.1). Without both endpoints it says that they are not known."""
    if source is None or destination is None:
        return b"PROXY UNKNOWN\r\n"
    here, there = _of_one_family(source, destination)
    family = f"TCP{here.version}"
    return f"PROXY {family} {here} {there} {source.port} {destination.port}\r\n".encode()


def encode_v2(source: Endpoint | None, destination: Endpoint | None) -> bytes:
    """Write a header of version 2 (section 2.2). Without both endpoints it says that they are not known."""
    if source is None or destination is None:
        return _V2_HEAD.pack(SIGNATURE, _VERSION | _PROXY, 0, 0)
    here, there = _of_one_family(source, destination)
    family = _TCP4 if here.version == 4 else _TCP6
    addresses = here.packed + there.packed + _PORTS.pack(source.port, destination.port)
    return _V2_HEAD.pack(SIGNATURE, _VERSION | _PROXY, family, len(addresses)) + addresses


def _parse_v1(data: bytes) -> tuple[ProxyHeader, int] | None:
    end = data.find(b"\r\n", 0, LONGEST_V1)
    if end < 0:
        if len(data) >= LONGEST_V1:
            raise ProxyHeaderError("a PROXY line that does not end")
        return None
    words = data[len(_V1) : end].split(b" ")
    if words[0] == b"UNKNOWN":
        return UNKNOWN, end + 2  # whatever follows on the line is to be ignored
    if len(words) != 5 or words[0] not in (b"TCP4", b"TCP6"):
        raise ProxyHeaderError("a PROXY line without two addresses and ports")
    kind = IPv4Address if words[0] == b"TCP4" else IPv6Address
    _, source, destination, source_port, destination_port = words
    header = ProxyHeader(
        Endpoint(_address(source, kind), _port(source_port)),
        Endpoint(_address(destination, kind), _port(destination_port)),
    )
    return header, end + 2


def _parse_v2(data: bytes) -> tuple[ProxyHeader, int] | None:
    if len(data) < _V2_HEAD.size:
        return None
    _, version, family, length = _V2_HEAD.unpack_from(data)
    if version not in (_VERSION | _LOCAL, _VERSION | _PROXY):
        raise ProxyHeaderError("a version or command of the PROXY protocol that does not exist")
    end = _V2_HEAD.size + length
    if end > LONGEST:
        raise ProxyHeaderError(f"a PROXY header of {end} bytes")
    if len(data) < end:
        return None
    if version == _VERSION | _LOCAL:
        return UNKNOWN, end
    width = _WIDTHS.get(family >> 4)
    if width is None or family & 0xF > 2:
        raise ProxyHeaderError("a family or transport of the PROXY protocol that does not exist")
    if length < width:
        raise ProxyHeaderError("a PROXY header that is too short for its addresses")
    body = data[_V2_HEAD.size : end]
    is_secure = _tells_tls(body[width:])
    if family not in (_TCP4, _TCP6):
        return ProxyHeader(is_secure=is_secure), end
    size = 4 if family == _TCP4 else 16
    source_port, destination_port = _PORTS.unpack_from(body, 2 * size)
    source = Endpoint(_shortest(ip_address(body[:size])), source_port)
    destination = Endpoint(_shortest(ip_address(body[size : 2 * size])), destination_port)
    return ProxyHeader(source, destination, is_secure), end


def _tells_tls(fields: bytes) -> bool:
    """Walk the additional fields of version 2 (section 2.2); say whether that of TLS (2.2.5) tells of it."""
    found, at = False, 0
    while at < len(fields):
        if at + _TLV_HEAD.size > len(fields):
            raise ProxyHeaderError("a PROXY header whose last field is cut off")
        kind, length = _TLV_HEAD.unpack_from(fields, at)
        at += _TLV_HEAD.size + length
        if at > len(fields):
            raise ProxyHeaderError("a PROXY header with a field that is longer than it")
        if kind == _SSL and length:
            found = bool(fields[at - length] & _CLIENT_SSL)
    return found


def _address(text: bytes, kind: type[IPv4Address] | type[IPv6Address]) -> str:
    try:
        if b"%" in text:
            raise ValueError  # a zone means nothing on another machine
        return _shortest(kind(text.decode("ascii")))
    except ValueError:
        raise ProxyHeaderError("a PROXY line with something that is no address") from None


def _port(text: bytes) -> int:
    is_plain = text.isdigit() and len(text) <= 5 and (text == b"0" or not text.startswith(b"0"))
    if not is_plain or int(text) > 0xFFFF:
        raise ProxyHeaderError("a PROXY line with something that is no port")
    return int(text)


def _shortest(address: IPv4Address | IPv6Address) -> str:
    return str(getattr(address, "ipv4_mapped", None) or address)


def _of_one_family(
    source: Endpoint, destination: Endpoint
) -> tuple[IPv4Address, IPv4Address] | tuple[IPv6Address, IPv6Address]:
    """Return both addresses; IPv4 stands in IPv6 if only one of them is (RFC 4291 section 2.5.5.2)."""
    here, there = (ip_address(end.host.partition("%")[0]) for end in (source, destination))
    if isinstance(here, IPv4Address) and isinstance(there, IPv4Address):
        return here, there
    return _as_ipv6(here), _as_ipv6(there)


def _as_ipv6(address: IPv4Address | IPv6Address) -> IPv6Address:
    return IPv6Address(f"::ffff:{address}") if isinstance(address, IPv4Address) else address
