"""Backends that fail their check, with a real gateway of two workers."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.configs import config, route
from tests.e2e.gateway import Gateway
from tests.e2e.log import PATIENCE_SECONDS
from tests.e2e.origin import Origin, Received
from tests.e2e.peers import stop, workers_of

CHECK = {"path": "/well", "interval_seconds": 0.25, "unhealthy_threshold": 2, "healthy_threshold": 2}
REQUESTS = 20  # enough connections to meet both workers, and both backends
OK, ILL = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"


class Patient(Origin):
    """A backend that serves requests always, and passes its check only while it is well."""

    def __init__(self) -> None:
        super().__init__(self._answer_as_it_feels)
        self.is_well = True

    def _answer_as_it_feels(self, request: Received) -> bytes:
        return OK if self.is_well or request.target != "/well" else ILL

    def hold_now(self) -> None:
        """Answer nothing any more when this returns."""
        self.hold()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result(PATIENCE_SECONDS)

    def probes(self) -> int:
        return sum(request.target == "/well" for request in self.received)

    def requests(self) -> int:
        return len(self.received) - self.probes()


def ask_often(gateway: Gateway) -> None:
    for _ in range(REQUESTS):
        assert gateway.request("GET", "/a").status == 200


def served(gateway: Gateway, *backends: Patient) -> list[bool]:
    """Ask often; return which of the backends got some of the requests."""
    before = [backend.requests() for backend in backends]
    ask_often(gateway)
    return [backend.requests() > count for backend, count in zip(backends, before, strict=True)]


def wait_for_probes(backend: Patient, count: int) -> None:
    """Wait until a backend has been probed so many times more."""
    last = backend.probes() + count
    while backend.probes() < last:
        backend.wait_for(len(backend.received) + 1)


def becomes(gateway: Gateway, backend: Patient, state: str) -> None:
    """Wait until the gateway tells of a change of state, and all workers have had time to learn it."""
    gateway.log.wait_for(rf"{backend.port} of /a is {state}")
    wait_for_probes(backend, 6)


@pytest.fixture
def backends() -> Iterator[list[Patient]]:
    """Run three backends, which are there for longer than the gateway that probes them."""
    with Patient() as first, Patient() as second, Patient() as third:
        yield [first, second, third]


@pytest.fixture
def start(backends: list[Patient], start_gateway: Callable[..., Gateway]) -> Callable[..., Gateway]:
    """Start a gateway of two workers, after the backends."""

    def start(*routers: dict[str, object]) -> Gateway:
        return start_gateway(config(*routers), workers=2)

    return start


def checked(*backends: Patient, **more: object) -> dict[str, object]:
    """Make a route whose backends are checked."""
    return route("/a", *backends, health_check={**CHECK, **more})


def test_who_fails_its_check_gets_no_requests_until_it_is_well_again(
    start: Callable[..., Gateway], backends: list[Patient]
) -> None:
    first, second, _ = backends
    gateway = start(checked(first, second))
    assert served(gateway, first, second) == [True, True]

    second.is_well = False
    becomes(gateway, second, "down: answered with status 500")
    assert served(gateway, first, second) == [True, False]

    second.is_well = True
    becomes(gateway, second, "up again")
    assert served(gateway, first, second) == [True, True]


def test_one_worker_probes_for_all(start: Callable[..., Gateway], backends: list[Patient]) -> None:
    quick, slow, _ = backends
    start(checked(quick, slow, timeout_seconds=30))
    wait_for_probes(quick, 8)  # by now both workers are there, and know which of them it is
    slow.hold_now()
    before = slow.probes()
    wait_for_probes(quick, 8)

    assert slow.probes() <= before + 1  # the next one waits for the end of this; that of another worker would not
    slow.release()


def test_when_the_worker_that_probes_is_stuck_another_goes_on(
    start: Callable[..., Gateway], backends: list[Patient]
) -> None:
    first, second, _ = backends
    gateway = start(checked(first, second))
    wait_for_probes(second, 2)
    lowest = min(workers_of(gateway))

    stop(lowest)
    second.is_well = False

    gateway.log.wait_for(rf"{second.port} of /a is down")  # the stuck one will be replaced


def test_what_is_known_outlives_a_reload_and_what_is_gone_is_left_alone(
    start: Callable[..., Gateway], backends: list[Patient]
) -> None:
    first, second, third = backends
    second.is_well = False
    gateway = start(checked(first, second))
    becomes(gateway, second, "down")

    gateway.reload(config(checked(second, third)))
    assert served(gateway, second, third) == [False, True]

    before = first.probes()
    wait_for_probes(third, 8)
    assert first.probes() <= before + 1  # one may have been under way


@pytest.mark.parametrize("state", ["drain", "maintenance"])
def test_a_backend_that_is_put_aside_gets_nothing_new_and_finishes_what_it_has(
    start: Callable[..., Gateway], backends: list[Patient], state: str
) -> None:
    first, second, _ = backends
    aside = {**second.backend, "state": state}
    gateway = start(route("/a", first, second))
    second.hold()
    under_way = [gateway.connect() for _ in range(2)]  # one to each backend
    for connection in under_way:
        connection.request("GET", "/a")
    second.wait_for(1)

    gateway.reload(config({**route("/a"), "backends": [first.backend, aside]}))
    assert served(gateway, first, second) == [True, False]

    second.release()
    assert [connection.getresponse().status for connection in under_way] == [200, 200]
    for connection in under_way:
        connection.close()


def test_a_backend_in_maintenance_is_not_probed(start: Callable[..., Gateway], backends: list[Patient]) -> None:
    first, second, _ = backends
    aside = {**second.backend, "state": "maintenance"}
    start({**checked(), "backends": [first.backend, aside]})
    wait_for_probes(first, 4)

    assert second.received == []
