"""Who is at the other end of a client connection, and what backends are told about it."""

from dataclasses import dataclass

from kairos.config.document import Settings
from kairos.protocols.http1.fields import FORWARDED_FACTS, REQUEST_ID
from kairos.protocols.http1.forwarded import acceptable_request_id, forwarded_line, told_lines, via_line
from kairos.protocols.http1.head import RequestHead
from kairos.security.peers import TrustedPeers

_SCHEMES = (b"http", b"https")


@dataclass(frozen=True, slots=True, eq=False)
class Forwarding:
    """What one config generation says about forwarded fields."""

    peers: TrustedPeers
    with_forwarded: bool
    via: bytes

    @classmethod
    def of(cls, settings: Settings) -> "Forwarding":
        """Make it from the settings."""
        return cls(TrustedPeers(settings.trusted_proxies), settings.forwarded, via_line(settings.via))


class Client:
    """The peer of one connection, under one generation's rules."""

    __slots__ = ("_certificate", "_forwarding", "_host", "_lines", "_scheme", "address", "is_trusted")

    def __init__(
        self, forwarding: Forwarding, address: str, scheme: bytes = b"http", certificate: bytes = b""
    ) -> None:
        """`certificate` are the lines about the one that the peer has shown."""
        self.address = address
        self._certificate = certificate
        self.is_trusted = forwarding.peers.trusts(address)
        self._forwarding = forwarding
        self._scheme = scheme
        self._host: bytes | None = None
        self._lines = b""

    def lines(self, host: bytes) -> bytes:
        """Return what backends are told of a client that is its own witness. Most requests name the same host."""
        if host != self._host:
            self._host = host
            self._lines = self._written(None, None, self._scheme, host, host)
        return self._lines

    def told(self, head: RequestHead) -> tuple[str, bytes, bytes | None]:
        """Return what a trusted peer says: the client's address, the lines for backends, and the request's id."""
        chain, scheme, host, forwarded = FORWARDED_FACTS.values(head.raw)
        (request_id,) = REQUEST_ID.values(head.raw)
        if scheme not in _SCHEMES:
            scheme = self._scheme
        lines = self._written(chain, forwarded, scheme, host or head.host, head.host)
        return self._forwarding.peers.client(self.address, chain), lines, acceptable_request_id(request_id)

    def _written(
        self, chain: bytes | None, forwarded: bytes | None, scheme: bytes, told_host: bytes, host: bytes
    ) -> bytes:
        peer = self.address.encode()  # empty on a Unix socket
        addresses = b", ".join(filter(None, (chain, peer)))
        lines = told_lines(addresses, scheme, told_host)
        if self._forwarding.with_forwarded:
            lines += forwarded_line(forwarded, self.address, self._scheme, host)
        return lines + self._forwarding.via + self._certificate
