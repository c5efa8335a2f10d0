"""Rate limits as filters: who is counted together, and what the client is told."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from kairos._speedups.buckets import FIXED, LOG, PANES, TOKENS, Buckets
from kairos.config.document import RateLimit, Route
from kairos.errors import RateLimited
from kairos.filters import Identity, LocalReply
from kairos.protocols.http1.head import RequestHead
from kairos.shm import layout
from kairos.shm.zone import Zone
from kairos.traffic.rate_filters import rate_filters
from kairos.traffic.rate_limit import RateLimiter, limit_of, network

ONE = RateLimit("PerIP", 1, 60)
KEY = b"0123456789abcdef"


@dataclass
class Request:
    """A request that is about to pass filters."""

    client: str = "192.0.2.1"
    now: float = 1_000_000.0
    identity: Identity | None = None
    fields: str = ""
    lines: bytes = b""
    request_lines: bytes = b""
    pattern: str = "/"
    is_secure: bool = False
    head: RequestHead = field(init=False)

    def __post_init__(self) -> None:
        self.head = RequestHead(f"GET / HTTP/1.1\r\nHost: example.com\r\n{self.fields}\r\n".encode())


class Limiters:
    """The limiters of routes in one gateway."""

    def __init__(self) -> None:
        self.zone = Zone(1, columns=8, words=8)
        self.buckets = Buckets(self.zone.guarded, self.zone.row(0), layout.RATE_FORGOTTEN)

    def of(self, *limits: RateLimit, pattern: str = "/") -> tuple[list[RateLimiter], list[RateLimiter]]:
        route = Route(pattern, "/", ("GET",), (), rate_limits=limits)
        return rate_filters(route, self.buckets, KEY, self.zone.row(0))

    def count(self, index: int) -> int:
        return self.zone.total(index)


@pytest.fixture
def limiters() -> Limiters:
    return Limiters()


def passes(filters: tuple[list[RateLimiter], list[RateLimiter]], **about: Any) -> bool:
    """Send a request through all filters."""
    request = Request(**about)
    return all(step.take(request) is None for part in filters for step in part)


def told(reply: LocalReply | None) -> dict[str, str]:
    assert reply is not None
    return dict(line.split(": ", 1) for line in reply.lines.decode().splitlines())


# Who is counted together.


def test_every_address_has_a_limit_of_its_own(limiters: Limiters) -> None:
    filters = limiters.of(ONE)

    assert [passes(filters, client=client) for client in ("192.0.2.1", "192.0.2.1", "192.0.2.2")] == [True, False, True]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:0:0:1", True),
        ("2001:db8::1", "2001:DB8:0:0:1::1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "unix", False),
        ("not:an:address", "not:another", False),
    ],
)
def test_addresses_of_ipv6_are_counted_by_64_bits(one: str, other: str, is_same: bool) -> None:
    assert (network(one) == network(other)) == is_same


def test_a_route_is_its_pattern_for_the_limit_of_the_gateway(limiters: Limiters) -> None:
    limit = RateLimit("PerRoute", 1, 60, is_global=True)

    assert passes(limiters.of(limit, pattern="/a/{id}"), client="192.0.2.1")
    assert not passes(limiters.of(limit, pattern="/a/{id}"), client="192.0.2.2")
    assert passes(limiters.of(limit, pattern="/b"), client="192.0.2.1")


def test_an_address_counts_on_each_route_by_itself(limiters: Limiters) -> None:
    limit = RateLimit("PerIPAndRoute", 1, 60, is_global=True)

    assert passes(limiters.of(limit, pattern="/a"))
    assert not passes(limiters.of(limit, pattern="/a"))
    assert passes(limiters.of(limit, pattern="/a"), client="192.0.2.2")
    assert passes(limiters.of(limit, pattern="/b"))


def test_the_gateway_counts_an_address_on_all_routes_together(limiters: Limiters) -> None:
    limit = RateLimit("PerIP", 1, 60, is_global=True)

    assert passes(limiters.of(limit, pattern="/a"))
    assert not passes(limiters.of(limit, pattern="/b"))


def test_a_route_counts_by_itself(limiters: Limiters) -> None:
    assert passes(limiters.of(ONE, pattern="/a"))
    assert passes(limiters.of(ONE, pattern="/b"))
    assert not passes(limiters.of(ONE, pattern="/a"))


def test_users_are_counted_after_authentication_wherever_they_are(limiters: Limiters) -> None:
    before, after = limiters.of(RateLimit("PerUser", 1, 60))
    ann, bob = Identity("ann", "jwt"), Identity("bob", "jwt")

    assert (before, len(after)) == ([], 1)
    assert passes((before, after), identity=ann, client="192.0.2.1")
    assert not passes((before, after), identity=ann, client="192.0.2.2")
    assert passes((before, after), identity=bob, client="192.0.2.1")
    assert passes((before, after), identity=Identity("ann", "basic"))
    assert passes((before, after), identity=Identity("\ud800", "jwt"))


def test_nobody_is_counted_by_address(limiters: Limiters) -> None:
    filters = limiters.of(RateLimit("PerUser", 1, 60))

    assert passes(filters)
    assert not passes(filters)
    assert passes(filters, client="192.0.2.2")


def test_the_user_named_like_an_address_is_not_that_address(limiters: Limiters) -> None:
    filters = limiters.of(RateLimit("PerUser", 1, 60))

    assert passes(filters, client="192.0.2.1")
    assert passes(filters, identity=Identity("192.0.2.1", "jwt"))


def test_a_header_tells_clients_apart(limiters: Limiters) -> None:
    filters = limiters.of(RateLimit("PerHeader", 1, 60, header="x-api-key"))

    assert passes(filters, fields="X-API-Key: one\r\n")
    assert not passes(filters, fields="x-api-key: one\r\n", client="192.0.2.2")
    assert passes(filters, fields="X-API-Key: two\r\n")
    assert passes(filters)
    assert not passes(filters)
    assert passes(filters, client="192.0.2.2")


# Several limits.


def test_gateway_and_route_have_to_agree_and_else_neither_counts(limiters: Limiters) -> None:
    whole = RateLimit("PerIP", 3, 60, is_global=True)
    own = RateLimit("PerIP", 1, 60, group=1)

    assert [passes(limiters.of(whole, own, pattern="/a")) for _ in range(4)] == [True, False, False, False]
    assert [passes(limiters.of(whole, pattern="/b")) for _ in range(3)] == [True, True, False]


def test_equal_limits_count_each_by_itself(limiters: Limiters) -> None:
    filters = limiters.of(RateLimit("PerIP", 4, 60), RateLimit("PerIP", 6, 60))

    assert [passes(filters) for _ in range(6)] == [True] * 4 + [False] * 2


def test_who_is_refused_as_a_user_does_not_count_as_an_address(limiters: Limiters) -> None:
    filters = limiters.of(RateLimit("PerIP", 3, 60), RateLimit("PerUser", 1, 60))
    ann, bob, eve = (Identity(name, "jwt") for name in ("ann", "bob", "eve"))

    assert passes(filters, identity=ann)
    assert not passes(filters, identity=ann)
    assert [passes(filters, identity=who) for who in (bob, eve, Identity("zoe", "jwt"))] == [True, True, False]


def test_a_limit_goes_on_counting_when_only_its_number_changes(limiters: Limiters) -> None:
    assert passes(limiters.of(ONE))
    assert passes(limiters.of(RateLimit("PerIP", 2, 60)))
    assert not passes(limiters.of(RateLimit("PerIP", 2, 60)))
    assert passes(limiters.of(RateLimit("PerIP", 1, 61)))


def test_without_limits_there_are_no_filters(limiters: Limiters) -> None:
    assert limiters.of() == ([], [])


# What the client is told.


def test_a_client_is_told_how_many_are_left(limiters: Limiters) -> None:
    ((limiter,), _) = limiters.of(RateLimit("PerIP", 90, 60, burst=10, window="TokenBucket"))
    request = Request()

    assert limiter.take(request) is None
    assert request.lines.decode().splitlines() == [
        'RateLimit-Policy: "PerIP";q=100;w=60',
        'RateLimit: "PerIP";r=99;t=1',
        "X-RateLimit-Limit: 100",
        "X-RateLimit-Remaining: 99",
        "X-RateLimit-Reset: 1",
    ]


def test_who_is_refused_is_told_when_to_come_again(limiters: Limiters) -> None:
    ((limiter,), _) = limiters.of(RateLimit("PerIP", 1, 60, window="FixedWindow"))
    limiter.take(Request())

    refused = Request(now=1_000_010.5)
    reply = limiter.take(refused)

    assert told(reply) == {
        "Retry-After": "50",
        "RateLimit-Policy": '"PerIP";q=1;w=60',
        "RateLimit": '"PerIP";r=0;t=50',
        "X-RateLimit-Limit": "1",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "50",
    }
    assert reply is not None
    assert isinstance(reply.error, RateLimited)
    assert (reply.status, reply.error.kind, reply.error.message) == (429, "rate_limit_error", "Rate limit exceeded")
    assert refused.lines == b""
    assert limiters.count(layout.RATE_LIMITED) == 1


def test_large_numbers_are_told_too(limiters: Limiters) -> None:
    ((limiter,), _) = limiters.of(RateLimit("PerIP", 2_000_000, 86_400))
    request = Request()
    limiter.take(request)

    assert b"\r\nX-RateLimit-Remaining: 1999999\r\n" in request.lines


def test_all_policies_are_named_and_the_nearest_limit_tells(limiters: Limiters) -> None:
    limits = (RateLimit("PerIP", 10, 60, is_global=True), RateLimit("PerRoute", 5, 60), RateLimit("PerIP", 7, 1))
    ((limiter,), _) = limiters.of(*limits)
    request = Request()
    limiter.take(request)

    assert request.lines.decode().splitlines()[:2] == [
        'RateLimit-Policy: "PerIP";q=10;w=60, "PerRoute";q=5;w=60, "PerIP-2";q=7;w=1',
        'RateLimit: "PerRoute";r=4;t=60',
    ]


def test_totals_are_told_once(limiters: Limiters) -> None:
    before, after = limiters.of(RateLimit("PerIP", 10, 60), RateLimit("PerUser", 5, 60))
    request = Request()
    for step in (*before, *after):
        assert step.take(request) is None

    names = [line.partition(": ")[0] for line in request.lines.decode().splitlines()]
    assert names.count("RateLimit") == names.count("RateLimit-Policy") == 2
    assert names.count("X-RateLimit-Limit") == names.count("X-RateLimit-Reset") == 1


def test_looking_says_what_taking_would_and_counts_nothing(limiters: Limiters) -> None:
    ((limiter,), _) = limiters.of(ONE)
    request = Request()

    assert [limiter.look(request) for _ in range(3)] == [None] * 3
    assert limiter.take(request) is None
    look = limiter.look(request)

    assert told(look) == told(limiter.take(request))
    assert limiters.count(layout.RATE_LIMITED) == 1


# Trying a limit out.


def test_a_dry_run_counts_what_it_would_refuse_and_says_nothing(limiters: Limiters) -> None:
    filters = limiters.of(RateLimit("PerIP", 1, 60, dry_run=True))
    request = Request()
    for _ in range(3):
        assert [step.take(request) for step in filters[0]] == [None]

    assert request.lines == b""
    assert filters[0][0].look(request) is None
    assert (limiters.count(layout.RATE_DRY_RUN), limiters.count(layout.RATE_LIMITED)) == (2, 0)


def test_a_dry_run_that_did_not_count_gives_nothing_back(limiters: Limiters) -> None:
    limiter = limiters.of(RateLimit("PerIP", 1, 60, dry_run=True))[0][0]
    request = Request()
    limiter.take(request)
    limiter.take(request)

    limiter.give_back(request)
    limiter.take(request)

    assert limiters.count(layout.RATE_DRY_RUN) == 2


def test_what_is_tried_out_takes_nothing_from_what_is_in_force(limiters: Limiters) -> None:
    filters = limiters.of(RateLimit("PerIP", 2, 60), RateLimit("PerUser", 1, 60, dry_run=True))
    assert [passes(filters) for _ in range(3)] == [True, True, False]
    assert limiters.count(layout.RATE_DRY_RUN) == 1


# How it is counted.


@pytest.mark.parametrize(
    ("limit", "kind", "most"),
    [
        (RateLimit("PerIP", 1000, 60, burst=24), LOG, 1024),
        (RateLimit("PerIP", 1000, 60, burst=25), PANES, 1025),
        (RateLimit("PerIP", 10, 60, window="FixedWindow"), FIXED, 10),
        (RateLimit("PerIP", 10, 60, burst=5, window="TokenBucket"), TOKENS, 15),
    ],
)
def test_the_window_decides_how_requests_are_counted(limit: RateLimit, kind: int, most: int) -> None:
    made = limit_of(limit)
    assert (made.kind, made.most) == (kind, most)
