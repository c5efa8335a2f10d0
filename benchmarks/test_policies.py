"""What policies that look at every request cost. A round asks 1,000 times: microseconds there are nanoseconds each."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from kairos.config.policies import AccessList
from kairos.security.access import AccessControl
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
