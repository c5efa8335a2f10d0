"""What policies that look at every request cost. A round asks 1,000 times: microseconds there are nanoseconds each."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.test_head import REQUEST, RESPONSE
from kairos.config.policies import AccessList, Cors
from kairos.config.transformations import FieldRule, JsonBody, JsonRule, PathRule, StatusRule, Transformation
from kairos.security.access import AccessControl
from kairos.security.cors import CorsPolicy
from kairos.traffic.transform import RequestChange, ResponseChange
from kairos.traffic.transform_json import JsonRules
from tests.asking import Question, question

TIMES = 1_000

FIELDS = {
    "set and remove": (FieldRule("set", "X-Via", "kairos"), FieldRule("remove", "Cookie")),
    "add": (FieldRule("add", "X-Via", "kairos"),),
    "replace": (FieldRule("replace", "User-Agent", pattern=r"Mozilla/(\d+\.\d+)", replacement="Kairos/$1"),),
}


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

    def pass_by(asked: Question) -> None:
        subject.take(asked)
        subject.lines(asked.head)

    benchmark(ask, pass_by, asked)

    assert b"Access-Control-Allow-Origin" in subject.lines(asked.head)


def test_cors_preflight(benchmark: BenchmarkFixture) -> None:
    subject = CorsPolicy(Cors(origins=("https://app.example",)))
    asked = question(
        b"Origin: https://app.example", b"Access-Control-Request-Method: PUT", method=b"OPTIONS", target=b"/items/1"
    )

    benchmark(ask, subject.take, asked)


@pytest.mark.parametrize("kind", FIELDS)
def test_transform_fields(benchmark: BenchmarkFixture, kind: str) -> None:
    change = RequestChange(Transformation(headers=FIELDS[kind]))

    changed = benchmark(change.head, REQUEST)

    assert changed != REQUEST


def test_transform_path(benchmark: BenchmarkFixture) -> None:
    change = RequestChange(Transformation(path=PathRule("^/api/v1/(.+)$", "/v2/$1")))
    assert benchmark(change.target, b"/api/v1/users/12345?page=2") == b"/v2/users/12345?page=2"


def test_transform_query(benchmark: BenchmarkFixture) -> None:
    change = RequestChange(Transformation(query=(FieldRule("set", "format", "json"), FieldRule("remove", "debug"))))
    assert benchmark(change.target, b"/users?page=2&debug=1") == b"/users?page=2&format=json"


@pytest.mark.parametrize("condition", [None, "method == GET and response.Content-Type matches ^application/"])
def test_transform_status(benchmark: BenchmarkFixture, condition: str | None) -> None:
    change = ResponseChange(Transformation(statuses=(StatusRule(200, 203, condition),)))
    asked = question().head

    changed = benchmark(change.apply, RESPONSE, asked)

    assert changed.startswith(b"HTTP/1.1 203 ")


@pytest.mark.parametrize("size", [100, 10_000])
def test_transform_json(benchmark: BenchmarkFixture, size: int) -> None:
    rules = JsonRules(JsonBody((JsonRule("set", "/a/b", 1), JsonRule("remove", "/secret")), 1 << 20))
    body = b'{"secret": 1, "items": [%b]}' % b",".join([b'{"id": 12345, "name": "x"}'] * (size // 26))

    def change() -> bytes:
        one = rules.change()
        one.feed(body)
        return one.finish()

    assert b"secret" not in benchmark(change)
