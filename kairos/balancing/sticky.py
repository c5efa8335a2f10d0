"""Sticky sessions: a signed cookie leads a client back to the backend that it was with.

How it works. The cookie holds the HMAC-SHA256 of the backend's address, so that it tells nothing about the address, and
nobody can make one up. Its first characters find the backend; the whole is compared in constant time. A client whose
backend is gone, or cannot serve it now, is balanced as if it had no cookie, and gets one for where it went.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kairos.protocols.http1.cookies import cookie
from kairos.protocols.http1.head import RequestHead

if TYPE_CHECKING:
    from kairos.balancing.balancer import Balancer

_MOST_TOKENS = 4096
_FINDS = 11  # characters of a token; the other 32 have the 192 bits that nobody can find out


class StickyCookie:
    """The cookie of a route. `ttl` is in seconds; None lets it end with the browser's session."""

    __slots__ = ("_end", "_key", "_name", "_tokens")

    def __init__(self, name: str, key: bytes, ttl: int | None = None) -> None:
        age = "" if ttl is None else f"; Max-Age={ttl}"
        self._name = name.encode() + b"="
        self._end = f"; Path=/{age}; HttpOnly; SameSite=Lax".encode()
        self._key = key
        self._tokens: dict[str, bytes] = {}

    def named(self, head: RequestHead) -> bytes | None:
        """Return the token that a client brings, whatever it is worth."""
        return cookie(head, self._name)

    def token(self, address: str) -> bytes:
        """Return what stands for the backend at an address."""
        token = self._tokens.get(address)
        if token is None:
            if len(self._tokens) >= _MOST_TOKENS:
                self._tokens.clear()  # addresses of backends that came and went
            digest = hmac.digest(self._key, address.encode(), "sha256")
            token = self._tokens[address] = urlsafe_b64encode(digest).rstrip(b"=")
        return token

    def line(self, head: RequestHead, address: str, is_secure: bool) -> bytes:
        """Return the field that leads the client back to `address`; nothing if its cookie does so already."""
        token = self.token(address)
        if is_same(self.named(head), token):
            return b""
        secure = b"; Secure" if is_secure else b""
        return b"Set-Cookie: %b%b%b%b\r\n" % (self._name, token, self._end, secure)


class Sticky:
    """The backend that the client's cookie names; for others, and after that one, what another balancer says.

    `strategy` chooses for those who are new. `spare` is one of the same kind that shares no turns with it: who comes
    back takes no turns from who is new, which would make their shares uneven.
    """

    __slots__ = ("_cookie", "_known", "_spare", "_strategy")

    def __init__(
        self,
        sticky: StickyCookie,
        backends: Sequence[Any],
        addresses: Sequence[str],
        strategy: "Balancer[Any]",
        spare: "Balancer[Any]",
    ) -> None:
        tokens = [sticky.token(address) for address in addresses]
        self._cookie = sticky
        self._known = {token[:_FINDS]: found for token, *found in zip(tokens, tokens, backends, strict=True)}
        self._strategy = strategy
        self._spare = spare

    def choices(self, client: str, head: RequestHead) -> tuple[Any, ...]:
        """Return the backend of the client first, if it has one."""
        named = self._cookie.named(head)
        if named is not None:
            found = self._known.get(named[:_FINDS])
            if found is not None and is_same(named, found[0]):
                first, order = found[1], self._spare.choices(client, head)
                at = order.index(first)
                return (first, *order[:at], *order[at + 1 :])
        return self._strategy.choices(client, head)


def is_same(named: bytes | None, token: bytes) -> bool:
    """Compare what a client brings with a token, in a time that tells nothing about the token."""
    return named is not None and hmac.compare_digest(named, token)
