"""Backends with names, through real sockets and a real name server: they move, and clients do not notice."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.discovery.stub import NameServer
from tests.e2e.certificates import Authority
from tests.e2e.configs import config, route
from tests.e2e.gateway import Gateway
from tests.e2e.load import Load
from tests.e2e.origin import Origin

ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
A, B, C = ADDRESSES


@pytest.fixture
def names() -> Iterator[NameServer]:
    with NameServer() as server:
        yield server


@pytest.fixture
def origins() -> Iterator[dict[str, Origin]]:
    """One backend at each address, all on the same port."""
    with ExitStack() as running:
        first = running.enter_context(Origin(host=A))
        others = {host: running.enter_context(Origin(host=host, port=first.port)) for host in (B, C)}
        yield {A: first, **others}


def named(names: NameServer, origins: dict[str, Origin], **options: object) -> dict[str, object]:
    """Make a config whose only backend is called app.test."""
    backends = [{"host": "http://app.test", "port": origins[A].port}]
    return config(route("/{rest...}", **{"backends": backends, **options}), discovery={"resolver": [names.address]})


def test_every_address_gets_requests_under_the_name(
    start_gateway: Callable[..., Gateway], names: NameServer, origins: dict[str, Origin]
) -> None:
    names.tell("app.test", *ADDRESSES)
    gateway = start_gateway(named(names, origins))

    assert [gateway.request("GET", "/a").status for _ in range(6)] == [200] * 6

    assert [len(origin.received) for origin in origins.values()] == [2, 2, 2]
    assert origins[B].received[0].fields("Host") == [f"app.test:{origins[A].port}"]


def test_a_record_changes_under_load(
    start_gateway: Callable[..., Gateway], names: NameServer, origins: dict[str, Origin]
) -> None:
    names.tell("app.test", A, ttl=1)
    gateway = start_gateway(named(names, origins), workers=2)
    with Load(gateway.port, "/a") as load:
        load.wait_for(100)
        names.tell("app.test", B, C, ttl=1)
        origins[B].wait_for(50)
        origins[C].wait_for(50)
        names.tell("app.test", A, ttl=1)
        origins[A].wait_for(len(origins[A].received) + 100)

    assert load.failures == []


def test_requests_go_on_while_the_name_server_is_down(
    start_gateway: Callable[..., Gateway], names: NameServer, origins: dict[str, Origin]
) -> None:
    names.tell("app.test", A, B, ttl=1)
    gateway = start_gateway(named(names, origins))
    with Load(gateway.port, "/a", clients=2) as load:
        load.wait_for(10)
        names.stop()
        gateway.log.wait_for(r"app\.test cannot be resolved: .*; it stays at 127\.0\.0\.1, 127\.0\.0\.2")
        load.wait_for(100)

    assert load.failures == []


def test_a_backend_dies_and_has_another_address_long_before_the_ttl_ends(
    start_gateway: Callable[..., Gateway], names: NameServer, origins: dict[str, Origin]
) -> None:
    names.tell("app.test", A, ttl=3600)
    patient = {"max_retries": 5, "initial_backoff_ms": 500, "jitter": False}  # a name is asked for once a second
    gateway = start_gateway(named(names, origins, retry=patient))
    assert gateway.request("GET", "/a").status == 200

    names.tell("app.test", B, ttl=3600)
    origins[A].stop()

    assert gateway.request("GET", "/a").status == 200
    assert len(origins[B].received) == 1


@pytest.mark.tool("openssl")
@pytest.mark.parametrize(("certified", "status"), [("DNS:app.test", 200), ("IP:127.0.0.1", 502)])
def test_a_certificate_is_checked_against_the_name(
    start_gateway: Callable[..., Gateway], names: NameServer, tmp_path: Path, certified: str, status: int
) -> None:
    authority = Authority(tmp_path)
    names.tell("app.test", A)
    with Origin(tls=authority.server(certified)) as origin:
        tls = {"ca_file": str(authority.ca_file)}
        backends = [{"host": "https://app.test", "port": origin.port, "tls": tls}]
        gateway = start_gateway(named(names, {A: origin}, backends=backends))

        assert gateway.request("GET", "/a").status == status


def test_names_of_the_system_need_no_name_server(
    start_gateway: Callable[..., Gateway], names: NameServer, origins: dict[str, Origin]
) -> None:
    backends = [{"host": "http://localhost", "port": origins[A].port}]
    gateway = start_gateway(named(names, origins, backends=backends))

    assert gateway.request("GET", "/a").status == 200
    assert names.asked == []


def test_a_name_that_nobody_knows_is_no_reason_not_to_start(
    start_gateway: Callable[..., Gateway], names: NameServer, origins: dict[str, Origin]
) -> None:
    gateway = start_gateway(named(names, origins))

    answer = gateway.request("GET", "/a")

    assert answer.status == 502
    assert b"app.test" not in answer.body
    names.tell("app.test", A)
    gateway.log.wait_for(r"app\.test is at 127\.0\.0\.1")
    assert gateway.request("GET", "/a").status == 200
