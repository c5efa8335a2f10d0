"""The change from HTTP to another protocol (RFC 9110 section 7.8), and WebSocket's handshake (RFC 6455 section 4)."""

import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha1

from kairos._speedups import FieldSet
from kairos.errors import BadRequest, MethodNotAllowed, UpstreamError
from kairos.protocols.http1.fields import tokens
from kairos.protocols.http1.head import RequestHead, ResponseHead

WEBSOCKET = b"websocket"
VERSION = b"13"
VERSION_LINE = b"Sec-WebSocket-Version: 13\r\n"
UPGRADE_LINES = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"

# What would carry requests past every policy of the gateway.
REFUSED = re.compile(rb"(?i)h2c|http(?:/.*)?|tls(?:/.*)?")

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")  # 16 bytes
_ASKED = FieldSet(
    (b"upgrade", b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-protocol", b"sec-websocket-extensions")
)
_AGREED = FieldSet((b"upgrade", b"sec-websocket-accept", b"sec-websocket-protocol", b"sec-websocket-extensions"))


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client would like to change to, and for WebSocket on which terms."""

    protocols: tuple[bytes, ...]
    """As the client writes them."""
    key: bytes | None = None
    version: bytes | None = None
    subprotocols: tuple[bytes, ...] = ()
    extensions: tuple[bytes, ...] = ()
    """Their names, in lower case."""

    @property
    def lines(self) -> bytes:
        """The header lines that make the offer to a backend."""
        return b"Connection: Upgrade\r\nUpgrade: %b\r\n" % b", ".join(self.protocols)

    @property
    def has_websocket(self) -> bool:
        """Whether WebSocket is among the protocols."""
        return any(one.lower() == WEBSOCKET for one in self.protocols)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a backend has chosen."""

    protocol: bytes
    has_extensions: bool = False

    @property
    def lines(self) -> bytes:
        """The header lines that tell the client."""
        return b"Connection: Upgrade\r\nUpgrade: %b\r\n" % self.protocol

    @property
    def is_websocket(self) -> bool:
        """Whether frames follow, and not just bytes."""
        return self.protocol.lower() == WEBSOCKET


class UpgradeRequired(BadRequest):
    """The route speaks WebSocket, in version 13, and nothing else."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message, reason=reason, status=426)


def offer_of(head: RequestHead) -> Offer | None:
    """Return what a request offers to change to; None if there is nothing that may be changed to."""
    if head.connection is None or not head.is_http11 or b"upgrade" not in tokens(head.connection):
        return None
    upgrade, key, version, subprotocols, extensions = _ASKED.values(head.raw)
    protocols = tuple(one for one in members(upgrade) if REFUSED.fullmatch(one) is None)
    if not protocols:
        return None
    return Offer(protocols, key, version, members(subprotocols), extension_names(extensions))


def check_request(head: RequestHead, offer: Offer) -> None:
    """Raise the refusal of a request that is no handshake of a WebSocket (RFC 6455 section 4.2.1)."""
    if head.method != b"GET":
        raise MethodNotAllowed("A WebSocket is opened with GET", "GET")
    if head.body_length:
        raise BadRequest("Handshake error: a body", reason="websocket_handshake_invalid")
    if offer.version is None:
        raise BadRequest("WebSocket version header is required", reason="websocket_version_missing")
    if offer.version != VERSION:
        raise UpgradeRequired("Unsupported WebSocket version", reason="websocket_version_unsupported")
    if offer.key is None or _KEY.fullmatch(offer.key) is None:
        raise BadRequest("Handshake error: Sec-WebSocket-Key", reason="websocket_handshake_invalid")


def agreement(offer: Offer, head: ResponseHead) -> Agreement:
    """Return what a 101 agrees to; raises UpstreamError if that is not what was offered (RFC 6455 section 4.1)."""
    protocol, accept, subprotocol, extensions = _AGREED.values(head.raw)
    is_named = head.connection is not None and b"upgrade" in tokens(head.connection)
    if not is_named or protocol is None or protocol.lower() not in {one.lower() for one in offer.protocols}:
        raise not_agreed("the backend changed to a protocol that was not offered")
    found = Agreement(protocol, extensions is not None)
    if found.is_websocket:
        if offer.key is None or accept != accept_of(offer.key):
            raise not_agreed("the backend did not accept the WebSocket handshake")
        if subprotocol is not None and subprotocol not in offer.subprotocols:
            raise not_agreed("the backend chose a subprotocol that was not offered")
        if not set(extension_names(extensions)).issubset(offer.extensions):
            raise not_agreed("the backend chose an extension that was not offered")
    return found


def accept_of(key: bytes) -> bytes:
    """Return the Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 section 4.2.2)."""
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


def members(value: bytes | None) -> tuple[bytes, ...]:
    """Split a list-valued field into its members."""
    return tuple(one for one in (part.strip(b" \t") for part in (value or b"").split(b",")) if one)


def extension_names(value: bytes | None) -> tuple[bytes, ...]:
    """Return the names in Sec-WebSocket-Extensions, without what is asked of each (RFC 6455 section 9.1)."""
    return tuple(one.partition(b";")[0].rstrip(b" \t").lower() for one in members(value))


def not_agreed(message: str) -> UpstreamError:
    """Make the error of a backend whose 101 is not an answer to the offer."""
    return UpstreamError(message, reason="upgrade_not_agreed")
