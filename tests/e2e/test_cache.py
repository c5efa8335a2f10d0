"""Stored answers through real sockets, with two workers that share them."""

import os
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.e2e.configs import config, route
from tests.e2e.gateway import Gateway
from tests.e2e.log import PATIENCE_SECONDS
from tests.e2e.origin import HOST, Origin, Received
from tests.e2e.peers import Backend, Peer, client_of, wait_until, workers_of

TURNS = 16  # connections of which both workers get some, unless luck is very bad
PURGER = {"purge_from": ["127.0.0.0/8"], "default_ttl_seconds": 600}
LARGE = bytes(range(256)) * 8192  # two MiB


class Numbered(Origin):
    """A backend whose answers are numbered, so that a stored one can be told from a new one."""

    def __init__(self) -> None:
        super().__init__(self._numbered)
        self._numbers = count(1)

    def _numbered(self, request: Received) -> bytes:
        body = LARGE if request.target.startswith("/large") else b"answer %d" % next(self._numbers)
        vary = b"Vary: Accept-Encoding\r\n" if request.target.startswith("/vary") else b""
        about = b'ETag: "1"\r\nCache-Tag: all\r\n' + vary
        return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (about, len(body), body)


@pytest.fixture(scope="module")
def backend() -> Iterator[Numbered]:
    with Numbered() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(backend: Numbered, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with two workers that the tests share; each has paths of its own."""
    routes = config(route("/{rest...}", backend, cache=PURGER))
    with Gateway(tmp_path_factory.mktemp("cache"), routes, workers=2) as running:
        yield running


def bodies(gateway: Gateway, path: str, times: int = TURNS) -> set[bytes]:
    """Ask again and again, each time on a new connection; return what came."""
    return {gateway.request("GET", path).body for _ in range(times)}


def curl(gateway: Gateway, path: str, *arguments: str) -> bytes:
    """Let curl ask."""
    command = ["curl", "--silent", "--show-error", *arguments, f"http://{HOST}:{gateway.port}{path}"]
    return subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_SECONDS).stdout


def test_what_one_worker_has_stored_both_answer(gateway: Gateway) -> None:
    first = gateway.request("GET", "/shared")
    assert first.headers["Cache-Status"] == "kairos; fwd=uri-miss; fwd-status=200; stored"
    assert first.headers["Cache-Tag"] is None

    assert bodies(gateway, "/shared") == {first.body}
    assert gateway.request("GET", "/shared").headers["Cache-Status"].startswith("kairos; hit; ttl=")


@pytest.mark.parametrize("how", [("/purged/*", {}), ("/purged/1", {}), ("/", {"Cache-Tag": "all"})])
def test_a_purge_holds_for_both_workers_at_once(gateway: Gateway, how: tuple[str, dict[str, str]]) -> None:
    (before,) = bodies(gateway, "/purged/1")

    assert gateway.request("PURGE", how[0], headers=how[1]).status == 200

    (after,) = bodies(gateway, "/purged/1")
    assert after != before


def test_an_unsafe_request_invalidates_for_both_workers(gateway: Gateway) -> None:
    (before,) = bodies(gateway, "/posted")

    gateway.request("POST", "/posted", b"x")

    assert before not in bodies(gateway, "/posted")


def test_fifty_clients_at_a_time_are_one_request_per_worker(gateway: Gateway, backend: Numbered) -> None:
    before = len(backend.received)
    backend.hold()
    clients = [client_of(gateway) for _ in range(50)]
    for client in clients:
        client.send(b"GET /crowded HTTP/1.1\r\nHost: a\r\n\r\n")
    backend.wait_for(before + 1)
    backend.release()

    heads = [client.receive_head() for client in clients]

    assert all(head.startswith(b"HTTP/1.1 200 ") for head in heads)
    assert 1 <= len(backend.received) - before <= 2
    for client in clients:
        client.close()


def test_parts_of_a_large_body(gateway: Gateway) -> None:
    assert gateway.request("GET", "/large").body == LARGE
    for first, last in ((0, 99), (1_000_000, 1_999_999), (len(LARGE) - 5, len(LARGE) - 1)):
        assert curl(gateway, "/large", "-r", f"{first}-{last}") == LARGE[first : last + 1]
    assert curl(gateway, "/large", "-r", "-7") == LARGE[-7:]
    assert curl(gateway, "/large") == LARGE
    assert b"HTTP/1.1 416 " in curl(gateway, "/large", "-r", f"{len(LARGE)}-", "--head", "--request", "GET")


def test_a_client_that_has_it_gets_304(gateway: Gateway, tmp_path: Path) -> None:
    tag = str(tmp_path / "tag")
    assert curl(gateway, "/tagged", "--etag-save", tag).startswith(b"answer ")

    assert curl(gateway, "/tagged", "--etag-compare", tag, "-w", "%{http_code}") == b"304"


def test_variants_are_apart(gateway: Gateway) -> None:
    plain = curl(gateway, "/vary")
    packed = curl(gateway, "/vary", "-H", "Accept-Encoding: gzip, br")

    assert plain != packed
    for _ in range(4):
        assert curl(gateway, "/vary") == plain
        assert curl(gateway, "/vary", "-H", "Accept-Encoding: br,gzip") == packed


def test_a_dead_backend_is_not_noticed(start_gateway: Callable[..., Gateway]) -> None:
    with Numbered() as backend:
        cache = {"default_ttl_seconds": 0.01, "stale_if_error_seconds": 600}
        gateway = start_gateway(config(route("/a", backend, cache=cache)), workers=2)
        before = gateway.request("GET", "/a")
    answers = [gateway.request("GET", "/a") for _ in range(TURNS)]

    assert {answer.status for answer in answers} == {200}
    assert {answer.body for answer in answers} == {before.body}
    assert "ttl=" in answers[0].headers["Cache-Status"]


def test_a_worker_that_is_killed_while_it_stores_leaves_nothing_wrong(start_gateway: Callable[..., Gateway]) -> None:
    with Backend() as backend:
        gateway = start_gateway(config(route("/a", backends=[backend.entry], cache=PURGER)), workers=2)
        with client_of(gateway) as client, half_answered(gateway, backend, client):
            old = workers_of(gateway)
            for pid in old:
                os.kill(pid, SIGKILL)
            client.receive_to_the_end()
        wait_until(lambda: not set(old) & set(workers_of(gateway)), gateway)
        with client_of(gateway) as client, half_answered(gateway, backend, client) as served:
            served.send(LARGE[len(LARGE) // 2 :])
            client.receive_head()
            assert received(client, len(LARGE)) == LARGE

        for _ in range(4):
            assert gateway.request("GET", "/a").body == LARGE


def half_answered(gateway: Gateway, backend: Backend, client: Peer) -> Peer:
    """Ask, and let the backend send a half of its answer."""
    client.send(b"GET /a HTTP/1.1\r\nHost: %b:%d\r\n\r\n" % (HOST.encode(), gateway.port))
    served = backend.accept()
    served.receive_head()
    served.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE) + LARGE[: len(LARGE) // 2])
    return served


def received(client: Peer, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = client.sock.recv(size - len(data))
        assert piece
        data += piece
    return bytes(data)


@pytest.mark.parametrize("trouble", ["full", "missing"])
def test_answers_pass_when_there_is_no_room_for_them(
    start_gateway: Callable[..., Gateway], backend: Numbered, tmp_path: Path, trouble: str
) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    if trouble == "full":
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)], capture_output=True)
        if mount.returncode:
            pytest.skip("only root may mount")
    else:
        (folder / "file").write_text("")
    try:
        directory = str(folder if trouble == "full" else folder / "file" / "folder")
        gateway = start_gateway(config(route("/large", backend, cache=PURGER), cache={"directory": directory}))
        for _ in range(3):
            assert gateway.request("GET", "/large").body == LARGE
        gateway.stop()
        assert "cache" in str(gateway.log)
    finally:
        if trouble == "full":
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_reload_changes_what_is_stored(start_gateway: Callable[..., Gateway], backend: Numbered) -> None:
    gateway = start_gateway(config(route("/reloaded", backend)), workers=2)
    assert len(bodies(gateway, "/reloaded", 3)) == 3
    gateway.reload(config(route("/reloaded", backend, cache=PURGER)))
    assert len(bodies(gateway, "/reloaded")) == 1
    gateway.reload(config(route("/reloaded", backend)))
    assert len(bodies(gateway, "/reloaded", 3)) == 3


def test_nothing_is_left_when_the_gateway_has_ended(
    start_gateway: Callable[..., Gateway], backend: Numbered, tmp_path: Path
) -> None:
    gateway = start_gateway(
        config(route("/left", backend, cache=PURGER), cache={"directory": str(tmp_path)}), workers=2
    )
    bodies(gateway, "/left", 4)
    assert list(tmp_path.glob("kairos-cache-*"))

    gateway.stop()

    assert not list(tmp_path.glob("kairos-cache-*"))
