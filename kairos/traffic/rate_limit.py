"""Rate limits: how many requests a client, a user or a route may have in a span of time."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from kairos._speedups import FieldSet, mark
from kairos._speedups.buckets import FIXED, LOG, LONGEST_LOG, PANES, TOKENS, Buckets, Limit, Verdict
from kairos.errors import RateLimited
from kairos.filters import Asked, LocalReply
from kairos.shm import layout

if TYPE_CHECKING:
    from kairos._speedups import Cells as Row
    from kairos._speedups import Mark as Name
    from kairos.config.document import RateLimit

ADDRESS, HEADER, USER, NOBODY = 0, 1, 2, 3
COUNTED_BY = {"PerHeader": HEADER, "PerRoute": NOBODY, "PerUser": USER, "PerUserAndRoute": USER}
FOR_EACH_ROUTE = ("PerRoute", "PerIPAndRoute", "PerUserAndRoute")

# C integers when compiled.
_ADDRESS, _HEADER, _USER, _NOBODY = ADDRESS, HEADER, USER, NOBODY
_RATE_LIMITED, _RATE_DRY_RUN = layout.RATE_LIMITED, layout.RATE_DRY_RUN
_SECOND = 10**9
_NUMBERS = tuple(b"%d" % number for number in range(1024))
_READY = len(_NUMBERS)


class Rule:
    """One limit, and what is counted together: all whose key is the same. `prefix` tells it from other limits."""

    __slots__ = ("_by", "_constant", "_fields", "_hash_key", "_prefix", "begins", "limit", "policy", "totals")

    def __init__(self, config: "RateLimit", prefix: bytes, name: str, hash_key: bytes) -> None:
        self.limit = limit_of(config)
        self.policy = b'"%b";q=%d;w=%d' % (name.encode(), self.limit.most, config.seconds)
        self.begins = b'RateLimit: "%b";r=' % name.encode()
        self.totals = b"X-RateLimit-Limit: %d\r\nX-RateLimit-Remaining: " % self.limit.most
        self._by = COUNTED_BY.get(config.strategy, ADDRESS)
        self._fields = FieldSet((config.header.encode(),)) if self._by == HEADER else None
        self._prefix = prefix
        self._hash_key = hash_key
        self._constant = mark(hash_key, prefix) if self._by == NOBODY else None

    def mark(self, asked: Asked) -> "Name":
        """Return what the request counts for."""
        if self._by == _ADDRESS:
            return self._mark_of(b"a", network(asked.client))
        if self._by == _NOBODY:
            return self._constant  # type: ignore[return-value]
        if self._by == _USER and asked.identity is not None:
            who = asked.identity
            return self._mark_of(b"u", f"{who.scheme} {who.subject}".encode("utf-8", "surrogatepass"))
        if self._fields is not None:
            value = self._fields.values(asked.head.raw)[0]
            if value is not None:
                return self._mark_of(b"h", value)
        return self._mark_of(b"a", network(asked.client))

    def _mark_of(self, kind: bytes, who: bytes) -> "Name":
        return mark(self._hash_key, self._prefix + kind + who)


class RateLimiter:
    """Let a request through if all rules agree, and count it with all of them; else with none, and answer 429.

    A `dry_run` only counts what it would have refused. What comes after authentication is told the limiter that came
    before, because what is refused now was not to be counted there. `is_last` says that no other one tells the client
    its numbers after this.
    """

    __slots__ = ("_before", "_buckets", "_dry_run", "_is_last", "_limits", "_policies", "_row", "_rules")

    def __init__(
        self,
        rules: Sequence[Rule],
        buckets: Buckets,
        row: "Row",
        *,
        dry_run: bool = False,
        before: "RateLimiter | None" = None,
        is_last: bool = True,
    ) -> None:
        self._rules = tuple(rules)
        self._limits = tuple(rule.limit for rule in rules)
        self._policies = b"RateLimit-Policy: %b\r\n" % b", ".join(rule.policy for rule in rules)
        self._buckets = buckets
        self._row = row
        self._dry_run = dry_run
        self._before = before
        self._is_last = is_last

    def look(self, asked: Asked) -> LocalReply | None:
        """Return what `take` would return, and change nothing."""
        verdict = self._buckets.look(self._limits, self._marks(asked), _nanoseconds(asked.now))
        return None if verdict.is_allowed or self._dry_run else self._refusal(verdict)

    def take(self, asked: Asked) -> LocalReply | None:
        """Count the request, and tell the client how many are left; or refuse it."""
        verdict = self._buckets.take(self._limits, self._marks(asked), _nanoseconds(asked.now))
        if not verdict.is_allowed:
            if self._before is not None and not self._dry_run:  # else the request goes on, and counts
                self._before.give_back(asked)
            self._row.add(_RATE_DRY_RUN if self._dry_run else _RATE_LIMITED, 1)
            return None if self._dry_run else self._refusal(verdict)
        if not self._dry_run:
            asked.lines += self._lines(verdict, self._is_last)
        return None

    def give_back(self, asked: Asked) -> None:
        """Undo a `take` that let the request through."""
        if self._dry_run:
            return  # it lets through what it does not count
        self._buckets.give_back(self._limits, self._marks(asked), _nanoseconds(asked.now))

    def _marks(self, asked: Asked) -> "tuple[Name, ...]":
        rules = self._rules
        if len(rules) == 1:
            return (rules[0].mark(asked),)
        return tuple([rule.mark(asked) for rule in rules])

    def _refusal(self, verdict: Verdict) -> LocalReply:
        error = RateLimited(self._limits[verdict.number].most)
        lines = b"Retry-After: %d\r\n" % max(_seconds(verdict.wait), 1) + self._lines(verdict, True)
        return LocalReply(error.status, error=error, lines=lines)

    def _lines(self, verdict: Verdict, with_totals: bool) -> bytes:
        """Write the fields of draft-ietf-httpapi-ratelimit-headers, and those that were in use before it."""
        rule = self._rules[verdict.number]
        left, reset = _digits(verdict.remaining), _digits(_seconds(verdict.reset))
        parts: tuple[bytes, ...] = (self._policies, rule.begins, left, b";t=", reset, b"\r\n")
        if with_totals:
            parts += (rule.totals, left, b"\r\nX-RateLimit-Reset: ", reset, b"\r\n")
        return b"".join(parts)


def limit_of(config: "RateLimit") -> Limit:
    """Return how a limit is counted."""
    kind = {"FixedWindow": FIXED, "TokenBucket": TOKENS}.get(config.window)
    if kind is None:
        kind = LOG if config.requests + config.burst <= LONGEST_LOG else PANES
    return Limit(kind, config.requests, config.burst, config.seconds)


def network(client: str) -> bytes:
    """Return what is counted as one client: an address of IPv4, 64 bits of one of IPv6, or whatever else it is."""
    return _network(client) if ":" in client else client.encode()


@lru_cache(maxsize=4096)
def _network(client: str) -> bytes:
    try:
        address = IPv6Address(client.partition("%")[0])
    except ValueError:
        return client.encode()
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped).encode()
    return address.packed[:8]


def _nanoseconds(now: float) -> int:
    return int(now * _SECOND)


def _seconds(nanoseconds: int) -> int:
    return -(-nanoseconds // _SECOND)


def _digits(number: int) -> bytes:
    return _NUMBERS[number] if number < _READY else b"%d" % number
