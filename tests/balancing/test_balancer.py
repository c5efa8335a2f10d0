"""Every strategy of the config has its balancer, and all keep one contract."""

import random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.config.catalogue import WEIGHTED
from kairos.config.document import HashOn
from kairos.config.model.router import Router
from tests.balancing.backends import HEAD, Traffic, Workers, balancer_of, never

WEIGHTS = (
    [1, 1],
    [2, 1],
    [5, 1, 1],
    [3, 2, 1],
    [1, 2, 3, 4, 4, 3, 2, 1],
    [1] * 12,
    [1, 2, 3] * 4,
    [10, *[1] * 11],
)
STRATEGIES = get_args(Router.model_fields["load_balancing_strategy"].annotation)


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(
    weights=st.lists(st.integers(1, 2**32 - 1), min_size=2, max_size=80),
    position=st.integers(-(2**63), 2**63 - 1),
    client=st.ip_addresses().map(str) | st.just(""),
)
def test_every_backend_is_named_once(strategy: str, weights: list[int], position: int, client: str) -> None:
    backends = "".join(chr(0x4E00 + number) for number in range(len(weights)))
    balancer = balancer_of(
        strategy,
        backends,
        weights,
        next_position=lambda: position,
        draw=lambda n: position % n,
    )

    choices = balancer.choices(client, HEAD)

    assert isinstance(choices, tuple)
    assert sorted(choices) == sorted(backends)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_shares_are_equal_or_those_of_the_weights(strategy: str, weights: list[int]) -> None:
    backends = "abcdefghijkl"[: len(weights)]
    workers, draw = Workers(1, len(weights)), random.Random(7).randrange
    hash_on = HashOn(factor=0.0)
    balancer = balancer_of(strategy, backends, weights, loads=workers.loads, draw=draw, hash_on=hash_on)
    traffic = Traffic(balancer, workers, backends)

    traffic.run(12_000, at_a_time=10 * sum(weights))

    given = weights if strategy in WEIGHTED else [1] * len(weights)
    for name, weight in zip(backends, given, strict=True):
        assert traffic.taken[name] == pytest.approx(12_000 * weight / sum(given), rel=0.15)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("backends", ["", "a"])
def test_one_backend_or_none_is_no_choice(strategy: str, backends: str) -> None:
    balancer = balancer_of(strategy, backends, next_position=never)

    assert balancer.choices("10.0.0.1", HEAD) == tuple(backends)


def test_backends_that_are_the_same_are_tried_as_often_as_they_are_named() -> None:
    assert balancer_of("round_robin", "aab").choices("", HEAD) == ("a", "a", "b")


def test_an_unknown_strategy_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="fastest"):
        balancer_of("fastest", "ab")
