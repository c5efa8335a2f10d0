"""Whatever is sent to the gateway, it does not fall over, and nobody is harmed but the sender."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance import requests, responses
from tests.conformance.anything import run_any_request, run_any_response
from tests.conformance.case import GET, GET_10_KEEP, GET_WITH_TRAILERS, HEAD
from tests.conformance.driver import Bench
from tests.conformance.mutations import MOST, mutated

REQUESTS = [case.raw for _, case in requests.CASES if len(case.raw) <= MOST]
RESPONSES = [case.raw for _, case in responses.CASES if len(case.raw) <= MOST]

bounded = settings(
    max_examples=500,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.large_base_example],
)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.end()


@bounded
@given(pieces=mutated(REQUESTS))
def test_any_request_harms_nobody(bench: Bench, pieces: tuple[bytes, ...]) -> None:
    run_any_request(bench, pieces)


@bounded
@given(pieces=mutated(REQUESTS))
def test_where_a_request_is_cut_does_not_matter(bench: Bench, pieces: tuple[bytes, ...]) -> None:
    assert run_any_request(bench, pieces) == run_any_request(bench, (b"".join(pieces),))


@bounded
@given(request=st.sampled_from((GET, HEAD, GET_10_KEEP, GET_WITH_TRAILERS)), pieces=mutated(RESPONSES))
def test_any_response_harms_nobody(bench: Bench, request: bytes, pieces: tuple[bytes, ...]) -> None:
    run_any_response(bench, request, pieces)


@settings(bounded, max_examples=200)
@given(pieces=st.lists(st.binary(min_size=1, max_size=200), max_size=5))
def test_noise_harms_nobody(bench: Bench, pieces: list[bytes]) -> None:
    run_any_request(bench, pieces)
