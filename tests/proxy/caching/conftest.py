"""A route that stores answers, and a client whose requests tell what they cost the backend."""

from collections.abc import Callable

import pytest

from kairos.config.policies import Cache
from tests.proxy.world import Peer, World


class Site:
    """A world with one backend behind a cache."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.server = world.server()
        self.client = world.client()

    def get(self, target: str = "/a", *lines: str, method: str = "GET", client: Peer | None = None) -> bytes:
        """Ask; return what has come by now, which is nothing while the backend is asked."""
        client = client or self.client
        client.sends("\r\n".join((f"{method} {target} HTTP/1.1", "Host: example.com", *lines, "", "")).encode())
        return client.receives()

    def asked(self) -> bytes:
        """Return what the backend has been asked since the last call."""
        return b"".join(peer.receives() for peer in self.server.connections)

    def answers(self, *lines: str, body: bytes = b"hello", status: str = "200 OK", client: Peer | None = None) -> bytes:
        """Let the backend answer the last request; return what the client gets."""
        self.server.connection.sends(answer(*lines, body=body, status=status))
        return (client or self.client).receives()

    def stores(self, *lines: str, target: str = "/a", body: bytes = b"hello") -> None:
        """Have an answer stored."""
        assert self.get(target) == b""
        assert b"; stored\r\n" in self.answers(*lines, body=body)
        self.asked()


def answer(*lines: str, body: bytes = b"hello", status: str = "200 OK") -> bytes:
    """Write an answer with these fields."""
    return "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines, "", "")).encode() + body


@pytest.fixture
def open_site(world: World) -> Callable[..., Site]:
    """Return what opens a site with these settings of the cache, and these of the route."""

    def opened(policy: Cache = Cache(), **options: object) -> Site:  # noqa: B008
        world.configure(world.route("/{rest...}", world.server(), cache=policy, **options))
        return Site(world)

    return opened


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    return open_site()
