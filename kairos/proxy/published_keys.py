"""Keys that somebody else publishes: fetched beside the requests, and kept while they are of use.

How it works: the ticker looks at every set four times a second and starts what is due. A thread fetches, so that the
loop does not wait; the set is exchanged as a whole. What went well is repeated every `seconds`; what did not is tried
again after 1, 2, 4 ... 30 seconds. A token that names an unknown key brings the next fetch forward, but there are never
two within 30 seconds for this reason, so that a flood of bad tokens does not become a flood at the issuer.
"""

import asyncio
import logging
import time
from typing import TYPE_CHECKING
from weakref import WeakSet, WeakValueDictionary

from kairos.config.credentials import Jwt, KeySource
from kairos.security.keys import Key, KeyRing, configured, published

if TYPE_CHECKING:
    from collections.abc import Callable

    from kairos.proxy.plane import DataPlane

FORCED_SECONDS = 30.0  # between two fetches because of unknown names
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 1.0, 30.0
KEPT_SECONDS = 86_400.0  # the last good set, while no new one can be had
FETCH_SECONDS, WAIT_SECONDS = 10.0, 5.0  # for a whole fetch, and for each step of it

_log = logging.getLogger("kairos.keys")


class PublishedKeys:
    """The keys of one source, together with those of the config."""

    __slots__ = (
        "__weakref__",
        "_algorithms",
        "_content",
        "_due_at",
        "_failures",
        "_fetched_at",
        "_is_fetching",
        "_is_wanted",
        "_own",
        "_started_at",
        "ring",
        "source",
        "version",
    )

    def __init__(self, settings: Jwt, source: KeySource, now: float) -> None:
        """Begin with what was in the file when the config was read; with a URL there are none yet."""
        self.source = source
        self._algorithms = settings.algorithms
        self._own: list[Key] = configured(settings)
        self.ring: KeyRing | None = KeyRing(self._own) if self._own else None
        self.version = 0
        self._content = b""
        self._due_at = now
        self._failures = 0
        self._fetched_at: float | None = None  # None while there is no set
        self._is_fetching = False
        self._is_wanted = False
        self._started_at = -FORCED_SECONDS
        if settings.key_set is not None:
            self.was_read(settings.key_set.encode(), now)

    def was_read(self, content: bytes, now: float) -> None:
        """Use what was read with the config, until the next tick looks whether there is something newer."""
        if content != self._content:
            self.took(content, self.ring_of(content), now)
        self._due_at = now

    # What a verifier asks.

    def misses(self, kid: str | None) -> bool:
        """Say whether there is no set yet, or a new one is on its way that may have this key."""
        return self._fetched_at is None or (kid is not None and (self._is_wanted or self._is_fetching))

    def wants(self, kid: str | None, now: float) -> None:
        """Bring the next fetch forward, unless the last was a moment ago."""
        if kid is not None and now >= self._started_at + FORCED_SECONDS:
            self._is_wanted = True

    # What the fetching does.

    def is_due(self, now: float) -> bool:
        """Say whether the set has to be fetched now."""
        if self._fetched_at is not None and now >= self._fetched_at + KEPT_SECONDS:
            self._give_up()
        return not self._is_fetching and (self._is_wanted or now >= self._due_at)

    def starts(self, now: float) -> None:
        """Note that a fetch has begun."""
        self._is_fetching, self._is_wanted = True, False
        self._started_at = now

    def ring_of(self, content: bytes) -> KeyRing:
        """Read a set; this takes a while and may be done in any thread. Raises ValueError if it has no usable keys."""
        return KeyRing([*self._own, *published(content, self._algorithms)])

    def took(self, content: bytes, ring: KeyRing, now: float) -> None:
        """Use a new set, if it is another one."""
        if content != self._content or self._fetched_at is None:
            self.ring = ring
            self._content = content
            self.version += 1
            _log.info("%d keys are in use from %s", len(ring.keys) - len(self._own), self._name)
        self._fetched_at = now
        self._is_fetching = False
        self._failures = 0
        self._due_at = now + self.source.seconds

    def failed(self, why: str, now: float) -> None:
        """Note that there is no new set."""
        self._is_fetching = False
        pause = min(FIRST_RETRY_SECONDS * 2**self._failures, LONGEST_RETRY_SECONDS)
        self._failures = min(self._failures + 1, 10)
        self._due_at = now + pause
        remains = "the last set is used on" if self._fetched_at is not None else "there are none"
        _log.warning("no keys from %s: %s; %s, and the next try is in %.0f s", self._name, why, remains, pause)

    def _give_up(self) -> None:
        _log.error("the keys from %s are older than a day and are not used any more", self._name)
        self._fetched_at = None
        self._content = b""
        self.ring = KeyRing(self._own) if self._own else None
        self.version += 1

    @property
    def _name(self) -> str:
        url = self.source.url
        return url.partition("?")[0] if url else self.source.path or "nowhere"


class KeyFetcher:
    """All published keys of a worker. A set lives as long as somebody verifies with it."""

    __slots__ = ("_fetch", "_known", "_plane", "_sets", "_tasks")

    def __init__(self, plane: "DataPlane", fetch: "Callable[[KeySource], bytes] | None" = None) -> None:
        """`fetch` returns the content of a source, and may block; it raises OSError or ValueError."""
        self._plane = plane
        self._fetch = fetch or read
        self._sets: WeakSet[PublishedKeys] = WeakSet()
        self._known: WeakValueDictionary[object, PublishedKeys] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()
        plane.ticker.on_tick(self._tick)

    def keys(self, settings: Jwt, source: KeySource) -> PublishedKeys:
        """Return the keys of a source; those that are in use already, if they are read in the same way."""
        identity = (source, settings.algorithms, settings.secret, settings.public_keys)
        found = self._known.get(identity)
        if found is None:
            found = PublishedKeys(settings, source, self._plane.ticker.now)
            self._known[identity] = found
            self._sets.add(found)
        elif settings.key_set is not None:
            found.was_read(settings.key_set.encode(), self._plane.ticker.now)
        return found

    def _tick(self, now: float) -> None:
        for keys in tuple(self._sets):
            if keys.is_due(now):
                keys.starts(now)
                task = self._plane.loop.create_task(self._renew(keys))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _load(self, keys: PublishedKeys) -> tuple[bytes, KeyRing]:
        content = self._fetch(keys.source)
        return content, keys.ring_of(content)

    async def _renew(self, keys: PublishedKeys) -> None:
        try:
            content, ring = await self._plane.loop.run_in_executor(None, self._load, keys)
            keys.took(content, ring, self._plane.ticker.now)
        except (OSError, ValueError) as error:
            keys.failed(str(error) or type(error).__name__, self._plane.ticker.now)
        except Exception as error:
            keys.failed(type(error).__name__, self._plane.ticker.now)
            raise  # a defect: the loop's exception handler logs it


def read(source: KeySource) -> bytes:
    """Return the content of a source. Raises OSError or ValueError."""
    from pathlib import Path

    from kairos.config.environment import read_file
    from kairos.config.jwk import MAX_SET_BYTES

    if source.path is not None:
        return read_file(Path(source.path), MAX_SET_BYTES)
    if source.url is None:
        raise ValueError("no URL")
    return download(source.url, source.ca_file, MAX_SET_BYTES)


def download(url: str, ca_file: str | None, max_bytes: int) -> bytes:
    """Get a document from the web; redirects are not followed. Raises OSError or ValueError."""
    import ssl
    from http.client import HTTPException
    from urllib import request

    class Stay(request.HTTPRedirectHandler):
        """Let a redirect be an error."""

        def redirect_request(self, *args: object, **kwargs: object) -> None:
            """Follow none."""

    deadline = time.monotonic() + FETCH_SECONDS
    handlers = [Stay(), request.ProxyHandler({})]
    if url.startswith("https:"):
        handlers.append(request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)))
    asked = request.Request(url, headers={"Accept": "application/json", "User-Agent": "kairos"})  # noqa: S310
    try:
        with request.build_opener(*handlers).open(asked, timeout=WAIT_SECONDS) as answer:
            pieces: list[bytes] = []
            while piece := answer.read1(max_bytes):
                pieces.append(piece)
                if sum(map(len, pieces)) > max_bytes:
                    raise ValueError(f"more than {max_bytes} bytes")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not whole after {FETCH_SECONDS:.0f} s")
            return b"".join(pieces)
    except HTTPException as error:
        raise ValueError(f"no HTTP answer: {type(error).__name__}") from None
