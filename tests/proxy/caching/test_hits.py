"""What is answered without a backend."""

from collections.abc import Callable

import pytest

from kairos.config.policies import Cache
from tests.proxy.caching.conftest import Site
from tests.proxy.world import body_of, status_of

FRESH = "Cache-Control: max-age=60"


def field(answer: bytes, name: bytes) -> bytes | None:
    lines = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    values = [value.strip() for field, _, value in (line.partition(b":") for line in lines) if field.lower() == name]
    return b", ".join(values) if values else None


def test_a_fresh_answer_needs_no_backend(site: Site) -> None:
    site.stores(FRESH, "X-Other: 1", "Connection: keep-alive")
    site.world.pass_time(10)

    answer = site.get()

    assert body_of(answer) == b"hello"
    assert field(answer, b"age") == b"10"
    assert field(answer, b"cache-status") == b"kairos; hit; ttl=50"
    assert field(answer, b"content-length") == b"5"
    assert field(answer, b"x-other") == b"1"
    assert field(answer, b"connection") is None
    assert site.asked() == b""


def test_a_stale_answer_is_not_sent(site: Site) -> None:
    site.stores(FRESH)
    site.world.pass_time(60)

    assert site.get() == b""
    assert field(site.answers(FRESH), b"cache-status") == b"kairos; fwd=stale; fwd-status=200; stored"


def test_head_is_answered_from_a_stored_get(site: Site) -> None:
    site.stores(FRESH)

    answer = site.get(method="HEAD")

    assert status_of(answer) == 200
    assert field(answer, b"content-length") == b"5"
    assert body_of(answer) == b""


def test_an_answer_to_head_is_not_stored(site: Site) -> None:
    site.get(method="HEAD")
    site.server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nCache-Control: max-age=60\r\n\r\n")

    assert field(site.client.receives(), b"cache-status") == b"kairos; fwd=uri-miss"
    assert site.get() == b""


def test_chunks_are_stored_as_one(site: Site) -> None:
    site.get()
    site.server.connection.sends(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=9\r\n\r\n3\r\nhel\r\n",
        b"2\r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n",
    )
    assert body_of(site.client.receives()).endswith(b"0\r\n\r\n")

    answer = site.get()
    assert field(answer, b"content-length") == b"5"
    assert body_of(answer) == b"hello"


@pytest.mark.parametrize("status", ["204 No Content", "404 Not Found", "301 Moved Permanently"])
def test_other_statuses_are_stored_too(site: Site, status: str) -> None:
    site.get()
    site.server.connection.sends(
        f"HTTP/1.1 {status}\r\nCache-Control: max-age=9\r\n".encode()
        + (b"\r\n" if status[0] == "2" else b"Content-Length: 0\r\n\r\n")
    )
    site.client.receives()

    assert status_of(site.get()) == int(status[:3])
    assert site.client.is_open


def test_the_client_has_it_already(site: Site) -> None:
    site.stores(FRESH, 'ETag: "1"', "Content-Type: text/plain", "Vary: Accept")

    answer = site.get("/a", 'If-None-Match: "0", W/"1"')

    assert status_of(answer) == 304
    assert body_of(answer) == b""
    assert field(answer, b"etag") == b'"1"'
    assert field(answer, b"vary") == b"Accept"
    assert field(answer, b"content-type") is None
    assert field(answer, b"content-length") is None


def test_a_part_of_it(site: Site) -> None:
    site.stores(FRESH, 'ETag: "1"')

    answer = site.get("/a", "Range: bytes=1-3", 'If-Range: "1"')

    assert status_of(answer) == 206
    assert field(answer, b"content-range") == b"bytes 1-3/5"
    assert body_of(answer) == b"ell"
    assert status_of(site.get("/a", "Range: bytes=1-3", 'If-Range: "2"')) == 200
    assert status_of(site.get("/a", "Range: bytes=5-")) == 416
    assert site.asked() == b""


def test_answers_vary_by_what_the_backend_says(site: Site) -> None:
    site.get("/a", "Accept-Encoding: gzip, br")
    site.answers(FRESH, "Vary: Accept-Encoding", body=b"small")
    assert site.get("/a", "Accept-Encoding: identity") == b""
    assert b"fwd=vary-miss" in site.answers(FRESH, "Vary: Accept-Encoding", body=b"plain")

    assert body_of(site.get("/a", "Accept-Encoding: br,GZIP")) == b"small"
    assert body_of(site.get("/a", "Accept-Encoding: identity")) == b"plain"
    assert site.get("/a") == b""


def test_answers_vary_by_what_the_route_says(open_site: Callable[..., Site]) -> None:
    site = open_site(Cache(headers=("x-device",)))
    site.get("/a", "X-Device: phone")
    site.answers(FRESH, body=b"small")

    assert body_of(site.get("/a", "X-Device: phone")) == b"small"
    assert site.get("/a", "X-Device: desk") == b""


def test_only_parameters_that_count_tell_answers_apart(open_site: Callable[..., Site]) -> None:
    site = open_site(Cache(query=("id",)))
    site.stores(FRESH, target="/a?utm=1&id=2")

    assert body_of(site.get("/a?id=2&utm=3")) == b"hello"
    assert site.get("/a?%69d=3") == b""


def test_hosts_share_answers_if_the_route_says_so(open_site: Callable[..., Site]) -> None:
    site = open_site(Cache(by_host=False))
    site.stores(FRESH)

    site.client.sends(b"GET /a HTTP/1.1\r\nHost: example.org\r\n\r\n")

    assert body_of(site.client.receives()) == b"hello"


def test_schemes_do_not_share_answers(open_site: Callable[..., Site], world: object) -> None:
    site = open_site()
    site.world.configure(
        site.world.route("/{rest...}", site.server, cache=Cache()), trusted_proxies=("192.0.2.1",)
    )
    site.stores(FRESH)

    assert site.get("/a", "X-Forwarded-Proto: https") == b""


def test_large_bodies_are_sent_in_pieces(site: Site) -> None:
    body = bytes(range(256)) * 4000
    site.world.store.large = 1000
    site.stores(FRESH, body=body)
    site.client.stops_reading()
    site.client.sends(b"GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n")
    first = site.client.receives()
    assert len(first) < 300_000

    site.client.reads_on()
    site.world.settle()

    assert body_of(first + site.client.receives()) == body
    assert body_of(site.get("/a", "Range: bytes=300000-599999")) == body[300_000:600_000]


def test_who_leaves_in_the_middle_of_a_large_body_leaves_nothing(site: Site) -> None:
    site.world.store.large = 1000
    site.stores(FRESH, body=bytes(1_000_000))
    site.client.stops_reading()
    site.client.sends(b"GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n")

    site.client.resets()

    assert site.world.plane.in_flight == 0
    assert not site.world.plane.downstreams


def test_what_cannot_be_read_is_fetched_again(site: Site) -> None:
    site.world.store.large = 1
    site.stores(FRESH)
    for entry in site.world.store.entries.values():
        entry.is_lost = True

    assert site.get() == b""
    assert b"fwd=uri-miss" in site.answers(FRESH)


def test_requests_with_a_body_pass(site: Site) -> None:
    site.stores(FRESH)

    site.client.sends(b"GET /a HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1\r\n\r\nx")

    assert site.asked().endswith(b"x")
    assert field(site.answers(FRESH), b"cache-status") == b"kairos; fwd=bypass"


def test_conditions_for_the_origin_pass(site: Site) -> None:
    site.stores(FRESH)

    site.get("/a", 'If-Match: "1"')

    assert b'If-Match: "1"' in site.asked()
    site.answers()


def test_what_clients_want_does_not_matter(site: Site) -> None:
    site.stores(FRESH)

    assert body_of(site.get("/a", "Cache-Control: no-cache", "Pragma: no-cache")) == b"hello"


def test_what_clients_want_matters_if_the_route_says_so(open_site: Callable[..., Site]) -> None:
    site = open_site(Cache(obeys_clients=True))
    assert status_of(site.get("/a", "Cache-Control: only-if-cached")) == 504
    site.stores(FRESH)
    site.world.pass_time(30)

    assert body_of(site.get("/a", "Cache-Control: max-age=30")) == b"hello"
    assert site.get("/a", "Cache-Control: max-age=29") == b""
    assert b"fwd=request" in site.answers(FRESH)
    site.world.pass_time(70)
    assert body_of(site.get("/a", "Cache-Control: max-stale=10")) == b"hello"
    assert status_of(site.get("/a", "Cache-Control: only-if-cached")) == 504


def test_what_is_about_the_client_is_not_stored(open_site: Callable[..., Site]) -> None:
    site = open_site(security_headers=(("X-Frame-Options", "DENY"),))
    site.stores(FRESH, "X-Frame-Options: SAMEORIGIN", "Cache-Tag: one two")

    answer = site.get()

    assert field(answer, b"x-frame-options") == b"DENY"
    assert field(answer, b"x-request-id") is not None
    assert field(answer, b"cache-tag") is None


def test_answers_outlive_a_reload_that_does_not_touch_them(site: Site) -> None:
    site.stores(FRESH)
    route = site.world.route("/{rest...}", site.server, cache=Cache(), auth_required=False, slow_start=5.0)
    site.world.configure(route)
    assert body_of(site.get()) == b"hello"

    site.world.configure(site.world.route("/{rest...}", site.server, internal="/v2/{rest}", cache=Cache()))
    assert site.get() == b""
    assert site.asked().startswith(b"GET /v2/a ")


def test_a_host_that_only_the_backend_is_told_of_has_answers_of_its_own(open_site: Callable[..., Site]) -> None:
    site = open_site()
    site.world.configure(site.world.route("/{rest...}", site.server, cache=Cache()), trusted_proxies=("192.0.2.1",))
    site.get("/a", "X-Forwarded-Host: evil.example")
    site.answers(FRESH, body=b"evil!")

    assert site.get() == b""
    site.answers(FRESH)
    assert body_of(site.get()) == b"hello"
    assert body_of(site.get("/a", "X-Forwarded-Host: evil.example")) == b"evil!"


def test_requests_that_name_no_host_share_answers(site: Site) -> None:
    site.client.sends(b"GET /a HTTP/1.0\r\n\r\n")
    site.answers(FRESH)
    other = site.world.client(peername=("192.0.2.77", 1))

    other.sends(b"GET /a HTTP/1.0\r\n\r\n")

    assert body_of(other.receives()) == b"hello"
