"""A world for the tests of the data plane: one route for everything, to one backend."""

from collections.abc import Iterator

import pytest

from tests.proxy.world import Peer, Server, World


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.end()


@pytest.fixture
def server(world: World) -> Server:
    """A backend to which all requests go."""
    server = world.server()
    world.configure(world.route("/{rest...}", server))
    return server


@pytest.fixture
def client(world: World, server: Server) -> Peer:
    return world.client()
