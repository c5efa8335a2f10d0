"""Which answers may be stored, and for how long they are fresh (RFC 9111 sections 3 and 4.2)."""

from dataclasses import dataclass
from email.utils import formatdate
from typing import NamedTuple

from kairos._speedups import FieldSet
from kairos.config.policies import Cache
from kairos.protocols.http1.fields import HOP_BY_HOP, copy_for
from kairos.protocols.http1.head import UNTIL_CLOSE, RequestHead, ResponseHead
from kairos.protocols.http1.serialize import status_line
from kairos.traffic.caching.answers import Answer
from kairos.traffic.caching.control import Directives, delta, directives, fields_named, seconds
from kairos.traffic.caching.dates import timestamp

UNDERSTOOD = frozenset(range(200, 600)) - {206, 304}
"""The final statuses of whole answers. A 304 stands for one only to who has asked with a condition."""
CACHEABLE = frozenset((200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501))
"""Those that say themselves that they may be stored (RFC 9110 section 15.1), without 206."""

_FACTS = FieldSet(
    (b"cache-control", b"age", b"date", b"expires", b"etag", b"last-modified", b"vary", b"set-cookie", b"content-range")
)
_ASKED = FieldSet((b"cache-control", b"authorization"))
# What is written for each client anew, or is about the message and not about what is in it.
_NOT_KEPT = FieldSet((*HOP_BY_HOP, b"age", b"content-length", b"trailer", b"proxy-authenticate"))
# RFC 9111 section 3.2: what a 304 says of these is about itself, or for its client alone.
_NOT_UPDATED = FieldSet((*_NOT_KEPT.names, b"content-encoding", b"content-range", b"set-cookie"))
# RFC 9111 section 3.5: what lets answers to requests with Authorization be stored.
_FOR_ALL = frozenset((b"public", b"s-maxage", b"must-revalidate"))
# RFC 9111 section 4.2.4: what forbids to send it when it is stale.
_STRICT = frozenset((b"must-revalidate", b"proxy-revalidate", b"s-maxage"))


class Facts(NamedTuple):
    """What an answer says of itself."""

    control: bytes | None
    age: bytes | None
    date: bytes | None
    expires: bytes | None
    etag: bytes | None
    modified: bytes | None
    vary: bytes | None
    cookie: bytes | None
    content_range: bytes | None


@dataclass(frozen=True, slots=True)
class Moments:
    """When a request was sent and its answer came, in seconds of CLOCK_MONOTONIC; and the latter as Unix time."""

    asked_at: float
    answered_at: float
    wall: float


class NotStored(Exception):
    """Why an answer is not stored, in a word for Cache-Status."""


def kept(
    request: RequestHead, response: ResponseHead, policy: Cache, moments: Moments, *, is_known: bool
) -> tuple[Answer, tuple[bytes, ...]]:
    """Return what is kept of an answer to a GET request, and the fields of requests by which it varies.

    `is_known` tells that the gateway has authenticated the client, by whatever means: then the request counts as one
    with Authorization. Raises NotStored if nothing may be kept.
    """
    facts = Facts(*_FACTS.values(response.raw))
    said = directives(facts.control)
    control, authorization = _ASKED.values(request.raw)
    if policy.obeys_clients and b"no-store" in directives(control):
        raise NotStored("request-no-store")
    dropped = _check(said, response, facts, is_private=is_known or authorization is not None)
    if response.is_event_stream or response.body_length == UNTIL_CLOSE:  # nobody can tell whether it is whole
        raise NotStored("length")
    varies = vary_fields(facts.vary)
    raw = _raw(response, dropped, facts, moments)
    answer = _dated(raw, response.status, facts, said, policy, moments)
    if answer.useless_at <= moments.answered_at:
        raise NotStored("stale")
    return answer, varies


def updated(
    answer: Answer, response: ResponseHead, policy: Cache, moments: Moments, *, is_private: bool = False
) -> Answer:
    """Return a stored answer as a 304 has renewed it (RFC 9111 section 4.3.4).

    NotStored tells that it may not be kept, or if the 304 is for one client alone that it cannot be renewed by that.
    """
    fresh = Facts(*_FACTS.values(response.raw))
    if fresh.vary is not None and vary_fields(fresh.vary) != vary_fields(Facts(*_FACTS.values(answer.raw)).vary):
        raise NotStored("vary")
    usual = copy_for(response.raw, response.connection, _NOT_UPDATED)
    restricted = directives(fresh.control)
    for_some = (fields_named(restricted, b"private") or ()) + (fields_named(restricted, b"no-cache") or ())
    if for_some:
        usual = FieldSet(tuple(dict.fromkeys((*usual.names, *for_some))))
    lines = usual.copy_without(response.raw, (), ())
    names = {line.partition(b":")[0].lower() for line in lines.split(b"\r\n") if line}
    raw = FieldSet(tuple(names)).copy_without(answer.raw, (status_line(answer.raw),), (lines, b"\r\n"))
    if fresh.date is None:
        raw = _with_date(FieldSet((b"date",)).copy_without(raw, (status_line(raw),), (b"\r\n",)), moments)
    facts = Facts(*_FACTS.values(raw))._replace(age=fresh.age, date=fresh.date)
    said = directives(facts.control)
    if b"no-store" in said or (b"private" in said and fields_named(said, b"private") is None):
        raise NotStored("no-store")
    if is_private and said.keys().isdisjoint(_FOR_ALL):
        raise NotStored("authorization")
    return _dated(raw, answer.head.status, facts, said, policy, moments).completed(answer.size)


def is_private(request: RequestHead, *, is_known: bool) -> bool:
    """Say whether the answer to a request is for one client, unless it says otherwise."""
    return is_known or _ASKED.values(request.raw)[1] is not None


def cookies(response: ResponseHead) -> bytes:
    """Return the lines of an answer that are for its client alone."""
    lines = [line for line in response.raw.split(b"\r\n") if line[:11].lower() == b"set-cookie:"]
    return b"".join(b"%b\r\n" % line for line in lines)


def seen(response: ResponseHead) -> Answer:
    """Return an answer as it is, to compare it with what a client has; it is not for storing."""
    facts = Facts(*_FACTS.values(response.raw))
    raw = _NOT_KEPT.copy_without(response.raw, (status_line(response.raw),), (b"\r\n",))
    return Answer(raw, 0.0, 0.0, etag=facts.etag, modified=facts.modified).completed(0)


def vary_fields(value: bytes | None) -> tuple[bytes, ...]:
    """Return the fields that Vary names, in lower case and in order; NotStored if none can be known to match."""
    if value is None:
        return ()
    names = {name.strip(b" \t").lower() for name in value.split(b",")} - {b""}
    if b"*" in names:
        raise NotStored("vary")
    return tuple(sorted(names))


def _check(said: Directives, response: ResponseHead, facts: Facts, *, is_private: bool) -> tuple[bytes, ...]:
    """Return the fields that are not kept; NotStored if nothing is (RFC 9111 sections 3, 3.1 and 3.5)."""
    if response.status not in UNDERSTOOD or facts.content_range is not None:
        raise NotStored("status")
    if b"no-store" in said and not (b"must-understand" in said and response.status in CACHEABLE):
        raise NotStored("no-store")
    for_one, for_checked = fields_named(said, b"private"), fields_named(said, b"no-cache")
    if b"private" in said and for_one is None:
        raise NotStored("private")
    if is_private and said.keys().isdisjoint(_FOR_ALL):
        raise NotStored("authorization")
    dropped = (for_one or ()) + (for_checked or ())
    if facts.cookie is not None and b"set-cookie" not in dropped:
        raise NotStored("set-cookie")
    return dropped


def _raw(response: ResponseHead, dropped: tuple[bytes, ...], facts: Facts, moments: Moments) -> bytes:
    """Return the head without the fields that are not kept, and with a Date."""
    usual = copy_for(response.raw, response.connection, _NOT_KEPT)
    if dropped:
        usual = FieldSet(tuple(dict.fromkeys((*usual.names, *dropped))))
    raw = usual.copy_without(response.raw, (status_line(response.raw),), (b"\r\n",))
    return raw if facts.date is not None else _with_date(raw, moments)


def _with_date(raw: bytes, moments: Moments) -> bytes:
    """Add the moment at which it came (RFC 9110 section 6.6.1)."""
    return b"%bDate: %b\r\n\r\n" % (raw[:-2], formatdate(moments.wall, usegmt=True).encode())


def _dated(raw: bytes, status: int, facts: Facts, said: Directives, policy: Cache, moments: Moments) -> Answer:
    """Return the answer with its moments; NotStored if nobody says how long it is fresh."""
    born_at = moments.answered_at - initial_age(facts, moments)
    stale_at = born_at + _lifetime(said, status, facts, policy, moments)
    revalidate, error = _allowances(said, policy)
    return Answer(
        raw,
        born_at,
        stale_at,
        stale_at + revalidate if revalidate else 0.0,
        stale_at + error if error else 0.0,
        facts.etag,
        facts.modified,
        is_strict=_must_ask(said) or not said.keys().isdisjoint(_STRICT),
    )


def _lifetime(said: Directives, status: int, facts: Facts, policy: Cache, moments: Moments) -> float:
    """Return for how many seconds from its birth on an answer is fresh (RFC 9111 section 4.2.1)."""
    lifetime: float | None = seconds(said, b"s-maxage")
    if lifetime is None:
        lifetime = seconds(said, b"max-age")
    if lifetime is None and facts.expires is not None:
        expires, date = timestamp(facts.expires), timestamp(facts.date)
        lifetime = 0.0 if expires is None else max(expires - (moments.wall if date is None else date), 0.0)
    if _must_ask(said):
        return 0.0
    if lifetime is None:
        if policy.default_ttl is None or status not in policy.default_statuses:
            raise NotStored("no-lifetime")
        lifetime = policy.default_ttl
    return lifetime if policy.max_ttl is None else min(lifetime, policy.max_ttl)


def _allowances(said: Directives, policy: Cache) -> tuple[float, float]:
    """Return for how many seconds it may be sent after it has become stale: while it is validated, and on errors.

    `s-maxage` forbids both (RFC 9111 section 4.2.4), but not where the same answer allows them: then that is meant.
    """
    if _must_ask(said) or b"must-revalidate" in said or b"proxy-revalidate" in said:
        return 0.0, 0.0
    is_shared = b"s-maxage" in said
    revalidate, error = seconds(said, b"stale-while-revalidate"), seconds(said, b"stale-if-error")
    return (
        revalidate if revalidate is not None else 0.0 if is_shared else policy.stale_while_revalidate,
        error if error is not None else 0.0 if is_shared else policy.stale_if_error,
    )


def _must_ask(said: Directives) -> bool:
    """Say whether the answer may not be sent at all before the backend has confirmed it."""
    return b"no-cache" in said and fields_named(said, b"no-cache") is None


def initial_age(facts: Facts, moments: Moments) -> float:
    """Return how old an answer was when it came (RFC 9111 section 4.2.3)."""
    made = timestamp(facts.date)
    apparent = 0.0 if made is None else max(moments.wall - made, 0.0)
    told = delta(facts.age.partition(b",")[0].strip(b" \t")) if facts.age is not None else None
    return max(apparent, (told or 0) + moments.answered_at - moments.asked_at)
