"""The harness of the other tests here: a gateway that runs, and a backend that remembers."""

import http.client
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.configs import config, route
from tests.e2e.gateway import Gateway
from tests.e2e.origin import HOST, Origin


def test_origin_remembers_what_it_received(origin: Origin) -> None:
    connection = http.client.HTTPConnection(HOST, origin.port, timeout=30)
    connection.request("PUT", "/a?b=1", body=iter([b"one ", b"two"]), headers={"X-Name": "value"}, encode_chunked=True)
    assert connection.getresponse().read() == b"hello"
    connection.request("HEAD", "/a")
    assert connection.getresponse().read() == b""
    connection.close()

    first, second = origin.received
    assert (first.method, first.target, first.body) == ("PUT", "/a?b=1", b"one two")
    assert first.fields("x-name") == ["value"]
    assert (second.method, second.connection) == ("HEAD", first.connection)


def test_origin_answers_when_the_test_says_so(origin: Origin) -> None:
    origin.hold()
    connection = http.client.HTTPConnection(HOST, origin.port, timeout=30)
    connection.request("GET", "/")

    origin.wait_for(1)
    origin.release()

    assert connection.getresponse().read() == b"hello"
    connection.close()


def test_gateway_runs_and_leaves(origin: Origin, start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway(config(route("/hello", origin)))

    assert gateway.request("GET", "/hello").body == b"hello"
    assert gateway.request("GET", "/other").status == 404

    gateway.reload(config(route("/hello", origin), route("/other", origin)))
    assert gateway.request("GET", "/other").body == b"hello"

    gateway.stop()
    with pytest.raises(ConnectionRefusedError):
        gateway.request("GET", "/hello")


def test_gateway_shows_its_log_when_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="routers"), Gateway(tmp_path, {"version": 1}):
        pass
