"""What is stored is what the rules have made of it, not compressed; each client gets it as it likes."""

from collections.abc import Callable

import pytest

from kairos.config.policies import Cache, Compression
from kairos.config.transformations import JsonBody, JsonRule, Transformation
from kairos.shm import layout
from tests.decoding import decoded
from tests.proxy.caching.conftest import Site, answer
from tests.proxy.messages import unchunked
from tests.proxy.world import World, body_of, status_of

FRESH, TEXT = "Cache-Control: max-age=60", "Content-Type: text/plain"
JSON = "Content-Type: application/json"
SHORT, LONG = b"all work and no play\n" * 100, b"all work and no play\n" * 30_000
CHANGE = Transformation(json=JsonBody((JsonRule("set", "/by", "kairos"),)))


@pytest.mark.parametrize("body", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("is_slow", [False, True])
def test_a_hit_is_compressed_for_who_likes_it(
    world: World, open_site: Callable[..., Site], body: bytes, is_slow: bool
) -> None:
    site = open_site(compression=Compression())
    site.stores(FRESH, TEXT, 'ETag: "1"', body=body)
    world.threads.is_slow = is_slow
    for coding in ("gzip", "br", "identity", "zstd"):
        sent = site.get("/a", f"Accept-Encoding: {coding}")
        while world.threads.waiting:
            world.threads.work()
            world.settle()
        sent += site.client.receives()

        head, _, got = sent.partition(b"\r\n\r\n")
        assert b"Cache-Status: kairos; hit" in head
        assert b"\r\nVary: Accept-Encoding" in head
        if b"Transfer-Encoding: chunked" in head:
            got = unchunked(got)
        assert (got if coding == "identity" else decoded(coding, got)) == body
        assert (b'ETag: W/"1"' in head) is (coding != "identity")
    assert site.asked() == b""


def test_a_slow_thread_holds_the_stored_body_back(world: World, open_site: Callable[..., Site]) -> None:
    site = open_site(compression=Compression())
    site.stores(FRESH, TEXT, body=LONG)
    world.threads.is_slow = True

    site.get("/a", "Accept-Encoding: gzip")
    assert len(world.threads.waiting) == 1
    world.settle()
    assert len(world.threads.waiting) == 1

    site.client.leaves()
    world.threads.work()
    world.settle()
    assert site.client.receives() == b""


def test_a_validator_from_a_compressed_answer_gets_a_304_with_it(open_site: Callable[..., Site]) -> None:
    site = open_site(compression=Compression())
    site.stores(FRESH, TEXT, 'ETag: "1"', body=SHORT)

    sent = site.get("/a", "Accept-Encoding: gzip", 'If-None-Match: W/"1"')

    assert status_of(sent) == 304
    assert b'ETag: W/"1"' in sent


def test_changed_json_is_stored(open_site: Callable[..., Site]) -> None:
    site = open_site(response_change=CHANGE)
    site.get()
    first = site.answers(FRESH, JSON, body=b'{"a":1}')

    assert body_of(first) == body_of(site.get()) == b'{"a":1,"by":"kairos"}'
    assert site.asked().count(b"GET ") == 1


def test_a_stored_answer_stands_in_for_one_that_breaks_off_while_it_is_held(
    world: World, open_site: Callable[..., Site]
) -> None:
    site = open_site(Cache(), response_change=CHANGE)
    site.get()
    site.answers("Cache-Control: max-age=1, stale-if-error=60", JSON, body=b'{"a":1}')
    world.pass_time(5)

    assert site.get() == b""
    site.server.connection.sends(answer(FRESH, JSON, body=b'{"a":2}')[:-2])
    site.server.connection.resets()

    sent = site.client.receives()
    assert b"fwd=stale" in sent
    assert body_of(sent) == b'{"a":1,"by":"kairos"}'


def test_what_is_fetched_in_the_background_is_compressed_for_nobody(
    world: World, open_site: Callable[..., Site]
) -> None:
    site = open_site(Cache(stale_while_revalidate=60.0), compression=Compression())
    site.stores(FRESH, TEXT, body=LONG)
    world.pass_time(60)
    assert b"Content-Encoding: br" in site.get("/a", "Accept-Encoding: br")
    assert site.asked() != b""

    world.threads.is_slow = True
    site.server.connection.sends(answer(FRESH, TEXT, body=LONG))

    assert not world.threads.waiting
    assert world.count(layout.IN_FLIGHT) == 0
    assert world.plane.in_flight == 0
