"""One request of the cache to a backend: its answer is stored while it passes to the client."""

import os
import time
from typing import TYPE_CHECKING

from kairos.errors import UpstreamError
from kairos.filters import LocalReply
from kairos.protocols.http1.fields import tokens
from kairos.protocols.http1.head import RequestHead, ResponseHead
from kairos.proxy.caching.desk import ALONE_SECONDS, FAILED_SECONDS
from kairos.proxy.caching.purge import path_of
from kairos.shm import layout
from kairos.traffic.caching.answers import NAME_BYTES, Answer, Variants
from kairos.traffic.caching.conditions import is_unchanged
from kairos.traffic.caching.keys import variant_key
from kairos.traffic.caching.serving import Found, not_modified
from kairos.traffic.caching.store import Label, Writer
from kairos.traffic.caching.storing import Moments, NotStored, cookies, is_private, kept, seen, updated
from kairos.traffic.caching.wishes import Asked

if TYPE_CHECKING:
    from kairos.proxy.caching.route import RouteCache
    from kairos.proxy.caching.waiter import Waiter
    from kairos.proxy.downstream import Downstream
    from kairos.proxy.exchange import Exchange

STALE_STATUSES = frozenset((500, 502, 503, 504))  # RFC 5861 section 4
MARK_SECONDS = 10 * 365 * 86400.0  # how long is remembered by which fields answers vary, unless nobody asks for it
_FROM_START = b"bytes=0-"  # which asks for all, in parts if need be


class Fetch:
    """What an exchange does for the cache, from its request to the end of the answer.

    How it works: the first fetch of a key is its lead, and requests for the same wait. When the answer is stored they
    find it; if it cannot be, which the head tells, they all go to the backend by themselves; if the client of the lead
    leaves, one of them is the next lead. `found` is what is stored but stale: the backend is asked whether it still
    holds, and if the backend fails it may be sent instead.
    """

    __slots__ = (
        "_asked_at",
        "_is_lead",
        "_is_new",
        "_is_renewed",
        "_is_silent",
        "_is_watching",
        "_left",
        "_stale_at",
        "_ticket",
        "_variants",
        "_writer",
        "asked",
        "cache",
        "found",
        "key",
        "nobody",
        "primary",
        "strips",
        "waiters",
    )

    def __init__(
        self,
        cache: "RouteCache",
        primary: bytes,
        key: bytes,
        asked: Asked | None,
        found: Found | None = None,
    ) -> None:
        """`key` is that of the variant, if it is known by which fields the answers of `primary` vary."""
        self.cache = cache
        self.primary = primary
        self.key = key
        self.asked = asked
        self.found = found
        self.nobody: Downstream | None = None  # who gets the answer, if there is only the cache to have it
        self.strips = True  # the conditions and ranges of the client from the request
        self.waiters: list[Waiter] = []
        self._asked_at = 0.0
        self._is_lead = False
        self._is_new = False  # whether nobody knew before by which fields the answer varies
        self._is_renewed = False  # by a 304
        self._is_watching = False
        self._is_silent = False  # the client has got a 304, and needs no body
        self._left = 0  # bytes that the body may still have
        self._stale_at = 0.0
        self._ticket = 0
        self._variants: Variants | None = None
        self._writer: Writer | None = None

    def why(self, now: float) -> bytes:
        """Return why the backend has to be asked, as Cache-Status calls it (RFC 9211 section 2.2)."""
        if self.found is not None:
            return b"stale" if now >= self.found.answer.stale_at else b"request"
        return b"uri-miss" if self.key == self.primary else b"vary-miss"

    def can_store(self, head: RequestHead) -> bool:
        """Say whether the answer will be one to a whole GET request."""
        part = None if self.asked is None else self.asked.range
        is_whole = part is None or part == _FROM_START or (self.found is not None and self.found.answer.can_validate)
        return head.method == b"GET" and is_whole

    def twin(self, nobody: "Downstream") -> "Fetch":
        """Return a fetch of the same for nobody in particular."""
        twin = Fetch(self.cache, self.primary, self.key, None, self.found)
        twin.nobody = nobody
        return twin

    def begin(self, exchange: "Exchange", *, is_lead: bool) -> None:
        """Let the exchange ask a backend, with a condition if something is stored."""
        desk = self.cache.desk
        self._ticket = desk.store.ticket()
        self._asked_at = desk.plane.time()
        desk.plane.row.add(layout.CACHE_FETCHES, 1)
        self._is_lead = is_lead
        if is_lead:
            desk.leads[self.key] = self
        self.strips = self.found is not None or not desk.goes_alone(self.key, exchange.now)
        exchange.caching = self
        if self.found is not None:
            exchange.request_lines += _conditions(self.found.answer)

    def watch(self, exchange: "Exchange") -> None:
        """Let the exchange ask a backend for what is not stored, and do nothing but stand in for an error."""
        self.strips = False
        self._is_watching = True
        exchange.caching = self

    # What the exchange reports.

    def answered(self, exchange: "Exchange", head: ResponseHead) -> ResponseHead | None:
        """Take the head of an answer, changed as the route changes it; return the one for the client.

        None tells that what is stored is sent instead: at once after an error, or when a 304 has ended.
        """
        if head.status in STALE_STATUSES and self._may_stand_in(exchange.now):
            exchange.drop_upstream()
            self.stands_in(exchange, head.status)
            return None
        if self._is_watching:
            exchange.lines += b"Cache-Status: kairos; fwd=%b\r\n" % self.why(exchange.now)
            return head
        moments = Moments(self._asked_at, self.cache.desk.plane.time(), time.time())
        if self.found is not None and self.found.answer.can_validate and head.status == 304:
            self._renew(exchange, self.found, head, moments)
            exchange.lines += cookies(head)
            return None
        stored = b""
        try:
            self._store(exchange, head, moments)
            stored = b"; stored"
        except NotStored as verdict:
            self._not_stored(exchange.now, head.status, str(verdict))
        why = self.why(exchange.now)
        exchange.lines += b"Cache-Status: kairos; fwd=%b; fwd-status=%d%b\r\n" % (why, head.status, stored)
        asked = self.asked
        if asked is not None and self.strips and (asked.none_match is not None or asked.since is not None):
            answer = seen(head)
            if is_unchanged(asked.none_match, asked.since, answer):
                self._is_silent = True
                exchange.lines += cookies(head)
                return not_modified(answer)
        return head

    def passed(self, data: bytes) -> bytes:
        """Take a piece of the body; return what of it the client gets."""
        writer = self._writer
        if writer is not None:
            self._left -= len(data)
            if self._left < 0 or not writer.write(data):
                self._writer = None
                writer.abort()
                self._share_nothing(self.cache.desk.plane.ticker.now + ALONE_SECONDS)
        return b"" if self._is_silent else data

    def last(self, exchange: "Exchange", data: bytes) -> bytes | None:
        """Take the last piece of the body; None tells that what is stored has been sent instead."""
        if self._is_renewed and self.found is not None:
            self._send_renewed(exchange, self.found)
            return None
        data = self.passed(data)
        if self._writer is not None:
            now = exchange.now
            if self._commit(exchange, self._writer) and self._stale_at > now:
                self.cache.desk.note_shared(self.key)
            else:  # there is nothing that others could use as it is
                self.cache.desk.note_alone(self.key, now + FAILED_SECONDS)
            self._writer = None
        self._release()
        return data

    def stands_in(self, exchange: "Exchange", status: int) -> bool:
        """Send what is stored instead of an error of this status, if that is allowed; say whether it was."""
        found, now = self.found, exchange.now
        if found is None or status < 500 or not self._may_stand_in(now):
            return False
        self.cache.desk.note_failed(self.key, now)
        self._release()
        exchange.caching = None
        if not self.cache.serve(exchange, *found, self.asked, b"fwd=stale; fwd-status=%d" % status):
            exchange.reply(LocalReply.refusal(UpstreamError("the backend has failed", reason="stored_body_lost")))
        return True

    def ended(self, exchange: "Exchange") -> None:
        """Leave nothing undone when the exchange is over, however it went."""
        if self._writer is not None:
            self._writer.abort()
            self._writer = None
        if exchange.status >= 500:
            self.cache.desk.note_failed(self.key, exchange.now)
            self.cache.desk.note_alone(self.key, exchange.now + FAILED_SECONDS)
        self._release()

    # Storing.

    def _store(self, exchange: "Exchange", head: ResponseHead, moments: Moments) -> None:
        """Begin to store the answer; NotStored if it may not or cannot be."""
        cache, store = self.cache, self.cache.desk.store
        policy = cache.policy
        answer, varies = kept(exchange.head, head, policy, moments, is_known=_is_known(exchange))
        if head.body_length > policy.max_body_bytes:
            raise NotStored("size")
        names = tuple(sorted({*varies, *cache.fields}))
        taken_away = () if exchange.head.connection is None else tokens(exchange.head.connection)
        if not cache.own_fields.isdisjoint(names) or any(name in taken_away for name in names):
            raise NotStored("vary")  # what the client has sent tells nothing of what the backend has got
        key = self.primary
        if names:
            self._variants = self._marked(names)
            key = variant_key(self._variants, exchange.head)
        place = cache.place(exchange.head.host, path_of(exchange.head.target))
        label = Label(place, cache.tags(head), answer.useless_at, answer.encode())
        self._writer = store.begin(key, label, self._ticket)
        if self._writer is None:
            raise NotStored("store")
        self._stale_at = answer.stale_at
        self._left = policy.max_body_bytes

    def _marked(self, names: tuple[bytes, ...]) -> Variants:
        """Return by what the answers of the target vary: as it is known, or else under a new name."""
        entry = self.cache.desk.store.find(self.primary)
        known = None if entry is None else self.cache.opened(entry)
        if isinstance(known, Variants) and known.fields.names == names:
            return known
        self._is_new = True
        return Variants(os.urandom(NAME_BYTES), names)

    def _commit(self, exchange: "Exchange", writer: Writer) -> bool:
        variants = self._variants
        if variants is not None and self._is_new:
            place = self.cache.place(exchange.head.host, path_of(exchange.head.target))
            label = Label(place, (), exchange.now + MARK_SECONDS, variants.encode())
            mark = self.cache.desk.store.begin(self.primary, label, self._ticket)
            if mark is None or not mark.commit():
                writer.abort()
                return False
        return writer.commit()

    def _not_stored(self, now: float, status: int, why: str) -> None:
        """Let others go their own way; what is stored holds no longer if the backend has said something else."""
        if self.found is not None and status < 500 and why not in ("request-no-store", "authorization"):
            self.cache.desk.store.remove(self.key)
        self._share_nothing(now + (ALONE_SECONDS if status < 500 else FAILED_SECONDS))

    # Validation.

    def _renew(self, exchange: "Exchange", found: Found, head: ResponseHead, moments: Moments) -> None:
        """Keep what is stored, with what the 304 says of it."""
        store = self.cache.desk.store
        self._is_renewed = True
        try:
            private = is_private(exchange.head, is_known=_is_known(exchange))
            answer = updated(found.answer, head, self.cache.policy, moments, is_private=private)
        except NotStored as verdict:
            if str(verdict) != "authorization":
                store.remove(self.key)
            return
        old = found.entry.label
        label = Label(old.place, self.cache.tags(head) or old.tags, answer.useless_at, answer.encode())
        entry = store.refresh(self.key, found.entry, label, self._ticket)
        self.found = Found(entry or found.entry, answer)

    def _send_renewed(self, exchange: "Exchange", found: Found) -> None:
        now = exchange.now
        if found.answer.stale_at > now:
            self.cache.desk.note_shared(self.key)
        else:
            self.cache.desk.note_alone(self.key, now + FAILED_SECONDS)
        self._release()
        exchange.caching = None
        if not self.cache.serve(exchange, *found, self.asked, b"fwd=stale; fwd-status=304"):
            exchange.reply(LocalReply.refusal(UpstreamError("the answer is lost", reason="stored_body_lost")))

    # The others.

    def _may_stand_in(self, now: float) -> bool:
        return self.found is not None and now < max(self.found.answer.error_until, self.found.answer.stale_at)

    def _share_nothing(self, until: float) -> None:
        desk = self.cache.desk
        desk.note_alone(self.key, until)
        self._release()
        if self.nobody is not None:  # it might have no end
            desk.plane.loop.call_soon(self.nobody.abort_with_exchange, "not_stored")

    def _release(self) -> None:
        """Let those who wait look again, one after the other at the next turn of the loop."""
        desk = self.cache.desk
        if self._is_lead:
            self._is_lead = False
            del desk.leads[self.key]
        for waiter in self.waiters:
            desk.plane.loop.call_soon(waiter.go_on)
        self.waiters.clear()


def _is_known(exchange: "Exchange") -> bool:
    """Say whether backends are told who the client is."""
    return exchange.identity is not None or exchange.downstream.is_verified


def _conditions(answer: Answer) -> bytes:
    """Return the lines that ask whether an answer still holds (RFC 9111 section 4.3.1)."""
    lines = b""
    if answer.etag is not None:
        lines += b"If-None-Match: %b\r\n" % answer.etag
    if answer.modified is not None:
        lines += b"If-Modified-Since: %b\r\n" % answer.modified
    return lines
