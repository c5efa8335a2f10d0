"""Policies on their way through the data plane: who is kept out, and what pages of other origins are told."""

from typing import Any

import pytest

from kairos.config.document import Limits
from kairos.config.policies import AccessList, Cors
from tests.proxy.messages import GET, OK, error_of
from tests.proxy.world import World, status_of

APP = Cors(origins=("https://app.example",))
ALLOWED = b"Access-Control-Allow-Origin: https://app.example\r\n"
PREFLIGHT = (
    b"OPTIONS /a HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: %b\r\n\r\n"
)


def test_who_is_kept_out_gets_403_and_the_backend_hears_nothing(world: World) -> None:
    server = world.server()
    world.configure(world.route("/a", server, access_lists=(AccessList(deny=("192.0.2.0/24",)),)))
    client = world.client()

    client.sends(GET)

    answer = client.receives()
    assert status_of(answer) == 403
    assert error_of(answer)["reason"] == "access_denied"
    assert server.connections == []


@pytest.mark.parametrize("auth_required", [False, True])
def test_a_preflight_is_answered_before_405_and_authentication(world: World, auth_required: bool) -> None:
    server = world.server()
    world.configure(world.route("/a", server, methods=("PUT",), cors=APP, auth_required=auth_required))
    client = world.client()

    client.sends(PREFLIGHT % b"PUT")

    answer = client.receives()
    assert status_of(answer) == 204
    assert ALLOWED in answer
    assert b"Content-Length" not in answer
    assert client.is_open
    assert server.connections == []


def test_the_method_that_is_asked_about_decides_which_route_answers(world: World) -> None:
    server = world.server()
    world.configure(
        world.route("/a", server, methods=("GET", "OPTIONS")), world.route("/a", server, methods=("PUT",), cors=APP)
    )
    client = world.client()

    client.sends(PREFLIGHT % b"PUT")
    assert ALLOWED in client.receives()
    assert server.connections == []

    client.sends(PREFLIGHT % b"GET")  # which route leaves CORS to the backend
    assert server.connection.receives().startswith(b"OPTIONS /a")


def test_a_preflight_for_a_method_without_a_route_is_answered_as_ever(world: World) -> None:
    world.configure(world.route("/a", world.server(), methods=("PUT",), cors=APP))
    client = world.client()

    client.sends(PREFLIGHT % b"DELETE")

    answer = client.receives()
    assert status_of(answer) == 405
    assert b"Access-Control" not in answer


@pytest.mark.parametrize(
    ("request_", "options", "status"),
    [
        (GET, {"access_lists": (AccessList(deny=("192.0.2.0/24",)),)}, 403),
        (GET.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\n"), {"limits": Limits(body_bytes=1)}, 413),
        (GET, {"methods": ("PUT",)}, 405),
        (GET.replace(b"/a", b"/none"), {}, 404),
    ],
)
def test_a_page_can_read_why_it_is_refused(world: World, request_: bytes, options: Any, status: int) -> None:
    world.configure(world.route("/a", world.server(), cors=APP, **options), cors=APP)
    client = world.client()

    client.sends(request_.replace(b"\r\n\r\n", b"\r\nOrigin: https://app.example\r\n\r\n"))

    answer = client.receives()
    assert status_of(answer) == status
    assert answer.count(ALLOWED) == 1


def test_the_built_in_endpoints_have_the_security_headers_of_the_gateway(world: World) -> None:
    client = world.client()
    for value in ("DENY", "SAMEORIGIN"):
        world.configure(security_headers=(("X-Frame-Options", value),))
        client.sends(GET.replace(b"/a", b"/live"))
        assert b"X-Frame-Options: %b\r\n" % value.encode() in client.receives()


def test_local_replies_tell_pages_too(world: World) -> None:
    world.configure(world.route("/a", world.server(), cors=APP, auth_required=True))
    client = world.client()

    client.sends(GET[:-2] + b"Origin: https://app.example\r\n\r\n")

    answer = client.receives()
    assert status_of(answer) == 401
    assert b"Vary: Origin\r\n" + ALLOWED in answer


def test_the_vary_of_the_backend_stays(world: World) -> None:
    server = world.server()
    world.configure(world.route("/a", server, cors=APP))
    client = world.client()

    client.sends(GET)
    server.connection.sends(OK.replace(b"\r\n\r\n", b"\r\nVary: Accept\r\n\r\n"))

    answer = client.receives()
    assert b"Vary: Accept\r\n" in answer
    assert b"Vary: Origin\r\n" in answer


def test_security_headers_are_on_every_answer_and_never_twice(world: World) -> None:
    server = world.server()
    headers = (("X-Frame-Options", "DENY"), ("Strict-Transport-Security", "max-age=1"), ("Referrer-Policy", None))
    world.configure(
        world.route("/a", server, methods=("GET",), security_headers=headers),
        security_headers=(("X-Frame-Options", "SAMEORIGIN"),),
    )
    client = world.client()

    client.sends(GET)
    own = b"\r\nX-Frame-Options: ALLOWALL\r\nReferrer-Policy: origin\r\nStrict-Transport-Security: max-age=9\r\n\r\n"
    server.connection.sends(OK.replace(b"\r\n\r\n", own))
    answer = client.receives()
    assert answer.count(b"X-Frame-Options: DENY\r\n") == answer.count(b"X-Frame-Options") == 1
    assert b"Referrer-Policy" not in answer
    assert b"Strict-Transport-Security" not in answer  # over plain HTTP

    client.sends(GET.replace(b"/a", b"/none"))
    answer = client.receives()
    assert status_of(answer) == 404
    assert answer.count(b"X-Frame-Options: SAMEORIGIN\r\n") == 1


def test_what_the_backend_says_of_cors_is_replaced(world: World) -> None:
    server = world.server()
    world.configure(world.route("/a", server, cors=APP))
    client = world.client()

    client.sends(GET[:-2] + b"Origin: https://evil.example\r\n\r\n")
    server.connection.sends(OK.replace(b"\r\n\r\n", b"\r\nAccess-Control-Allow-Origin: *\r\n\r\n"))

    assert b"Access-Control" not in client.receives()
