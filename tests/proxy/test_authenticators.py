"""Authentication on the way to a backend: who gets through, and what backends are told."""

import asyncio
import subprocess
import sys
import time
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from kairos.config.credentials import Auth, BasicAuth, Jwt, User
from kairos.config.passwords import Hash
from tests.proxy.messages import GET, OK, error_of
from tests.proxy.world import Peer, Server, World, status_of
from tests.security.asking import SECRET, token

JWT = Jwt(("HS256",), SECRET, forwarded=(("sub", "X-User-Id"),))


def fresh(**claims: Any) -> bytes:
    """Make a token that holds now."""
    now = int(time.time())
    return token(exp=now + 600, iat=now, **claims)


def with_field(request: bytes, *lines: bytes) -> bytes:
    return request[:-2] + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def private(world: World, server: Server, **auth: Any) -> None:
    routes = world.route("/a", server, auth_required=True, auth=Auth(**auth)), world.route("/public", server)
    world.configure(*routes, jwt=JWT)


def test_a_token_opens_the_way_and_the_backend_hears_whose_it_is(world: World, server: Server) -> None:
    private(world, server)
    client = world.client()

    client.sends(GET)
    answer = client.receives()
    assert status_of(answer) == 401
    assert answer.count(b"WWW-Authenticate: ") == 1
    assert error_of(answer)["type"] == "authentication_error"
    client.sends(with_field(GET, b"Authorization: Bearer " + fresh(), b"X-User-Id: root", b"x_user_id: root"))

    received = server.connection.receives()
    assert b"\r\nX-User-Id: alice\r\n" in received
    assert b"root" not in received
    server.connection.sends(OK)
    assert status_of(client.receives()) == 200


@pytest.mark.parametrize("path", [b"/a", b"/public"])
def test_nobody_but_the_gateway_says_who_comes(world: World, server: Server, path: bytes) -> None:
    private(world, server)
    client = world.client()
    head = b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer " + fresh()
    client.sends(head + b"\r\nX-USER-ID: root\r\nConnection: x-user-id\r\n\r\n")
    client.sends(b"1\r\nx\r\n0\r\nX-User-Id: root\r\nX-Other: kept\r\n\r\n")

    received = server.connection.receives()
    assert b"root" not in received
    assert b"X-Other: kept" in received
    assert (b"X-User-Id: alice" in received) == (path == b"/a")


def test_missing_rights_are_another_refusal(world: World, server: Server, client: Peer) -> None:
    private(world, server, scopes=("write",))

    client.sends(with_field(GET, b"Authorization: Bearer " + fresh(scope="read")))

    answer = client.receives()
    assert status_of(answer) == 403
    assert b'error="insufficient_scope"' in answer
    assert error_of(answer)["reason"] == "scope_missing"


def test_other_keys_hold_from_the_reload_on(world: World, server: Server) -> None:
    private(world, server)
    client = world.client()
    client.sends(with_field(GET, b"Authorization: Bearer " + fresh()))
    server.connection.sends(OK)
    assert status_of(client.receives()) == 200

    route = world.route("/a", server, auth_required=True, auth=Auth())
    world.configure(route, jwt=replace(JWT, secret=SECRET[::-1]))

    client.sends(with_field(GET, b"Authorization: Bearer " + fresh()))
    assert status_of(client.receives()) == 401


def test_what_was_verified_is_remembered_over_a_reload_that_changes_nothing_about_it(
    world: World, server: Server
) -> None:
    private(world, server)
    before = world.plane.snapshot.matcher.match(b"GET", b"", b"/a").endpoint.destination
    private(world, server, scopes=("read",))
    after = world.plane.snapshot.matcher.match(b"GET", b"", b"/a").endpoint.destination

    assert before is not after
    assert before.filters[0]._schemes == after.filters[0]._schemes


def test_a_password_is_checked_beside_the_loop(world: World, server: Server) -> None:
    empty = Hash(2, 1, 1, b"salt-of-16-bytes", bytes(32))
    users = (User("alice", str(replace(empty, digest=empty.of(b"pass")))),)
    route = world.route("/a", server, auth_required=True, auth=Auth(("basic",)))
    world.configure(route, basic_auth=BasicAuth(users))
    client = world.client()
    destination: Any = world.plane.snapshot.matcher.match(b"GET", b"", b"/a").endpoint.destination
    pool = destination.filters[0]._passwords._pool

    for password, status in ((b"pass", 200), (b"wrong", 401), (b"pass", 200)):
        client.sends(with_field(GET, b"Authorization: Basic " + b64encode(b"alice:" + password)))
        if pool._running:
            world.loop.run_until_complete(asyncio.wait([*pool._running.values()]))
        for _ in range(3):  # from the thread to the task, and from there to the exchange
            world.settle()
        if status == 200:
            server.connection.sends(OK)
        assert status_of(client.receives()) == status
    pool._pool.shutdown()


def test_a_worker_pays_for_what_it_verifies_only() -> None:
    """Neither cryptography nor PyJWT is loaded where nobody signs with a pair of keys."""
    program = """
import sys
import kairos.gateway
assert not {"kairos.security.tokens"} & sys.modules.keys()
from kairos.config.credentials import Jwt
from kairos.security.tokens import TokenVerifier
TokenVerifier.of(Jwt(("HS256",), "x" * 32))
assert not {"jwt", "cryptography", "pydantic"} & sys.modules.keys(), sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", program], check=True)
