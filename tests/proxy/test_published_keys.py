"""Keys that are fetched: when, how often, and what holds while they cannot be."""

import asyncio
import threading
import weakref
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from kairos.config.credentials import Jwt, KeySource
from kairos.proxy.published_keys import KEPT_SECONDS, KeyFetcher, PublishedKeys, download, read
from kairos.security.keys import KeyRing
from tests.proxy.world import plane_on

SOURCE = KeySource(url="https://id.example/keys", seconds=600)
SETTINGS = Jwt(("ES256", "HS256"), key_source=SOURCE)


def key_set(*names: str) -> bytes:
    """Make a set of fresh keys."""
    keys: list[dict[str, Any]] = []
    for name in names:
        public = ec.generate_private_key(ec.SECP256R1()).public_key()
        keys.append({**ECAlgorithm.to_jwk(public, as_dict=True), "kid": name})
    return orjson.dumps({"keys": keys})


def knows(keys: PublishedKeys, kid: str) -> bool:
    return keys.ring is not None and keys.ring.knows(kid)


def fetched(keys: PublishedKeys, content: bytes, now: float) -> None:
    assert keys.is_due(now)
    keys.starts(now)
    keys.took(content, keys.ring_of(content), now)


@pytest.fixture
def keys() -> PublishedKeys:
    return PublishedKeys(SETTINGS, SOURCE, 0.0)


def test_keys_are_fetched_at_once_and_then_at_times(keys: PublishedKeys) -> None:
    assert keys.ring is None
    assert keys.misses("one")
    fetched(keys, key_set("one"), 0.0)

    assert knows(keys, "one")
    assert not keys.misses("two")
    assert not keys.is_due(599.9)
    assert keys.is_due(600.0)


def test_an_unknown_name_brings_a_fetch_forward_but_not_two_in_half_a_minute(keys: PublishedKeys) -> None:
    fetched(keys, key_set("one"), 0.0)
    keys.wants("two", 29.9)
    assert not keys.is_due(29.9)

    keys.wants("two", 30.0)
    assert keys.misses("two")
    fetched(keys, key_set("one"), 30.0)
    assert not keys.misses("two")

    fetches = 0
    for number in range(10_000):  # in 100 seconds
        now = 30.0 + number / 100
        keys.wants(f"name {number}", now)
        if keys.is_due(now):
            fetches += 1
            keys.starts(now)
            keys.took(b"", KeyRing([]), now)
    assert fetches == 3


def test_a_set_is_exchanged_as_a_whole_and_only_if_it_is_another(keys: PublishedKeys) -> None:
    first = key_set("one")
    fetched(keys, first, 0.0)
    version = keys.version
    fetched(keys, first, 600.0)
    assert keys.version == version

    fetched(keys, key_set("two"), 1200.0)

    assert keys.version != version
    assert (knows(keys, "one"), knows(keys, "two")) == (False, True)


def test_the_last_good_set_holds_for_a_day(keys: PublishedKeys) -> None:
    fetched(keys, key_set("one"), 0.0)
    now = 600.0
    while now < KEPT_SECONDS:
        if keys.is_due(now):
            keys.starts(now)
            keys.failed("no answer", now)
        assert knows(keys, "one")
        now += 25.0

    keys.is_due(KEPT_SECONDS)

    assert keys.ring is None
    assert keys.misses("one")


def test_failures_are_tried_again_ever_later(keys: PublishedKeys) -> None:
    now, pauses = 0.0, []
    for _ in range(7):
        keys.starts(now)
        keys.failed("no answer", now)
        pause = 0.5
        while not keys.is_due(now + pause):
            pause += 0.5
        pauses.append(pause)
        now += pause

    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"keys":{}}',
        b'{"keys":[]}',
        b'{"keys":[{"kty":"oct","k":"AAAA"}]}',
        b'{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}',
        b'{"keys":[{"kty":7},null,7,{"kty":"EC"},{"kty":"OKP","crv":"X25519","x":"AA"}]}',
        b'{"keys":[' + b",".join([b"{}"] * 101) + b"]}",
        b" " * (2 << 20),
    ],
)
def test_a_set_without_usable_keys_is_none(keys: PublishedKeys, content: bytes) -> None:
    with pytest.raises(ValueError, match="key"):
        keys.ring_of(content)


@pytest.mark.parametrize(
    "change",
    [{"use": "enc"}, {"key_ops": ["sign"]}, {"key_ops": 7}, {"alg": "RS256"}, {"alg": 7}, {"kid": 7}, {"d": "AAAA"}],
)
def test_keys_for_something_else_are_passed_over(keys: PublishedKeys, change: dict[str, Any]) -> None:
    content = orjson.loads(key_set("one", "two"))
    content["keys"][0].update(change)

    fetched(keys, orjson.dumps(content), 0.0)

    assert (knows(keys, "one"), knows(keys, "two")) == (False, True)


def test_what_was_in_the_file_is_used_from_the_beginning() -> None:
    content = key_set("one").decode()
    source = KeySource(path="/etc/keys.json")
    keys = PublishedKeys(Jwt(("ES256",), key_source=source, key_set=content), source, 0.0)

    assert knows(keys, "one")
    assert keys.is_due(0.0)  # the worker may be younger than the document


class TestFetching:
    """A worker's fetcher."""

    @staticmethod
    async def tick(fetcher: KeyFetcher, seconds: float) -> None:
        ticker = fetcher._plane.ticker
        ticker.advance(ticker.now + seconds, 0.0)
        while fetcher._tasks:
            await asyncio.sleep(0.001)

    def test_a_key_that_a_reload_takes_away_is_gone_at_once(self) -> None:
        async def run() -> None:
            fetcher = KeyFetcher(plane_on(asyncio.get_running_loop()))
            source = KeySource(path="/etc/keys.json")
            before = fetcher.keys(Jwt(("ES256",), key_source=source, key_set=key_set("old").decode()), source)
            version = before.version

            after = fetcher.keys(Jwt(("ES256",), key_source=source, key_set=key_set("new").decode()), source)

            assert after is before
            assert (knows(after, "old"), knows(after, "new")) == (False, True)
            assert after.version > version  # which empties the cache of tokens
            assert after.is_due(fetcher._plane.ticker.now)

        asyncio.run(run())

    def test_sources_are_fetched_beside_the_loop_while_they_are_in_use(self) -> None:
        asked: list[int] = []

        def fetch(source: KeySource) -> bytes:
            asked.append(threading.get_ident())
            if len(asked) == 1:
                raise OSError("no answer")
            return b"{}" if len(asked) == 3 else key_set("one")

        async def story() -> None:
            fetcher = KeyFetcher(plane_on(asyncio.get_running_loop()), fetch)
            keys = fetcher.keys(SETTINGS, SOURCE)
            assert fetcher.keys(SETTINGS, SOURCE) is keys
            await self.tick(fetcher, 0.25)
            assert keys.ring is None
            await self.tick(fetcher, 1.0)
            assert knows(keys, "one")
            await self.tick(fetcher, 600.0)
            assert knows(keys, "one")  # the new set was none
            assert threading.get_ident() not in asked
            left = weakref.ref(keys)
            del keys
            while left() is not None:  # the thread has yet to let go of it
                await asyncio.sleep(0.001)
            await self.tick(fetcher, 5000.0)

        asyncio.run(story())
        assert len(asked) == 3


class Issuer(BaseHTTPRequestHandler):
    """Publishes keys."""

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/keys")
        elif self.path == "/gone":
            self.send_response(404)
        else:
            self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * (100 if self.path == "/keys" else 10_000))

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Issuer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_keys_come_from_the_web(issuer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # nobody looks at it
    assert read(KeySource(url=f"{issuer}/keys")) == b"x" * 100


@pytest.mark.parametrize("path", ["/moved", "/gone", "/large"])
def test_what_is_no_answer_is_a_failure(issuer: str, path: str) -> None:
    with pytest.raises((OSError, ValueError)):
        download(issuer + path, None, 1000)


def test_nobody_there_is_a_failure() -> None:
    with pytest.raises(OSError, match="refused"):
        download("http://127.0.0.1:1/", None, 1000)


def test_keys_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"x")

    assert read(KeySource(path=str(tmp_path / "keys"))) == b"x"
    with pytest.raises(OSError, match="No such file"):
        read(KeySource(path=str(tmp_path / "gone")))
