"""The demo backends: real HTTP servers that tell what reached them."""

import http.client
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kairos.cli import demo

EXAMPLE = Path(__file__).parent.parent.parent / "config.example.json"


def fork(function: Callable[[], None]) -> int:
    """Run a function in a child process; returns its id."""
    child = os.fork()
    if child:
        return child
    try:
        function()
    finally:
        os._exit(0)  # never back into pytest


@pytest.fixture
def connection() -> Iterator[http.client.HTTPConnection]:
    """Run a backend in a child process, as the supervisor does, and connect to it."""
    backend = demo.DemoBackend("gamma", 0)
    child = fork(backend.run)
    host, port = backend.socket.getsockname()
    connection = http.client.HTTPConnection(host, port, timeout=30)
    yield connection
    connection.close()
    backend.server_close()
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM


def test_tells_what_arrived(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/users/42?a=1", body=b"hello", headers={"X-Request-ID": "abc"})

    account = json.loads(connection.getresponse().read())

    assert account["backend"] == "gamma"
    assert account["method"] == "POST"
    assert account["path"] == "/users/42?a=1"
    assert account["headers"]["X-Request-ID"] == "abc"
    assert account["body"] == "hello"


def test_keeps_the_connection_alive_over_chunked_bodies_and_head(connection: http.client.HTTPConnection) -> None:
    connection.request("PUT", "/a", body=iter([b"one, ", b"two"]), encode_chunked=True)
    assert json.loads(connection.getresponse().read())["body"] == "one, two"
    first = connection.sock

    connection.request("HEAD", "/a")
    response = connection.getresponse()
    assert int(response.headers["Content-Length"]) > 0
    assert response.read() == b""

    connection.request("GET", "/files/notes.txt")
    assert connection.getresponse().read() == b"This is /files/notes.txt, kept by gamma.\n"
    assert connection.sock is first


def test_echoes_the_beginning_of_a_large_body(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/", body=b"x" * (3 * demo.MAX_ECHO_BYTES))

    account = json.loads(connection.getresponse().read())

    assert account["body"] == "x" * demo.MAX_ECHO_BYTES
    assert account["body_bytes"] == 3 * demo.MAX_ECHO_BYTES


def test_leaves_when_the_supervisor_is_gone() -> None:
    reader, writer = os.pipe()

    def supervisor() -> None:
        fork(demo.DemoBackend("gamma", 0).run)

    os.waitpid(fork(supervisor), 0)
    os.close(writer)  # now only the backend holds it

    assert os.read(reader, 1) == b""
    os.close(reader)


def test_the_example_config_uses_both_backends() -> None:
    example = json.loads(EXAMPLE.read_text(encoding="utf-8"))

    used = {(backend["host"], backend["port"]) for router in example["routers"] for backend in router["backends"]}

    assert used == {(f"http://{demo.HOST}", port) for port in demo.PORTS.values()}
