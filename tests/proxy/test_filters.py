"""What a filter can do to an exchange."""

import asyncio

import pytest

from kairos.errors import KairosError
from kairos.filters import Asked, Filter, LocalReply
from tests.proxy.messages import GET, OK, POST, error_of
from tests.proxy.world import Peer, Server, World, status_of


class Denied(KairosError):
    """What a filter refuses with."""

    status = 403


class Marks:
    """A filter that adds lines to both sides, and remembers whom it has seen."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, float, bool]] = []

    def take(self, asked: Asked) -> LocalReply | None:
        self.seen.append((asked.client, asked.pattern, asked.now, asked.is_secure))
        asked.lines += b"X-For-Client: 1\r\n"
        asked.request_lines += b"X-For-Backend: 2\r\n"
        return None

    look = take


class Denies:
    """A filter that lets nobody through."""

    def take(self, asked: Asked) -> LocalReply | None:
        return LocalReply.refusal(Denied("no"))

    look = take


class Waits:
    """A filter that decides when the test says so."""

    def __init__(self, world: World) -> None:
        self.decision: asyncio.Future[LocalReply | None] = world.loop.create_future()

    def look(self, asked: Asked) -> LocalReply | None:
        return None

    take = look

    async def wait(self, asked: Asked) -> LocalReply | None:
        return await self.decision


def put(world: World, *filters: Filter) -> None:
    """Put filters before the backend of the only route."""
    route = world.plane.snapshot.matcher.match(b"GET", b"", b"/a").endpoint.destination
    route.filters = filters
    route.waits = any(hasattr(step, "wait") for step in filters)


def test_a_filter_adds_lines_for_both_sides(world: World, server: Server, client: Peer) -> None:
    marks = Marks()
    put(world, marks)

    client.sends(GET)
    assert b"\r\nX-For-Backend: 2\r\n" in server.connection.receives()
    server.connection.sends(OK)
    assert b"\r\nX-For-Client: 1\r\n" in client.receives()
    assert marks.seen == [("192.0.2.1", "/{rest...}", world.plane.ticker.now, False)]


def test_lines_are_on_local_replies_too(world: World, server: Server, client: Peer) -> None:
    put(world, Marks(), Denies())

    client.sends(GET)

    answer = client.receives()
    assert status_of(answer) == 403
    assert b"\r\nX-For-Client: 1\r\n" in answer
    assert not server.connections
    assert client.is_open


@pytest.mark.parametrize("request_", [GET, POST])
def test_a_filter_may_take_its_time(world: World, server: Server, client: Peer, request_: bytes) -> None:
    waits, marks = Waits(world), Marks()
    put(world, waits, marks)
    client.sends(request_[:-2], request_[-2:])
    assert not server.connections

    waits.decision.set_result(None)
    world.settle()

    received = server.connection.receives()
    assert received.endswith(request_[-4:])
    assert len(marks.seen) == 1
    server.connection.sends(OK)
    assert status_of(client.receives()) == 200


def test_a_filter_may_refuse_late(world: World, server: Server, client: Peer) -> None:
    waits = Waits(world)
    put(world, waits)
    client.sends(GET)

    waits.decision.set_result(LocalReply.refusal(Denied("no")))
    world.settle()

    assert status_of(client.receives()) == 403
    assert not server.connections


def test_a_client_may_leave_meanwhile(world: World, server: Server, client: Peer) -> None:
    waits = Waits(world)
    put(world, waits)
    client.sends(GET)

    client.leaves()

    assert waits.decision.cancelled()
    assert not server.connections


def test_a_defect_of_a_filter_lets_nobody_through(world: World, server: Server, client: Peer) -> None:
    world.loop.set_exception_handler(lambda _loop, _context: None)
    waits = Waits(world)
    put(world, waits)
    client.sends(GET)

    waits.decision.set_exception(ZeroDivisionError())
    world.settle()

    assert error_of(client.receives())["reason"] == "internal"
    assert not server.connections
