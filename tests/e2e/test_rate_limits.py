"""Rate limits are exact, whichever worker counts."""

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from signal import SIGKILL
from typing import Any

import pytest

from tests.e2e.configs import config, route
from tests.e2e.gateway import Answer, Gateway
from tests.e2e.origin import Origin
from tests.e2e.test_processes import REPLACED, workers_of

IN_FORCE = r"reload: generation \d+ of the config is in force"


def ask(gateway: Gateway, path: str, times: int) -> list[Answer]:
    """Send requests from several clients at once, each on a connection of its own, so that all workers get some."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: gateway.request("GET", path), range(times)))


@pytest.mark.parametrize("window_type", ["FixedWindow", "SlidingWindow", "TokenBucket"])
def test_exactly_so_many_requests_come_through(
    start_gateway: Callable[..., Gateway], origin: Origin, window_type: str
) -> None:
    limit = {"requests_per_window": 30, "burst_allowance": 10, "window_duration": 3600, "window_type": window_type}
    gateway = start_gateway(config(route("/limited", origin, rate_limit=limit), route("/free", origin)), workers=2)

    answers = ask(gateway, "/limited", 100)

    assert Counter(answer.status for answer in answers) == {200: 40, 429: 60}
    remaining = [int(answer.headers["X-RateLimit-Remaining"]) for answer in answers if answer.status == 200]
    assert sorted(remaining) == list(range(40))
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.json()["type"] == "rate_limit_error"
    assert int(refused.headers["Retry-After"]) > 0
    assert gateway.request("GET", "/free").status == 200


def test_a_limit_of_many_is_counted_in_panes(start_gateway: Callable[..., Gateway], origin: Origin) -> None:
    limit = {"requests_per_window": 2000, "window_duration": 3600}
    gateway = start_gateway(config(route("/a", origin), rate_limit=limit), workers=2)

    answers = ask(gateway, "/a", 50)

    remaining = [int(answer.headers["X-RateLimit-Remaining"]) for answer in answers]
    assert sorted(remaining) == list(range(1950, 2000))


def test_a_reload_and_a_new_worker_forget_nothing(start_gateway: Callable[..., Gateway], origin: Origin) -> None:
    whole = {"requests_per_window": 20, "window_duration": 3600}
    gateway = start_gateway(config(route("/a", origin), rate_limit=whole), workers=2)
    ask(gateway, "/a", 15)

    gateway.reload(config(route("/a", origin), route("/b", origin), rate_limit=whole), IN_FORCE)

    assert Counter(answer.status for answer in ask(gateway, "/b", 2)) == {200: 2}
    os.kill(workers_of(gateway)[0], SIGKILL)
    gateway.log.wait_for(REPLACED)
    assert Counter(answer.status for answer in ask(gateway, "/b", 10)) == {200: 3, 429: 7}


def test_members_of_a_composite_have_to_agree(start_gateway: Callable[..., Gateway], origin: Origin) -> None:
    members: list[dict[str, Any]] = [
        {"strategy": "PerHeader", "requests_per_window": 5, "window_duration": 3600},
        {"strategy": "PerIP", "requests_per_window": 12, "window_duration": 3600, "window_type": "TokenBucket"},
    ]
    limit = {"strategy": {"Composite": members}, "requests_per_window": 1}
    gateway = start_gateway(config(route("/a", origin, rate_limit=limit)), workers=2)

    statuses = {}
    for key in ("one", "two", "three"):
        answers = [gateway.request("GET", "/a", headers={"X-API-Key": key}) for _ in range(8)]
        statuses[key] = sum(answer.status == 200 for answer in answers)

    assert statuses == {"one": 5, "two": 5, "three": 2}
