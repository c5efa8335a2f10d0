"""Sticky sessions on the wire: who gets a cookie, and where it leads."""

import re

import pytest

from kairos.config.document import Sticky
from tests.proxy.messages import OK
from tests.proxy.world import Server, World

COOKIE = re.compile(rb"\r\nSet-Cookie: (kairos_backend=[\w-]{43})((?:; [\w=/-]+)*)\r\n")


@pytest.fixture
def servers(world: World) -> list[Server]:
    servers = [world.server(port) for port in (8080, 8081, 8082)]
    world.configure(world.route("/{rest...}", *servers, sticky=Sticky()))
    return servers


def get(cookie: bytes = b"", more: bytes = b"") -> bytes:
    """Return a request with a cookie."""
    line = b"Cookie: theme=dark; %b\r\n" % cookie if cookie else b""
    return b"GET /a HTTP/1.1\r\nHost: a\r\n%b%b\r\n" % (line, more)


def ask(world: World, servers: list[Server], request: bytes) -> tuple[int, bytes]:
    """Send a request and answer it; return which server did, and what the client read."""
    before = [len(server.connections) for server in servers]
    client = world.client()
    client.sends(request)
    for number, server in enumerate(servers):
        if len(server.connections) > before[number]:
            server.connection.sends(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            return number, client.receives()
    raise AssertionError("no server was asked")


def cookie_of(answer: bytes) -> bytes:
    match = COOKIE.search(answer)
    assert match is not None, answer
    return match[1]


def test_a_new_client_gets_a_cookie_that_leads_it_back(world: World, servers: list[Server]) -> None:
    for turn in range(3):
        number, answer = ask(world, servers, get())
        assert number == turn
        cookie = cookie_of(answer)
        for _ in range(4):
            again, answer = ask(world, servers, get(cookie))
            assert again == number
            assert b"Set-Cookie" not in answer


def test_the_cookie_is_for_no_script_and_no_other_site(world: World, servers: list[Server]) -> None:
    match = COOKIE.search(ask(world, servers, get())[1])

    assert match is not None
    assert match[2] == b"; Path=/; HttpOnly; SameSite=Lax"


def test_it_is_for_tls_alone_if_the_client_speaks_tls(world: World, servers: list[Server]) -> None:
    routes = [world.route("/{rest...}", *servers, sticky=Sticky("sid", 60))]
    world.configure(*routes, trusted_proxies=("192.0.2.1",))

    _, answer = ask(world, servers, get(more=b"X-Forwarded-Proto: https\r\n"))

    assert b"; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure\r\n" in answer
    assert b"\r\nSet-Cookie: sid=" in answer


def test_a_client_that_is_not_trusted_cannot_say_so(world: World, servers: list[Server]) -> None:
    _, answer = ask(world, servers, get(more=b"X-Forwarded-Proto: https\r\n"))

    assert b"Secure" not in answer


def test_a_client_whose_backend_refuses_goes_elsewhere_and_is_led_there(world: World, servers: list[Server]) -> None:
    first, answer = ask(world, servers, get())
    cookie = cookie_of(answer)
    servers[first].error = ConnectionRefusedError

    second, answer = ask(world, servers, get(cookie))

    assert second != first
    moved = cookie_of(answer)
    assert moved != cookie
    servers[first].error = None
    assert ask(world, servers, get(moved))[0] == second


def test_a_client_whose_backend_is_gone_is_led_elsewhere(world: World, servers: list[Server]) -> None:
    first, answer = ask(world, servers, get())
    left = [server for server in servers if server is not servers[first]]
    world.configure(world.route("/{rest...}", *left, sticky=Sticky()))

    _, answer = ask(world, left, get(cookie_of(answer)))

    assert b"Set-Cookie" in answer


def test_a_reload_and_another_route_know_the_cookie(world: World, servers: list[Server]) -> None:
    first, answer = ask(world, servers, get())
    routes = (world.route(path, *reversed(servers), sticky=Sticky()) for path in ("/{rest...}", "/other"))
    world.configure(*routes)

    number, answer = ask(world, servers, get(cookie_of(answer)).replace(b"/a", b"/other"))

    assert number == first
    assert b"Set-Cookie" not in answer


def test_a_cookie_that_another_key_has_signed_is_replaced(world: World, servers: list[Server]) -> None:
    _, answer = ask(world, servers, get())
    cookie = cookie_of(answer)
    world.configure(world.route("/{rest...}", *servers, sticky=Sticky(key="00" * 32)))

    _, answer = ask(world, servers, get(cookie))

    assert cookie_of(answer) != cookie


def test_a_single_backend_gives_cookies_too(world: World, servers: list[Server]) -> None:
    """There may be more of them soon."""
    world.configure(world.route("/{rest...}", servers[1], sticky=Sticky()))

    number, answer = ask(world, servers, get())

    assert number == 1
    assert cookie_of(answer)


def test_an_answer_of_the_gateway_has_no_cookie(world: World, servers: list[Server]) -> None:
    for server in servers:
        server.error = ConnectionRefusedError
    client = world.client()

    client.sends(get())

    assert b"Set-Cookie" not in client.receives()


def test_a_route_that_is_not_sticky_sets_no_cookie(world: World, servers: list[Server]) -> None:
    world.configure(world.route("/{rest...}", *servers))

    assert b"Set-Cookie" not in ask(world, servers, get())[1]
