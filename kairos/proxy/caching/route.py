"""The cache of one route: whether a request is answered from it, waits for another's answer, or asks a backend."""

from hashlib import blake2b
from typing import TYPE_CHECKING, cast

import orjson

from kairos._speedups import FieldSet as Fields  # the name of the compiled one is taken by the .pxd
from kairos.config.document import Route
from kairos.config.policies import AccessList, Cache
from kairos.errors import KairosError
from kairos.filters import LocalReply
from kairos.protocols.http1.fields import TOLD_BY_PROXIES, WRITTEN_FOR_BACKENDS, Copies
from kairos.protocols.http1.forwarded import tells_https, told_host
from kairos.protocols.http1.head import RequestHead, ResponseHead
from kairos.proxy.caching import purge
from kairos.proxy.caching.background import ask_in_background
from kairos.proxy.caching.desk import WAIT_SECONDS, Desk
from kairos.proxy.caching.fetch import Fetch
from kairos.proxy.caching.reel import PIECE_BYTES, Reel
from kairos.proxy.caching.waiter import Waiter
from kairos.security.access import AccessControl
from kairos.shm import layout
from kairos.traffic.caching.answers import Answer, Variants, decode
from kairos.traffic.caching.keys import Keys, place, variant_key
from kairos.traffic.caching.serving import Found, served
from kairos.traffic.caching.store import Entry
from kairos.traffic.caching.wishes import FACTS, NO_WISHES, NOTHING, Asked, Wishes, will_do, wishes
from kairos.traffic.transform import request_fields

if TYPE_CHECKING:
    from kairos.proxy.exchange import Exchange

_NOTHING = NOTHING
_CACHE_HITS = layout.CACHE_HITS
_LINES = b"Age: %d\r\nCache-Status: kairos; %b; ttl=%d\r\n"


CONDITIONS = (b"if-none-match", b"if-modified-since", b"range", b"if-range")
"""What a backend does not get of the client's, so that the answer is a whole one."""


# What backends are told of a client by the gateway, so that answers do not vary by what the client sends. The scheme
# and the host are in the key.
_OURS = frozenset((*WRITTEN_FOR_BACKENDS, *TOLD_BY_PROXIES)) - {b"host", b"x-forwarded-host", b"x-forwarded-proto"}

# Some backends believe in these that the request is another one than its first line says, whoever sends them,
_OTHER_REQUEST = Fields(
    (b"x-http-method", b"x-http-method-override", b"x-method-override", b"x-original-url", b"x-rewrite-url")
)
# and in these that it has come another way, which is up to the proxy before us.
_OTHER_WAY = Fields(
    (b"x-forwarded-prefix", b"x-forwarded-scheme", b"x-forwarded-server", b"x-forwarded-ssl", b"x-host", b"x-scheme")
)


class OnlyIfCached(KairosError):
    """The client wants a stored answer or none (RFC 9111 section 5.2.1.7)."""

    kind = "only_if_cached"
    status = 504


class RouteCache:
    """What a route stores and finds. `copies` are those of the route, for fetches whose answer is stored."""

    __slots__ = ("_keys", "_store", "_tags", "copies", "desk", "fields", "own_fields", "policy", "purgers")

    def __init__(
        self,
        policy: Cache,
        desk: Desk,
        identity: bytes,
        copies: Copies,
        told: tuple[bytes, ...] = (),
        looked_at: frozenset[bytes] = frozenset(),
    ) -> None:
        """`identity` is the same for routes whose backends answer alike, and so after most reloads.

        `told` are the fields in which backends are told who was authenticated, `looked_at` those of requests on which
        the route lets it depend how it changes an answer.
        """
        self.policy = policy
        self.desk = desk
        self._store = desk.store
        self.copies = copies
        self.purgers = AccessControl([AccessList(policy.purge_from)]) if policy.purge_from else None
        self.own_fields = _OURS.union(told)
        self.fields = tuple(looked_at.union(name.encode() for name in policy.headers))
        self._keys = Keys(identity, policy.query, by_host=policy.by_host)
        self._tags = Fields((policy.tags_header.encode(),))

    def admits(self, exchange: "Exchange", waited_until: float) -> bool:
        """Answer a request, or let it wait for somebody else's answer, or say that it goes to a backend.

        False tells that it has been answered. `waited_until` is when its patience ends, 0 if it has not waited yet.
        """
        head = exchange.head
        is_get = head.method == b"GET" or head.method == b"HEAD"
        if head.body_length or not is_get or exchange.upgrade is not None:
            return purge.answers(exchange, self) if head.method == b"PURGE" else bypass(exchange)
        facts = FACTS.values(head.raw)
        asked = None if facts == _NOTHING else Asked(*facts)
        store = self._store
        primary = key = self.key(exchange, exchange.target)
        entry = store.find(key)
        opened = None if entry is None else self.opened(entry)
        if entry is not None and isinstance(opened, Variants):
            key = variant_key(opened, head)
            entry = store.find(key)
            opened = None if entry is None else self.opened(entry)
        now = exchange.downstream.plane.ticker.now
        if entry is None or not isinstance(opened, Answer):
            return self._decide(exchange, Fetch(self, primary, key, asked), now, waited_until)
        answer: Answer = opened
        is_plain = asked is None or not (self.policy.obeys_clients or asked.is_for_origin)
        if is_plain and now < answer.stale_at:
            status = b"fwd=uri-miss; collapsed" if waited_until else b"hit"
            if self.serve(exchange, entry, answer, asked, status):
                return False
        return self._decide(exchange, Fetch(self, primary, key, asked, Found(entry, answer)), now, waited_until)

    def key(self, exchange: "Exchange", target: bytes) -> bytes:
        """Return the key of a target on the same host; it is in the form in which the backend gets it."""
        host, lines = exchange.head.host, exchange.forwarded
        told = told_host(lines)
        if told != host:  # a proxy that is trusted may pass on what its client has made up
            host = b"%b %b" % (host, told)
        return self._keys.key(host, target, tells_https(lines))

    def tags(self, head: RequestHead | ResponseHead) -> tuple[bytes, ...]:
        """Return the tags that a message names."""
        (value,) = self._tags.values(head.raw)
        return () if value is None else tuple(dict.fromkeys(value.replace(b",", b" ").split()))

    def opened(self, entry: Entry) -> Answer | Variants:
        """Return what is stored; its label is read once for each hot copy."""
        opened = entry.opened
        if opened is None:
            opened = entry.opened = decode(entry.label.text, entry.size)
        return cast("Answer | Variants", opened)

    def place(self, host: bytes, path: bytes) -> bytes:
        """Return what a purge calls the answers of a path."""
        return place(host, path) if self.policy.by_host else path

    def serve(self, exchange: "Exchange", entry: Entry, answer: Answer, asked: Asked | None, status: bytes) -> bool:
        """Send a stored answer; False if it cannot be read, and then nothing has been sent.

        `status` is what Cache-Status says of it (RFC 9211).
        """
        if asked is None and exchange.head.method == b"GET":
            head, offset, size = answer.head, 0, answer.size
        else:
            head, offset, size = served(answer, exchange.head, asked)
        body = entry.body
        if body is None:
            piece = _first_piece(entry, offset, size)
            if piece is None:
                return False
        else:
            piece = body if size == len(body) else body[offset : offset + size]
        now = exchange.downstream.plane.ticker.now
        exchange.lines += _LINES % (answer.age(now), status, answer.stale_at - now)
        if not exchange.attempts.count:
            exchange.downstream.plane.row.add(_CACHE_HITS, 1)
        exchange.begin_answer(head)
        if len(piece) == size:
            exchange.end_response(piece, None)
        else:
            reel = exchange.upstream = Reel(exchange, self.desk.plane.loop, entry, offset, size)
            reel.send(piece)
        return True

    def _decide(self, exchange: "Exchange", fetch: Fetch, now: float, waited_until: float) -> bool:
        """Do what is left to do if nothing is stored, or nothing that will do in any case."""
        asked, desk = fetch.asked, self.desk
        wanted = NO_WISHES
        if _means_another(exchange):
            return bypass(exchange)
        if asked is not None:
            if asked.is_for_origin:
                return bypass(exchange)
            if self.policy.obeys_clients:
                wanted = wishes(asked)
        if self._uses_stored(exchange, fetch, now, wanted, waited_until):
            return False
        if wanted.is_stored:
            exchange.reply(LocalReply.refusal(OnlyIfCached("There is no stored answer")))
            return False
        if not fetch.can_store(exchange.head):
            fetch.watch(exchange)
        elif desk.goes_alone(fetch.key, now) or 0 < waited_until <= now:
            fetch.begin(exchange, is_lead=False)
        elif fetch.key not in desk.leads:
            fetch.begin(exchange, is_lead=True)
        else:
            waiter = exchange.task = Waiter(exchange, desk.plane.ticker, waited_until or now + WAIT_SECONDS)
            desk.leads[fetch.key].waiters.append(waiter)
        return True

    def _uses_stored(self, exchange: "Exchange", fetch: Fetch, now: float, wanted: Wishes, waited_until: float) -> bool:
        """Answer with what is stored, if this request may have it although it is stale; say whether it has."""
        found, desk = fetch.found, self.desk
        if found is None:
            return False
        answer = found.answer
        has_failed = desk.has_failed(fetch.key, now)
        is_renewed = False
        if will_do(answer, wanted, now):
            pass
        elif wanted == NO_WISHES and now < answer.revalidate_until:
            is_renewed = not has_failed and fetch.key not in desk.leads
        elif not (wanted == NO_WISHES and has_failed and now < answer.error_until):
            return False
        if is_renewed:
            ask_in_background(exchange, fetch)
        status = b"fwd=uri-miss; collapsed" if waited_until and now < answer.stale_at else b"hit"
        if self.serve(exchange, *found, fetch.asked, status):
            return True
        fetch.found = None  # it cannot be read
        return False


def _first_piece(entry: Entry, offset: int, size: int) -> bytes | None:
    """Read the beginning of a body, or all of it; None if it is lost."""
    if not size:
        return b""
    try:
        return entry.read(offset, min(size, PIECE_BYTES)) or None
    except OSError:
        return None


def _means_another(exchange: "Exchange") -> bool:
    """Say whether a backend may take the request for another than the key says, so that its answer is for nobody else.

    What is fresh may be the answer nevertheless: nobody is harmed by that.
    """
    raw = exchange.head.raw
    if any(value is not None for value in _OTHER_REQUEST.values(raw)):
        return True
    is_trusted = exchange.downstream.client(exchange.snapshot).is_trusted
    return not is_trusted and any(value is not None for value in _OTHER_WAY.values(raw))


def bypass(exchange: "Exchange") -> bool:
    """Let a request pass that is none of the cache's business."""
    exchange.lines += b"Cache-Status: kairos; fwd=bypass\r\n"
    return True


def route_cache(
    route: Route, policy: Cache, desk: Desk, told: tuple[bytes, ...], left_out: tuple[bytes, ...] = ()
) -> RouteCache:
    """Make the cache of a route.

    `told` are the fields in which backends are told who was authenticated, `left_out` others that they do not get.
    """
    counts = (
        route.external_path,
        route.internal_path,
        route.hosts,
        route.preserve_host,
        route.request_change,
        route.response_change,
        (policy.query, policy.headers, policy.by_host),
    )
    identity = blake2b(orjson.dumps(counts), digest_size=8).digest()
    change = route.response_change
    looked_at = frozenset() if change is None else request_fields(change)
    return RouteCache(policy, desk, identity, Copies((*told, *left_out, *CONDITIONS)), told, looked_at)
