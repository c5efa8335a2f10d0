"""Every strategy of the config has its balancer, and all keep one contract."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.config.model.router import Router
from tests.balancing.backends import HEAD, balancer_of, never

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
@pytest.mark.parametrize("backends", ["", "a"])
def test_one_backend_or_none_is_no_choice(strategy: str, backends: str) -> None:
    balancer = balancer_of(strategy, backends, next_position=never)

    assert balancer.choices("10.0.0.1", HEAD) == tuple(backends)


def test_backends_that_are_the_same_are_tried_as_often_as_they_are_named() -> None:
    assert balancer_of("round_robin", "aab").choices("", HEAD) == ("a", "a", "b")


def test_an_unknown_strategy_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="fastest"):
        balancer_of("fastest", "ab")
