"""The listener that only sends clients to HTTPS."""

from typing import TYPE_CHECKING, cast

from kairos.errors import BadRequest, KairosError
from kairos.filters import LocalReply
from kairos.protocols.http1.forwarded import tells_https
from kairos.protocols.http1.head import RequestHead
from kairos.proxy.builtin import ENDPOINTS

if TYPE_CHECKING:
    from kairos.proxy.exchange import Exchange
    from kairos.proxy.generation import ProxyRoute

HTTPS_PORT = 443


def applies(exchange: "Exchange") -> bool:
    """Say whether a request is redirected: all are, but for those that the gateway answers about itself.

    One that has come by HTTPS to a proxy that is trusted would come back for ever, and is served.
    """
    head = exchange.head
    if head.target == b"*" or tells_https(exchange.forwarded):
        return False
    try:
        match = exchange.snapshot.matcher.match(head.method, head.host, head.target)
    except KairosError:
        return True
    route = cast("ProxyRoute", match.endpoint.destination)
    return not (route.filters and isinstance(route.filters[0], ENDPOINTS))


def to_https(head: RequestHead, port: int) -> LocalReply:
    """Send a client to the same URL with https. The method stays: 301 would let clients turn POST into GET."""
    host = name_of(head.host)
    if not host:
        message = "The request needs a Host to be redirected to HTTPS"
        return LocalReply.refusal(BadRequest(message, reason="host_missing"))
    authority = host if port == HTTPS_PORT else b"%b:%d" % (host, port)
    status = 301 if head.method in (b"GET", b"HEAD") else 308  # RFC 9110 sections 15.4.2 and 15.4.9
    return LocalReply(status, lines=b"Location: https://%b%b\r\n" % (authority, head.target))


def name_of(host: bytes) -> bytes:
    """Return the value of a Host field without its port; IPv6 keeps its brackets."""
    if host.startswith(b"["):
        return host.partition(b"]")[0] + b"]"
    return host.partition(b":")[0]
