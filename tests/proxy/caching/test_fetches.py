"""What happens when a backend has to be asked: storing, validation, errors, and those who wait."""

import errno
import gc
from collections.abc import Callable

import pytest

from kairos.config.policies import Cache
from kairos.proxy.caching.desk import WAIT_SECONDS
from kairos.shm import layout
from tests.proxy.caching.conftest import Site
from tests.proxy.messages import LATE
from tests.proxy.world import body_of, status_of

FRESH = "Cache-Control: max-age=60"
STALE = "Cache-Control: max-age=0"


def refused() -> OSError:
    return OSError(errno.ECONNREFUSED, "refused")


@pytest.mark.parametrize(
    "lines",
    [
        ("Cache-Control: no-store",),
        ("Cache-Control: private, max-age=60",),
        (FRESH, "Set-Cookie: a=b"),
        (FRESH, "Vary: *"),
        (FRESH, "Content-Range: bytes 0-4/9"),
        (),
    ],
    ids=lambda lines: " ".join(lines) or "nothing",
)
def test_what_may_not_be_stored_is_not(site: Site, lines: tuple[str, ...]) -> None:
    site.get()

    answer = site.answers(*lines)

    assert body_of(answer) == b"hello"
    assert b"\r\nCache-Status: kairos; fwd=uri-miss; fwd-status=200\r\n" in answer
    assert not site.world.store.entries
    assert site.get() == b""


def test_a_request_that_was_authenticated_has_its_answer_to_itself(site: Site) -> None:
    site.get("/a", "Authorization: Basic eDp5")
    assert b"stored" not in site.answers(FRESH)
    site.get("/a", "Authorization: Basic eDp5")
    assert b"stored" in site.answers("Cache-Control: public, max-age=60")


def test_a_body_that_is_too_large_passes(open_site: Callable[..., Site]) -> None:
    site = open_site(Cache(max_body_bytes=4))
    site.get()
    assert b"stored" not in site.answers(FRESH)

    site.get()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n"
    site.server.connection.sends(head, b"4\r\nhell\r\n", b"1\r\no\r\n0\r\n\r\n")
    assert body_of(site.client.receives()) == b"4\r\nhell\r\n1\r\no\r\n0\r\n\r\n"
    assert not site.world.store.entries


def test_a_disk_that_is_full_is_no_reason_not_to_answer(site: Site) -> None:
    site.world.store.is_full = True
    site.get()

    assert body_of(site.answers(FRESH)) == b"hello"
    assert not site.world.store.entries


def test_an_answer_that_breaks_off_is_not_stored(site: Site) -> None:
    site.get()
    site.server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nCache-Control: max-age=60\r\n\r\nhell")
    site.server.connection.resets()

    assert not site.client.is_open
    assert not site.world.store.entries
    assert site.world.store.aborted == 1


def test_a_client_that_leaves_stores_nothing(site: Site) -> None:
    site.get()
    site.server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nCache-Control: max-age=60\r\n\r\nhell")

    site.client.leaves()

    assert not site.world.store.entries


def test_the_backend_is_asked_for_the_whole(site: Site) -> None:
    site.get("/a", 'If-None-Match: "1"', "If-Modified-Since: Fri, 27 Nov 2026 02:00:00 GMT")

    asked = site.asked()
    assert b"If-None-Match" not in asked
    assert b"If-Modified-Since" not in asked
    answer = site.answers(FRESH, 'ETag: "1"')
    assert status_of(answer) == 304
    assert body_of(answer) == b""
    assert body_of(site.get()) == b"hello"


def test_a_part_is_asked_for_as_it_is(site: Site) -> None:
    site.get("/a", "Range: bytes=1-2")

    assert b"Range: bytes=1-2" in site.asked()
    answer = site.answers(FRESH, "Content-Range: bytes 1-2/5", body=b"el", status="206 Partial Content")
    assert status_of(answer) == 206
    assert not site.world.store.entries


def test_what_may_not_be_stored_is_asked_for_as_it_is(site: Site) -> None:
    site.get()
    site.answers("Cache-Control: no-store", 'ETag: "1"')
    site.asked()

    site.get("/a", 'If-None-Match: "1"')
    assert b'If-None-Match: "1"' in site.asked()
    assert status_of(site.answers(status="304 Not Modified", body=b"")) == 304


# Validation.


def test_a_304_renews_what_is_stored(site: Site) -> None:
    site.stores(FRESH, 'ETag: "1"', "X-Version: 1")
    site.world.pass_time(60)

    assert site.get() == b""
    assert b'\r\nIf-None-Match: "1"\r\n' in site.asked()
    answer = site.answers("Cache-Control: max-age=30", 'ETag: "1"', "X-Version: 2", status="304 Not Modified", body=b"")

    assert status_of(answer) == 200
    assert body_of(answer) == b"hello"
    assert b"\r\nX-Version: 2\r\n" in answer
    assert b"Cache-Status: kairos; fwd=stale; fwd-status=304; ttl=30\r\n" in answer
    site.world.pass_time(29)
    assert b"\r\nX-Version: 2\r\n" in site.get()
    assert len(site.server.connections) == 1 or site.server.connection.is_open


def test_no_cache_is_stored_and_validated_each_time(site: Site) -> None:
    site.stores("Cache-Control: no-cache", 'ETag: "1"')

    for _ in range(2):
        assert site.get() == b""
        assert b'If-None-Match: "1"' in site.asked()
        assert body_of(site.answers('ETag: "1"', status="304 Not Modified", body=b"")) == b"hello"


def test_a_client_with_a_condition_of_its_own_gets_its_304(site: Site) -> None:
    site.stores(STALE, 'ETag: "1"')

    site.get("/a", 'If-None-Match: "1"')
    answer = site.answers('ETag: "1"', status="304 Not Modified", body=b"")

    assert status_of(answer) == 304


def test_a_new_answer_takes_the_place_of_the_old_one(site: Site) -> None:
    site.stores(STALE, 'ETag: "1"')

    site.get()
    assert body_of(site.answers(FRESH, 'ETag: "2"', body=b"new")) == b"new"
    assert body_of(site.get()) == b"new"


def test_what_is_stored_goes_when_its_successor_may_not_be_stored(site: Site) -> None:
    site.stores(STALE, 'ETag: "1"')

    site.get()
    site.answers("Cache-Control: private")

    assert not site.world.store.entries


# Stale answers.


def test_a_stale_answer_is_sent_while_a_new_one_is_fetched(site: Site) -> None:
    site.stores("Cache-Control: max-age=10, stale-while-revalidate=20", 'ETag: "1"')
    site.world.pass_time(15)

    answer = site.get()

    assert body_of(answer) == b"hello"
    assert b"Cache-Status: kairos; hit; ttl=-5\r\n" in answer
    assert b'If-None-Match: "1"' in site.asked()
    assert body_of(site.get()) == b"hello"
    assert site.asked() == b""  # one is on its way
    site.server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nCache-Control: max-age=9\r\n\r\nnew")
    assert body_of(site.get()) == b"new"
    assert site.world.count(layout.IN_FLIGHT) == 0


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad Gateway", "503 Unavailable", "504 Timeout"])
def test_a_stale_answer_is_better_than_an_error(site: Site, status: str) -> None:
    site.stores("Cache-Control: max-age=10, stale-if-error=20")
    site.world.pass_time(15)

    site.get()
    answer = site.answers(status=status)

    assert status_of(answer) == 200
    assert body_of(answer) == b"hello"
    assert f"fwd=stale; fwd-status={status[:3]}; ttl=-5".encode() in answer
    assert site.client.is_open


def test_a_stale_answer_is_better_than_a_dead_backend(open_site: Callable[..., Site]) -> None:
    site = open_site(Cache(stale_if_error=20))
    site.stores("Cache-Control: max-age=10")
    site.server.connection.resets()
    site.server.error = refused
    site.world.pass_time(15)

    assert body_of(site.get()) == b"hello"
    connects = site.world.count(layout.UPSTREAM_CONNECTS)
    assert body_of(site.get()) == b"hello"
    assert site.world.count(layout.UPSTREAM_CONNECTS) == connects  # it has failed a moment ago
    site.world.pass_time(20)
    assert status_of(site.get()) == 502


def test_an_answer_that_must_be_validated_is_no_better_than_an_error(open_site: Callable[..., Site]) -> None:
    site = open_site(Cache(stale_if_error=20, stale_while_revalidate=20))
    site.stores("Cache-Control: max-age=10, must-revalidate")
    site.world.pass_time(15)

    site.get()
    assert status_of(site.answers(status="503 Unavailable")) == 503


# Those who wait.


def test_many_requests_for_the_same_are_one_for_the_backend(site: Site) -> None:
    site.get()
    others = [site.world.client() for _ in range(5)]
    for other in others:
        assert site.get(client=other) == b""
    assert site.asked().count(b"GET /a ") == 1

    site.answers(FRESH)

    for other in others:
        answer = other.receives()
        assert body_of(answer) == b"hello"
        assert b"Cache-Status: kairos; fwd=uri-miss; collapsed; ttl=60\r\n" in answer
    assert site.asked() == b""


def test_those_who_wait_in_vain_all_go_at_once(site: Site) -> None:
    site.get()
    others = [site.world.client() for _ in range(5)]
    for other in others:
        site.get(client=other)
    site.asked()

    site.server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nCache-Control: no-store\r\n\r\n")

    assert site.asked().count(b"GET /a ") == 5
    later = site.world.client()
    site.get(client=later)
    assert site.asked().count(b"GET /a ") == 1  # nobody waits for it again


def test_when_the_first_client_leaves_another_asks(site: Site) -> None:
    first, second, third = (site.world.client() for _ in range(3))
    for client in (first, second, third):
        site.get(client=client)
    site.asked()

    first.leaves()

    assert site.asked().count(b"GET /a ") == 1
    site.answers(FRESH)
    assert body_of(second.receives()) == body_of(third.receives()) == b"hello"


def test_nobody_waits_for_ever(site: Site) -> None:
    first, second = site.world.client(), site.world.client()
    site.get(client=first)
    site.get(client=second)
    site.asked()

    site.world.pass_time(WAIT_SECONDS + LATE)

    assert site.asked().count(b"GET /a ") == 1


def test_who_waits_may_leave(site: Site) -> None:
    second = site.world.client()
    site.get()
    site.get(client=second)

    second.leaves()
    site.answers(FRESH)

    assert body_of(site.get()) == b"hello"


def test_an_error_lets_all_go_at_once(site: Site) -> None:
    second, third = site.world.client(), site.world.client()
    for client in (site.client, second, third):
        site.get(client=client)
    site.asked()

    assert status_of(site.answers(status="500 Oops")) == 500

    assert site.asked().count(b"GET /a ") == 2


# Invalidation and purges.


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_an_unsafe_request_that_goes_well_invalidates(site: Site, method: str) -> None:
    site.stores(FRESH)
    site.stores(FRESH, target="/b")

    site.get(method=method)
    site.answers("Location: /b", status="201 Created", body=b"")

    assert site.get() == b""
    site.answers()
    assert site.get("/b") == b""


def test_an_unsafe_request_that_fails_changes_nothing(site: Site) -> None:
    site.stores(FRESH)

    site.get(method="POST")
    site.answers(status="409 Conflict")

    assert body_of(site.get()) == b"hello"


def test_other_hosts_are_not_invalidated(site: Site) -> None:
    site.stores(FRESH, target="/b")

    site.get(method="POST")
    site.answers("Location: http://example.org/b", status="201 Created", body=b"")

    assert body_of(site.get("/b")) == b"hello"


def test_a_route_of_another_method_invalidates_too(open_site: Callable[..., Site]) -> None:
    site = open_site()
    world = site.world
    world.configure(
        world.route("/a", site.server, methods=("GET",), cache=Cache()),
        world.route("/a", site.server, methods=("POST",)),
    )
    site.stores(FRESH)

    site.get(method="POST")
    site.answers()

    assert site.get() == b""


def test_purges_are_for_those_who_may(open_site: Callable[..., Site]) -> None:
    assert status_of(open_site().get(method="PURGE")) == 405
    assert status_of(open_site(Cache(purge_from=("10.0.0.0/8",))).get(method="PURGE")) == 403


def test_a_purge_forgets_a_path_with_all_its_queries(open_site: Callable[..., Site]) -> None:
    site = open_site(Cache(purge_from=("192.0.2.0/24",)))
    for target in ("/a", "/a?x=1", "/a/b", "/c"):
        site.stores(FRESH, target=target)

    answer = site.get("/%61", method="PURGE")

    assert body_of(answer) == b'{"purged":{"path":"/a","below":false}}'
    assert site.get("/a/b") != b"" and site.get("/c") != b""
    assert site.get("/a") == b""


def test_a_purge_forgets_all_below_a_path(open_site: Callable[..., Site]) -> None:
    site = open_site(Cache(purge_from=("192.0.2.0/24",)))
    for target in ("/a", "/a/b", "/a/b/c"):
        site.stores(FRESH, target=target)

    site.get("/a/*", method="PURGE")

    assert site.get("/a") != b""
    assert site.get("/a/b") == b""


def test_a_purge_forgets_what_has_a_tag(open_site: Callable[..., Site]) -> None:
    site = open_site(Cache(purge_from=("192.0.2.0/24",)))
    site.stores(FRESH, "Cache-Tag: news, sport", target="/a")
    site.stores(FRESH, "Cache-Tag: news", target="/b")

    assert body_of(site.get("/", "Cache-Tag: sport", method="PURGE")) == b'{"purged":{"tags":["sport"]}}'

    assert site.get("/b") != b""
    assert site.get("/a") == b""


# What can go wrong meanwhile.


def test_a_backend_that_fails_is_not_asked_in_the_background_again_at_once(open_site: Callable[..., Site]) -> None:
    site = open_site(Cache(stale_while_revalidate=60))
    site.stores("Cache-Control: max-age=10")
    site.server.connection.resets()
    site.server.error = refused
    site.world.pass_time(15)
    connects = site.world.count(layout.UPSTREAM_CONNECTS)

    for _ in range(3):
        assert body_of(site.get()) == b"hello"

    assert site.world.count(layout.UPSTREAM_CONNECTS) == connects + 1
    assert site.world.count(layout.IN_FLIGHT) == 0


@pytest.mark.parametrize("line", [b"GET /a HTTP/1.0", b"HEAD /a HTTP/1.1"])
def test_any_client_makes_the_gateway_ask_in_the_background(site: Site, line: bytes) -> None:
    site.stores("Cache-Control: max-age=10, stale-while-revalidate=20")
    site.world.pass_time(15)

    site.client.sends(line + b"\r\nHost: example.com\r\n\r\n")
    assert b"hit; ttl=-5" in site.client.receives()

    asked = site.asked()
    assert asked.startswith(b"GET /a HTTP/1.1\r\n")
    assert b"\r\nX-Forwarded-For: 192.0.2.1\r\n" in asked
    site.server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nCache-Control: max-age=9\r\n\r\nnew")
    assert body_of(site.get(client=site.world.client())) == b"new"


def test_a_large_stale_answer_stands_in_too(site: Site) -> None:
    body = bytes(500_000)
    site.world.store.large = 1000
    site.stores("Cache-Control: max-age=10, stale-if-error=20", body=body)
    site.world.pass_time(15)

    site.get()
    site.server.connection.sends(b"HTTP/1.1 503 Busy\r\nContent-Length: 400000\r\n\r\nhalf")
    site.world.settle()

    assert body_of(site.client.receives()) == body
    assert site.client.is_open


def test_a_stored_body_that_is_lost_is_an_error_where_nothing_else_is_left(site: Site) -> None:
    site.world.store.large = 1
    site.stores(STALE, 'ETag: "1"')
    site.get()
    for entry in site.world.store.entries.values():
        entry.is_lost = True
    site.world.store.entries.clear()

    assert status_of(site.answers(status="304 Not Modified", body=b"")) == 502


def test_those_who_wait_for_what_gets_too_large_go_on(open_site: Callable[..., Site]) -> None:
    site = open_site(Cache(max_body_bytes=10))
    second = site.world.client()
    site.get()
    site.get(client=second)
    site.asked()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n"

    site.server.connection.sends(head, b"14\r\n" + bytes(20) + b"\r\n")

    assert site.asked().count(b"GET /a ") == 1


def test_those_who_wait_for_what_has_no_room_go_on(site: Site) -> None:
    second = site.world.client()
    site.get()
    site.get(client=second)
    site.world.store.is_full = True
    site.asked()

    site.answers(FRESH)

    assert site.asked().count(b"GET /a ") == 1


def test_what_was_purged_meanwhile_is_not_stored(open_site: Callable[..., Site]) -> None:
    site = open_site(Cache(purge_from=("192.0.2.0/24",)))
    site.stores(FRESH)
    site.world.pass_time(60)
    other = site.world.client()
    site.get(client=other)

    site.get("/a", method="PURGE")
    site.server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nCache-Control: max-age=9\r\n\r\nold")

    assert body_of(other.receives()) == b"old"
    assert site.get() == b""


def test_hits_and_fetches_are_counted(site: Site) -> None:
    site.stores(STALE, 'ETag: "1"')
    site.get()
    site.answers(FRESH, 'ETag: "1"', status="304 Not Modified", body=b"")
    site.get()

    assert site.world.count(layout.CACHE_HITS) == 1
    assert site.world.count(layout.CACHE_FETCHES) == 2


def test_nothing_of_an_exchange_is_left(site: Site) -> None:
    gc.collect()
    waiting = site.world.client()
    site.get()
    site.get(client=waiting)
    site.answers(FRESH)
    site.world.store.large = 1
    site.stores(FRESH, target="/large", body=bytes(300_000))
    site.get("/large")
    site.world.settle()
    waiting.resets()
    site.client.resets()

    gc.disable()
    try:
        assert not [one for one in gc.get_objects() if type(one).__name__ in ("Exchange", "Fetch", "Waiter", "Reel")]
    finally:
        gc.enable()


@pytest.mark.parametrize("how", [("HEAD",), ("GET", "Range: bytes=1-2")])
def test_a_stale_answer_stands_in_for_what_is_not_stored_too(site: Site, how: tuple[str, ...]) -> None:
    site.stores("Cache-Control: max-age=10, stale-if-error=20")
    site.world.pass_time(15)

    site.get("/a", *how[1:], method=how[0])
    site.server.connection.sends(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    answer = site.client.receives()
    assert status_of(answer) == (200 if how[0] == "HEAD" else 206)
    assert body_of(answer) == (b"" if how[0] == "HEAD" else b"el")
    assert answer.count(b"Cache-Status") == 1
    assert site.asked().startswith(how[0].encode())


def test_an_answer_to_head_does_not_touch_what_is_stored(site: Site) -> None:
    site.stores(STALE, 'ETag: "1"')

    site.get("/a", 'If-None-Match: "1"', method="HEAD")
    site.server.connection.sends(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nCache-Control: max-age=9\r\n\r\n')

    assert status_of(site.client.receives()) == 304
    assert site.get() == b""
