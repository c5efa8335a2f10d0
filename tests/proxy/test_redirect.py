"""The listener that only sends clients to HTTPS."""

import pytest

from kairos.config.listening import Listener
from kairos.proxy.downstream import Downstream
from kairos.proxy.listener_options import ListenerOptions
from kairos.proxy.redirect import name_of
from tests.proxy.messages import OK
from tests.proxy.world import Peer, Server, World, status_of


def options(port: int = 443) -> ListenerOptions:
    return ListenerOptions(Listener(redirect=port))


def visitor(world: World, listener: ListenerOptions | None = None) -> Peer:
    return Peer(world, Downstream(world.plane, listener or options()))  # type: ignore[arg-type]


def answer_to(world: World, request: bytes, port: int = 443) -> bytes:
    client = visitor(world, options(port))
    client.sends(request)
    return client.receives()


@pytest.mark.parametrize(
    ("request_", "port", "location"),
    [
        (b"GET /a?b=c HTTP/1.1\r\nHost: a.test\r\n\r\n", 443, b"https://a.test/a?b=c"),
        (b"GET /a?b=c HTTP/1.1\r\nHost: a.test:8080\r\n\r\n", 8443, b"https://a.test:8443/a?b=c"),
        (b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", 443, b"https://[2001:db8::1]/"),
        (b"GET http://b.test:80/x HTTP/1.1\r\nHost: a.test\r\n\r\n", 443, b"https://b.test/x"),
        (b"GET //evil.test/%2e%2e HTTP/1.1\r\nHost: a.test\r\n\r\n", 443, b"https://a.test//evil.test/%2e%2e"),
        (b"GET /no/such/route HTTP/1.1\r\nHost: a.test\r\n\r\n", 443, b"https://a.test/no/such/route"),
    ],
)
def test_a_request_is_sent_to_the_same_url_with_https(
    world: World, server: Server, request_: bytes, port: int, location: bytes
) -> None:
    answer = answer_to(world, request_, port)

    assert status_of(answer) == 301
    assert b"\r\nLocation: %b\r\n" % location in answer


def test_a_request_with_a_body_keeps_its_method(world: World, server: Server) -> None:
    answer = answer_to(world, b"POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhel")
    assert status_of(answer) == 308
    assert b"\r\nConnection: close\r\n" in answer


def test_the_connection_is_kept_for_the_next_request(world: World, server: Server) -> None:
    client = visitor(world)
    for _ in range(2):
        client.sends(b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert status_of(client.receives()) == 301
    assert client.is_open


@pytest.mark.parametrize("path", [b"/health", b"/live"])
def test_what_the_gateway_says_about_itself_is_answered(world: World, server: Server, path: bytes) -> None:
    assert status_of(answer_to(world, b"GET %b HTTP/1.1\r\nHost: a.test\r\n\r\n" % path)) == 200


def test_a_route_of_the_operator_in_the_place_of_a_builtin_one_is_redirected(world: World, server: Server) -> None:
    world.configure(world.route("/health", server))
    assert status_of(answer_to(world, b"GET /health HTTP/1.1\r\nHost: a.test\r\n\r\n")) == 301


def test_the_question_about_the_gateway_as_a_whole_is_answered(world: World, server: Server) -> None:
    assert status_of(answer_to(world, b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n")) == 200


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nHost:\r\n\r\n"])
def test_without_a_host_there_is_nowhere_to_send_to(world: World, server: Server, request_: bytes) -> None:
    answer = answer_to(world, request_)
    assert status_of(answer) == 400
    assert b"Location" not in answer


SECURE = b"GET /a HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-Proto: https\r\n\r\n"


def test_who_has_come_by_https_to_a_proxy_that_is_trusted_is_served(world: World, server: Server) -> None:
    world.configure(world.route("/{rest...}", server), trusted_proxies=("192.0.2.1/32",))
    client = visitor(world)
    client.sends(SECURE)
    server.connection.sends(OK)
    assert status_of(client.receives()) == 200


def test_anybody_else_may_say_so_in_vain(world: World, server: Server) -> None:
    assert status_of(answer_to(world, SECURE)) == 301


def test_a_reload_can_switch_it_off_also_for_connections_that_are_open(world: World, server: Server) -> None:
    listener = options()
    client = visitor(world, listener)
    listener.follow(Listener())
    client.sends(SECURE)
    server.connection.sends(OK)
    assert status_of(client.receives()) == 200


def test_the_port_is_taken_off_a_host() -> None:
    assert [name_of(host) for host in (b"a", b"a:80", b"[::1]", b"[::1]:80", b"")] == [
        b"a",
        b"a",
        b"[::1]",
        b"[::1]",
        b"",
    ]
