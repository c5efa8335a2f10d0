"""Nobody reaches a protected backend without a credential, with two workers and whatever the keys do meanwhile."""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from kairos.config.passwords import make_hash
from tests.e2e.configs import config, route
from tests.e2e.gateway import Answer, Gateway
from tests.e2e.log import PATIENCE_SECONDS
from tests.e2e.origin import Origin

SECRET = "5f0c8d7b6a59483726150f4e3d2c1b0a5f0c8d7b6a59483726150f4e3d2c1b0a"
KEY = "a-random-key-of-the-tests"
TIMES = 8  # so often that both workers are asked


def token(key: Any = SECRET, algorithm: str = "HS256", kid: str | None = None, **claims: Any) -> str:
    now = int(time.time())
    return jwt.encode(
        {"sub": "alice", "exp": now + 600, "iat": now, **claims}, key, algorithm, {"kid": kid} if kid else None
    )


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def test_every_method_and_path_of_a_protected_route_needs_a_token(
    start_gateway: Callable[..., Gateway], origin: Origin
) -> None:
    routes = route("/private/{rest...}", origin, auth_required=True), route("/{name}", origin)
    gateway = start_gateway(config(*routes, jwt={"secret": SECRET, "forward_claims": {"sub": "X-User-Id"}}), workers=2)

    for path in ("/private/a", "/private/", "//private//a", "/%70rivate/a", "/private/./a", "/x/../private/a"):
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            answer = gateway.request(method, path)
            assert (answer.status, answer.json()["type"]) == (401, "authentication_error")
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="kairos"'
    assert origin.received == []

    for _ in range(TIMES):
        assert gateway.request("GET", "/private/a", headers=bearer(token(scope="x"))).status == 200
        assert gateway.request("GET", "/private/a", headers=bearer(token("x" * 40))).status == 401
    assert gateway.request("GET", "/public", headers={"X-User-Id": "root"}).status == 200
    told = [request.fields("X-User-Id") for request in origin.received]
    assert told == [["alice"]] * TIMES + [[]]


def test_each_route_has_its_own_credentials_and_rights(start_gateway: Callable[..., Gateway], origin: Origin) -> None:
    password = str(make_hash(b"pass", b"a-salt-of-sixteen"))
    gateway = start_gateway(
        config(
            route("/key", origin, auth={"schemes": ["api_key"]}),
            route("/admin", origin, auth={"schemes": ["basic", "jwt"], "roles": ["admin"]}),
            jwt={"secret": SECRET},
            api_keys={"keys": [{"name": "tests", "sha256": sha256(KEY.encode()).hexdigest()}]},
            basic_auth={"users": [{"name": "root", "password": password, "roles": ["admin"]}]},
        ),
        workers=2,
    )

    def status(path: str, **headers: str) -> int:
        return gateway.request("GET", path, headers=headers).status

    basic = "Basic " + b64encode(b"root:pass").decode()
    wrong = "Basic " + b64encode(b"root:word").decode()
    for _ in range(TIMES):
        assert gateway.request("GET", "/key", headers={"X-API-Key": KEY}).status == 200
        assert gateway.request("GET", "/key", headers={"X-API-Key": "x"}).status == 401
        assert status("/key", Authorization=basic) == 401
        assert status("/admin", Authorization=basic) == 200
        assert status("/admin", **bearer(token(roles=["admin"]))) == 200
        assert status("/admin", **bearer(token())) == 403
    assert status("/admin", Authorization=wrong) == 401
    assert status("/admin") == 401


@dataclass
class Issuer:
    """Somebody who signs tokens and publishes the keys."""

    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    fetches: int = 0
    is_down: bool = False
    port: int = 0

    def rotate(self, kid: str) -> None:
        """Use another key from now on, and no more the old one."""
        self.keys = {kid: ec.generate_private_key(ec.SECP256R1())}

    def token(self) -> str:
        """Sign a token with the newest key."""
        kid, key = list(self.keys.items())[-1]
        return token(key, "ES256", kid)

    def published(self) -> bytes:
        """Return the set of the public keys."""
        keys = [{**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid} for kid, key in self.keys.items()]
        return json.dumps({"keys": keys}).encode()


@contextmanager
def serving(issuer: Issuer) -> Iterator[None]:
    """Let an issuer publish its keys on a port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.fetches += 1
            self.send_response(503 if issuer.is_down else 200)
            self.end_headers()
            self.wfile.write(b"" if issuer.is_down else issuer.published())

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    found = Issuer()
    found.rotate("first")
    with serving(found):
        yield found


def until(status: int, ask: Callable[[], Answer]) -> None:
    """Ask until both workers give this answer, often enough in a row."""
    deadline, in_a_row = time.monotonic() + PATIENCE_SECONDS, 0
    while in_a_row < TIMES:
        answer = ask()
        in_a_row = in_a_row + 1 if answer.status == status else 0
        assert time.monotonic() < deadline, answer.body


def test_published_keys_are_fetched_and_their_change_is_noticed(
    start_gateway: Callable[..., Gateway], origin: Origin, issuer: Issuer
) -> None:
    issuer.is_down = True
    jwks = {"url": f"http://127.0.0.1:{issuer.port}/keys"}
    private = route("/private", origin, auth_required=True)
    gateway = start_gateway(config(private, jwt={"jwks": jwks, "algorithms": ["ES256"]}), workers=2)

    def ask() -> Answer:
        return gateway.request("GET", "/private", headers=bearer(issuer.token()))

    answer = ask()
    assert (answer.status, answer.json()["reason"]) == (503, "keys_unavailable")
    assert answer.headers["Retry-After"]
    assert gateway.request("GET", "/private").status == 401

    issuer.is_down = False
    until(200, ask)
    old, before = issuer.token(), issuer.fetches
    stranger = ec.generate_private_key(ec.SECP256R1())
    for number in range(300):
        answer = gateway.request("GET", "/private", headers=bearer(token(stranger, "ES256", f"name-{number}")))
        assert answer.status in (401, 503)
    assert issuer.fetches <= before + 2  # one for each worker

    issuer.is_down = True
    assert gateway.request("GET", "/private", headers=bearer(old)).status == 200
