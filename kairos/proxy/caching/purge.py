"""Let the cache forget: what an unsafe request has changed (RFC 9111 section 4.4), and what an operator asks for."""

from typing import TYPE_CHECKING, cast
from urllib.parse import urljoin, urlsplit

import orjson

from kairos._speedups import FieldSet, normal_path
from kairos._speedups.matcher import Match, Matcher
from kairos.errors import KairosError, Side
from kairos.filters import LocalReply
from kairos.protocols.http1.head import RequestHead, ResponseHead
from kairos.routing.normalize import normalize

if TYPE_CHECKING:
    from kairos.proxy.caching.route import RouteCache
    from kairos.proxy.exchange import Exchange
    from kairos.proxy.generation import ProxyRoute

SAFE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))  # RFC 9110 section 9.2.1
_PLACES = FieldSet((b"location", b"content-location"))


class PurgeDenied(KairosError):
    """The address of the client may not purge."""

    kind = "access_denied"
    side = Side.DOWNSTREAM
    status = 403


def match(matcher: Matcher, head: RequestHead) -> Match:
    """Return the route that a PURGE is for: that of GET, if it takes any; raises what the matcher does."""
    found = matcher.match(b"GET", head.host, head.target)
    cache = cast("ProxyRoute", found.destination).cache
    is_taken = cache is not None and cache.purgers is not None
    return found if is_taken else matcher.match(head.method, head.host, head.target)


def answers(exchange: "Exchange", cache: "RouteCache") -> bool:
    """Do what a PURGE asks for and answer it; always False, as there is nothing to go on with."""
    if cache.purgers is None or not cache.purgers.admits(exchange.client):
        exchange.reply(LocalReply.refusal(PurgeDenied("Purging from this address is denied")))
        return False
    head, store = exchange.head, cache.desk.store
    tags = cache.tags(head)
    path = path_of(head.target)
    below = path.endswith(b"/*")
    if tags:
        for tag in tags:
            store.purge_tag(tag)
        done: dict[str, object] = {"tags": [tag.decode("latin-1") for tag in tags]}
    else:
        path = path[:-1] if below else path
        store.purge(cache.place(head.host, path), below=below)
        done = {"path": path.decode("latin-1"), "below": below}
    exchange.reply(LocalReply(200, orjson.dumps({"purged": done})))
    return False


def path_of(target: bytes) -> bytes:
    """Return the path of a request target in normal form, without its query."""
    return normal_path(target) or normalize(target)[0]


def invalidate(exchange: "Exchange", answer: ResponseHead) -> None:
    """Forget what is stored for the target of an unsafe request that went well, and for what its answer points to."""
    head = exchange.head
    _forget(exchange, head.target)
    for value in _PLACES.values(answer.raw):
        target = None if value is None else _on_same_host(head, value)
        if target is not None:
            _forget(exchange, target)


def _forget(exchange: "Exchange", target: bytes) -> None:
    head = exchange.head
    try:
        found = exchange.snapshot.matcher.match(b"GET", head.host, target)
    except KairosError:
        return
    cache = cast("ProxyRoute", found.destination).cache
    if cache is not None:
        cache.desk.store.remove(cache.key(exchange, found.upstream_target))


def _on_same_host(head: RequestHead, value: bytes) -> bytes | None:
    """Return the target that a reference points to; None if it is on another host (RFC 9111 section 4.4)."""
    base = b"http://" + head.host + head.target
    try:
        found = urlsplit(urljoin(base, value))
    except ValueError:
        return None
    if found.netloc.lower() != head.host.lower():
        return None
    return (found.path or b"/") + (b"?" + found.query if found.query else b"")
