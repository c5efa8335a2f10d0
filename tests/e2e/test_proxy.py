"""The main job, through real sockets: requests go to backends and answers come back."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from signal import SIGUSR1

import pytest

from tests.e2e.configs import config, route
from tests.e2e.gateway import Gateway
from tests.e2e.origin import Origin, Received

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
RECORDED_SECONDS = 30


def echo(request: Received) -> bytes:
    """Answer with the body that came."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n" % len(request.body)
    return head if request.method == "HEAD" else head + request.body


@pytest.fixture
def echoing() -> Iterator[Origin]:
    with Origin(echo) as origin:
        yield origin


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_passes_every_method_with_its_body(start_gateway: Callable[..., Gateway], echoing: Origin, method: str) -> None:
    gateway = start_gateway(config(route("/{rest...}", echoing)))
    body = b"" if method in ("GET", "HEAD") else b"some body"

    answer = gateway.request(method, "/a/b?c=d", body)

    (received,) = echoing.received
    assert (received.method, received.target, received.body) == (method, "/a/b?c=d", body)
    assert answer.status == 200
    assert answer.body == body
    assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_streams_large_chunked_bodies_both_ways(start_gateway: Callable[..., Gateway], echoing: Origin) -> None:
    gateway = start_gateway(config(route("/up", echoing)))
    pieces = [bytes([i]) * 50_000 for i in range(100)]
    connection = gateway.connect()

    connection.request("POST", "/up", body=iter(pieces), encode_chunked=True)
    answer = connection.getresponse().read()

    assert answer == b"".join(pieces)
    assert echoing.received[0].body == b"".join(pieces)
    connection.close()


def test_keeps_connections_on_both_sides(start_gateway: Callable[..., Gateway], origin: Origin) -> None:
    gateway = start_gateway(config(route("/a", origin)))
    connection = gateway.connect()

    for _ in range(5):
        connection.request("GET", "/a")
        assert connection.getresponse().read() == b"hello"

    assert origin.connections == 1
    connection.close()


def test_tells_the_backend_who_asked_and_hides_what_is_not_for_it(
    start_gateway: Callable[..., Gateway], origin: Origin
) -> None:
    gateway = start_gateway(config(route("/a", origin)))
    forged = {
        "Connection": "X-Secret, X-Forwarded-For",
        "X-Secret": "for the first hop only",
        "X-Forwarded-For": "203.0.113.9",
        "X_Forwarded_For": "203.0.113.9",
        "X-Request-ID": "chosen by the client",
        "X-Custom": "kept",
    }

    answer = gateway.request("GET", "/a", headers=forged)

    (received,) = origin.received
    assert received.fields("X-Forwarded-For") == ["127.0.0.1"]
    assert received.fields("X-Forwarded-Proto") == ["http"]
    assert received.fields("X-Forwarded-Host") == [f"127.0.0.1:{gateway.port}"]
    assert received.fields("Host") == [f"127.0.0.1:{origin.port}"]
    assert received.fields("X-Custom") == ["kept"]
    assert received.fields("Connection") == received.fields("X-Secret") == received.fields("X_Forwarded_For") == []
    (request_id,) = received.fields("X-Request-ID")
    assert re.fullmatch(UUID, request_id)
    assert answer.headers["X-Request-ID"] == request_id


def test_takes_turns_exactly_over_all_workers(start_gateway: Callable[..., Gateway]) -> None:
    with ExitStack() as running:
        origins = [running.enter_context(Origin()) for _ in range(3)]
        gateway = start_gateway(config(route("/a", *origins)), workers=2)

        for _ in range(30):
            assert gateway.request("GET", "/a").status == 200

        assert [len(origin.received) for origin in origins] == [10, 10, 10]


def test_passes_over_a_backend_that_refuses(start_gateway: Callable[..., Gateway], origin: Origin) -> None:
    with Origin() as gone:
        pass
    gateway = start_gateway(config(route("/a", gone, origin)))

    assert [gateway.request("POST", "/a", b"x").status for _ in range(4)] == [200] * 4


class TestErrors:
    """Answers of the gateway itself: JSON, with a code for machines and an id for the log."""

    def test_no_route(self, start_gateway: Callable[..., Gateway], origin: Origin) -> None:
        gateway = start_gateway(config(route("/a", origin)))

        answer = gateway.request("GET", "/nowhere?secret=1")

        error = answer.json()
        assert answer.status == 404
        assert answer.headers["Content-Type"] == "application/json"
        assert list(error) == ["error", "reason", "request_id", "timestamp", "type"]
        assert error["error"] == "No route found for path: /nowhere"
        assert error["type"] == "route_not_found"
        assert error["request_id"] == answer.headers["X-Request-ID"]

    def test_wrong_method(self, start_gateway: Callable[..., Gateway], origin: Origin) -> None:
        gateway = start_gateway(config(route("/a", origin, methods=["GET", "PUT"])))

        answer = gateway.request("DELETE", "/a")

        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD, PUT"
        assert answer.json()["error"] == "Method DELETE not allowed for path: /a"

    def test_dead_backend(self, start_gateway: Callable[..., Gateway]) -> None:
        with Origin() as gone:
            pass
        gateway = start_gateway(config(route("/a", gone)))

        answer = gateway.request("GET", "/a")

        assert answer.status == 502
        assert answer.json()["reason"] == "connect_refused"
        assert str(gone.port) not in answer.body.decode()

    def test_needed_authentication_lets_nobody_through(
        self, start_gateway: Callable[..., Gateway], origin: Origin
    ) -> None:
        private = route("/private", origin, auth_required=True)
        gateway = start_gateway(config(private, jwt={"secret": "0123456789abcdef0123456789abcdef"}))

        for method in ("GET", "POST", "PATCH", "OPTIONS", "HEAD"):
            answer = gateway.request(method, "/private", headers={"Authorization": "Bearer x"})
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"]
        assert origin.received == []

    @pytest.mark.parametrize("path", ["/files/../../etc", "/files/%2e%2e/%2e%2e/etc", "/files/..%2f..%2fetc", "/a%00b"])
    def test_climbing_paths(self, start_gateway: Callable[..., Gateway], origin: Origin, path: str) -> None:
        gateway = start_gateway(config(route("/files/{rest...}", origin), route("/{name}", origin)))

        assert gateway.request("GET", path).status == 400
        assert origin.received == []


class TestBuiltins:
    """Endpoints of the gateway itself."""

    @pytest.mark.parametrize(("path", "word"), [("/health", "healthy"), ("/ready", "ready"), ("/live", "alive")])
    def test_answer_get_and_head(
        self, start_gateway: Callable[..., Gateway], origin: Origin, path: str, word: str
    ) -> None:
        gateway = start_gateway(config(route("/{any...}", origin)))

        answer = gateway.request("GET", path)
        head = gateway.request("HEAD", path)

        assert answer.json()["status"] == word
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == answer.headers["Content-Length"]
        assert gateway.request("POST", path).status == 405
        assert origin.received == []

    def test_health_tells_a_true_uptime(self, start_gateway: Callable[..., Gateway], origin: Origin) -> None:
        gateway = start_gateway(config(route("/a", origin)))

        health = gateway.request("GET", "/health").json()

        assert health["uptime"] == health["uptime_seconds"]
        assert 0 <= health["uptime"] < RECORDED_SECONDS * 10

    def test_give_way_to_a_route_and_move(self, start_gateway: Callable[..., Gateway], origin: Origin) -> None:
        gateway = start_gateway(config(route("/health", origin)))
        assert gateway.request("GET", "/health").body == b"hello"

        gateway.reload(config(route("/a", origin), builtin_routes="/_kairos"), "in force")

        assert gateway.request("GET", "/_kairos/health").json()["status"] == "healthy"
        assert gateway.request("GET", "/health").status == 404


def test_access_log_has_a_record_per_request_and_reopens(
    start_gateway: Callable[..., Gateway], origin: Origin, tmp_path: Path
) -> None:
    file = tmp_path / "access.log"
    gateway = start_gateway(config(route("/items/{id}", origin), logging={"access_log": str(file)}))
    gateway.request("GET", "/items/7?q=1")
    gateway.request("GET", "/nowhere")
    moved = file.rename(tmp_path / "access.log.1")

    gateway.send(SIGUSR1)
    while not file.exists():  # the worker writes what it has to the old file, then opens the new one
        gateway.request("GET", "/live")
    gateway.request("GET", "/items/8")
    gateway.stop()

    records = [json.loads(line) for line in moved.read_text().splitlines()]
    records = [record for record in records if record["path"] not in ("/ready", "/live")]
    served, refused = records
    assert (served["status"], served["route"], served["path"]) == (200, "/items/{id}", "/items/7")
    assert served["backend"] == f"http://127.0.0.1:{origin.port}"
    assert served["total_ms"] >= served["first_byte_ms"] >= served["connect_ms"] > 0
    assert (refused["status"], refused["reason"], refused["route"]) == (404, "route_not_found", None)
    assert json.loads(file.read_text().splitlines()[-1])["path"] == "/items/8"
