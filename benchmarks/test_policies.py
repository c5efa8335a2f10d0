"""What policies that look at every request cost. A round asks 1,000 times: microseconds there are nanoseconds each."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from kairos.config.policies import AccessList, Cors
from kairos.security.access import AccessControl
from kairos.security.cors import CorsPolicy
from tests.asking import Question, question

TIMES = 1_000


def ask(look: Callable[[Question], Any], asked: Question) -> None:
    for _ in range(TIMES):
        look(asked)


@pytest.mark.parametrize("networks", [1, 1_000])
def test_access_list(benchmark: BenchmarkFixture, networks: int) -> None:
    deny = tuple(f"10.{number >> 8}.{number & 255}.0/25" for number in range(networks))
    subject = AccessControl([AccessList(deny=deny)])
    asked = question(client="192.0.2.1")

    benchmark(ask, subject.take, asked)

    assert subject.take(asked) is None


@pytest.mark.parametrize("origins", ["*", "https://app.example", "https://*.example"])
def test_cors(benchmark: BenchmarkFixture, origins: str) -> None:
    subject = CorsPolicy(Cors(origins=(origins,)))
    asked = question(b"Origin: https://app.example", b"Accept: */*", b"User-Agent: benchmark")

    def take(asked: Question) -> None:
        asked.lines = b""
        subject.take(asked)

    benchmark(ask, take, asked)

    assert b"Access-Control-Allow-Origin" in asked.lines


def test_cors_preflight(benchmark: BenchmarkFixture) -> None:
    subject = CorsPolicy(Cors(origins=("https://app.example",)))
    asked = question(
        b"Origin: https://app.example", b"Access-Control-Request-Method: PUT", method=b"OPTIONS", target=b"/items/1"
    )

    benchmark(ask, subject.take, asked)
