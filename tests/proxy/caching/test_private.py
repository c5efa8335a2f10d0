"""What is for one client gets to no other; and what is asked in the background, for nobody, ends."""

from collections.abc import Callable

import pytest

from kairos.config.credentials import Jwt
from kairos.config.policies import Cache, Compression, WebSocket
from kairos.config.transformations import StatusRule, Transformation
from kairos.shm import layout
from tests.proxy.caching.conftest import Site, answer
from tests.proxy.world import World, body_of, status_of

FRESH = "Cache-Control: max-age=60"


def test_a_cookie_of_a_304_is_for_its_client_alone(site: Site) -> None:
    site.stores("Cache-Control: max-age=10", 'ETag: "1"')
    site.world.pass_time(15)
    site.get()

    answer = site.answers("Set-Cookie: a=secret", "Set-Cookie: b=2", status="304 Not Modified", body=b"")

    assert b"\r\nSet-Cookie: a=secret\r\nSet-Cookie: b=2\r\n" in answer
    other = site.get(client=site.world.client())
    assert b"; hit;" in other
    assert b"secret" not in other


def test_a_304_for_a_client_with_authorization_renews_nothing_for_others(site: Site) -> None:
    site.stores("Cache-Control: max-age=10", 'ETag: "1"', "X-User: none")
    site.world.pass_time(15)
    site.get("/a", "Authorization: Basic eDp5")

    assert body_of(site.answers("X-User: x", status="304 Not Modified", body=b"")) == b"hello"
    site.asked()

    assert site.get(client=site.world.client()) == b""
    assert b'If-None-Match: "1"' in site.asked()


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_what_varies_by_what_only_the_gateway_says_is_not_stored(site: Site, name: str) -> None:
    site.get()

    assert b"stored" not in site.answers(FRESH, f"Vary: {name}")
    assert not site.world.store.entries


def test_a_field_that_the_backend_does_not_get_selects_no_variant(site: Site) -> None:
    site.get("/a", "Accept-Language: de", "Connection: Accept-Language")
    assert b"Accept-Language" not in site.asked()
    assert b"stored" not in site.answers(FRESH, "Vary: Accept-Language")

    assert site.get("/a", "Accept-Language: de") == b""
    assert b"stored" in site.answers(FRESH, "Vary: Accept-Language")


@pytest.mark.parametrize("line", ["X-HTTP-Method-Override: HEAD", "X-Original-URL: /b", "X-Forwarded-Scheme: http"])
def test_what_some_backends_take_for_another_request_is_not_stored(site: Site, line: str) -> None:
    site.get("/a", line)
    assert b"Cache-Status: kairos; fwd=bypass\r\n" in site.answers(FRESH, body=b"other")

    assert site.get() == b""
    site.answers(FRESH)
    assert body_of(site.get("/a", line)) == b"hello"


# In the background.


def test_an_answer_for_nobody_that_is_compressed_in_a_thread_ends(open_site: Callable[..., Site]) -> None:
    site = open_site(compression=Compression())
    gzip = "Accept-Encoding: gzip"
    site.get("/a", gzip)
    site.answers("Cache-Control: max-age=10, stale-while-revalidate=20", "Content-Type: text/plain")
    site.world.pass_time(15)
    assert b"; hit;" in site.get("/a", gzip)
    site.world.threads.is_slow = True

    site.server.connection.sends(
        b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\nContent-Type: text/plain\r\nCache-Control: max-age=60\r\n\r\n",
        b"x" * 100_000,
        b"y" * 100_000,
    )
    while site.world.threads.waiting:
        site.world.threads.work()
        site.world.settle()

    assert site.world.count(layout.IN_FLIGHT) == 0
    assert b"; hit; ttl=60" in site.get("/a")


@pytest.mark.parametrize("lines", ["Cache-Control: no-store", "Cache-Control: max-age=60"])
def test_nobody_reads_what_is_not_stored(open_site: Callable[..., Site], lines: str) -> None:
    site = open_site(Cache(max_body_bytes=8))
    site.stores("Cache-Control: max-age=10, stale-while-revalidate=20")
    site.world.pass_time(15)
    assert b"; hit;" in site.get()

    head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{lines}\r\n\r\n"
    site.server.connection.sends(head.encode(), b"5\r\nhello\r\n", b"5\r\nhello\r\n")
    site.world.settle()

    assert not site.server.connection.is_open
    assert site.world.count(layout.IN_FLIGHT) == 0


def test_a_client_with_a_certificate_has_its_answer_to_itself(site: Site) -> None:
    shown = b"X-Client-Cert-Verified: SUCCESS\r\nX-Client-Cert-Subject: CN=x\r\n"
    for certificate, is_stored in ((shown, False), (b"X-Client-Cert-Verified: NONE\r\n", True)):
        client = site.world.client()
        client.protocol.secured("", certificate)
        site.get(client=client)

        assert certificate in site.asked()
        assert (b"stored" in site.answers(FRESH, client=client)) is is_stored


def test_the_background_shows_the_certificate_of_the_client(site: Site) -> None:
    shown = b"X-Client-Cert-Verified: SUCCESS\r\n"
    client = site.world.client()
    client.protocol.secured("", shown)
    site.get(client=client)
    site.answers("Cache-Control: public, max-age=10, stale-while-revalidate=20", client=client)
    site.asked()
    site.world.pass_time(15)

    assert b"; hit;" in site.get(client=client)

    assert shown in site.asked()


def test_a_claim_that_backends_are_told_selects_no_variant(world: World) -> None:
    server = world.server()
    jwt = Jwt(("HS256",), "s" * 32, forwarded=(("sub", "X-User"),))
    world.configure(world.route("/{rest...}", server, cache=Cache()), jwt=jwt)
    client = world.client()
    client.sends(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")

    server.connection.sends(answer("Cache-Control: public, max-age=60", "Vary: X-User"))

    assert b"stored" not in client.receives()
    assert not world.store.entries


def test_a_handshake_is_not_answered_from_the_cache(world: World) -> None:
    server = world.server()
    world.configure(world.route("/{rest...}", server, cache=Cache(), protocol="http", websocket=WebSocket()))
    first, second = world.client(), world.client()
    offer = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n"

    for client in (first, second):  # neither waits for the other
        client.sends(b"GET /a HTTP/1.1\r\nHost: a\r\n" + offer % (b"A" * 22 + b"==") + b"\r\n")

    assert [peer.receives().count(b"Upgrade: websocket") for peer in server.connections] == [1, 1]


def test_a_client_that_has_the_answer_gets_its_cookie_nevertheless(site: Site) -> None:
    site.get("/a", 'If-None-Match: "1"')

    sent = site.answers(FRESH, 'ETag: "1"', "Set-Cookie: a=b")

    assert status_of(sent) == 304
    assert b"\r\nSet-Cookie: a=b\r\n" in sent
    assert not site.world.store.entries


def test_answers_vary_by_what_the_route_looks_at_when_it_changes_them(open_site: Callable[..., Site]) -> None:
    rules = (StatusRule(200, 203, "request.X-Old exists"),)
    site = open_site(response_change=Transformation(statuses=rules))
    site.get("/a", "X-Old: 1")
    assert status_of(site.answers(FRESH)) == 203

    assert site.get() == b""
    assert status_of(site.answers(FRESH)) == 200
    assert status_of(site.get("/a", "X-Old: 1")) == 203
    assert status_of(site.get()) == 200
