"""Least requests and lowest latency: who gets which share, and in which order requests go on."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.balancing.latency import Latency
from tests.balancing.backends import HEAD, NOW, Traffic, Workers, balancer_of, firsts, never, unmeasured

MANY = "abcdefghijkl"
WEIGHTS = [
    ("ab", [1, 1]),
    ("ab", [2, 1]),
    ("abc", [5, 1, 1]),
    ("abc", [3, 2, 1]),
    ("abcdefgh", [1, 2, 3, 4, 4, 3, 2, 1]),
    (MANY, [1] * 12),
    (MANY, [1, 2, 3] * 4),
    (MANY, [10, 10, *[1] * 10]),
]


def latencies(*seconds: float) -> list[Latency]:
    """Return latencies that have been measured, but for those of 0."""
    found = unmeasured(len(seconds))
    for latency, each in zip(found, seconds, strict=True):
        if each:
            latency.answered(each, NOW)
    return found


def shares(taken: Counter[str], backends: str, weights: list[int]) -> list[float]:
    """Return how many times its share each backend got."""
    total = sum(taken.values())
    return [taken[name] / total * sum(weights) / weight for name, weight in zip(backends, weights, strict=True)]


@pytest.mark.parametrize(("backends", "weights"), WEIGHTS)
@pytest.mark.parametrize("strategy", ["least_request", "peak_ewma"])
def test_under_load_shares_are_those_of_the_weights(strategy: str, backends: str, weights: list[int]) -> None:
    workers = Workers(1, len(backends))
    draw = random.Random(7).randrange
    balancer = balancer_of(strategy, backends, weights, loads=workers.loads, draw=draw)
    traffic = Traffic(balancer, workers, backends)

    traffic.run(20_000, at_a_time=20 * sum(weights))

    assert all(0.9 < share < 1.1 for share in shares(traffic.taken, backends, weights))


@pytest.mark.parametrize(("backends", "weights"), WEIGHTS)
def test_idle_backends_take_turns_by_their_weights(backends: str, weights: list[int]) -> None:
    balancer = balancer_of("least_request", backends, weights, draw=random.Random(7).randrange)

    taken = Counter(firsts(balancer, sum(weights) * 1000))

    tolerance = 0.0 if len(backends) <= 8 else 0.1
    assert all(1 - tolerance <= share <= 1 + tolerance for share in shares(taken, backends, weights))


def test_few_backends_are_all_compared_and_nothing_is_drawn() -> None:
    workers = Workers(2, 8)
    balancer = balancer_of("least_request", "abcdefgh", loads=workers.loads, draw=never)
    workers.carry(0, 5, 4, 3, 2, 2, 3, 4, 5)
    workers.carry(1, 0, 0, 0, 5, 0, 0, 0, 9)

    assert "".join(balancer.choices("", HEAD)) == "ecfbgadh"


def test_a_heavy_backend_bears_more() -> None:
    workers = Workers(1, 2)
    balancer = balancer_of("least_request", "ab", [1, 4], loads=workers.loads, next_position=lambda: 0)

    for loads, first in (((1, 1), "b"), ((1, 6), "b"), ((1, 8), "a"), ((0, 1), "a"), ((3, 0), "b")):
        workers.carry(0, *loads)
        assert balancer.choices("", HEAD)[0] == first


def test_of_many_the_better_of_two_is_taken_and_then_the_other() -> None:
    workers = Workers(1, 12)
    workers.carry(0, *range(12))
    for one, other, order in ((9, 3, "djklabcefghi"), (0, 11, "albcdefghijk"), (5, 5, "fghijklabcde")):
        balancer = balancer_of("least_request", MANY, loads=workers.loads, draw=lambda n, at=one * 12 + other: at % n)  # type: ignore[misc]
        chosen = "".join(balancer.choices("", HEAD))
        assert chosen[:2] == order[:2]
        assert sorted(chosen) == sorted(MANY)
        if one != other:
            rest = [name for name in MANY[MANY.index(order[0]) :] + MANY if name not in order[:2]]
            assert chosen[2:] == "".join(dict.fromkeys(rest))


def test_of_many_the_loads_are_nearly_level() -> None:
    backends = "".join(map(chr, range(0x100, 0x100 + 100)))
    workers = Workers(1, 100)
    balancer = balancer_of("least_request", backends, loads=workers.loads, draw=random.Random(7).randrange)
    traffic = Traffic(balancer, workers, backends)

    traffic.run(5_000, at_a_time=1_000)

    assert max(traffic.loads.values()) <= 14  # at random it would be about 20


def test_the_fastest_backend_is_first() -> None:
    balancer = balancer_of("peak_ewma", "abc", latencies=latencies(0.3, 0.1, 0.2))

    assert balancer.choices("", HEAD) == ("b", "c", "a")


def test_requests_in_flight_make_a_fast_backend_slow() -> None:
    workers = Workers(1, 3)
    balancer = balancer_of("peak_ewma", "abc", latencies=latencies(0.3, 0.1, 0.2), loads=workers.loads)

    workers.carry(0, 0, 3, 2)  # 0.3, 0.4 and 0.6 s

    assert balancer.choices("", HEAD) == ("a", "b", "c")


def test_load_is_shared_by_speed() -> None:
    workers = Workers(1, 3)
    balancer = balancer_of("peak_ewma", "abc", latencies=latencies(0.1, 0.2, 0.4), loads=workers.loads)
    traffic = Traffic(balancer, workers, "abc")

    traffic.run(70, at_a_time=70)

    assert [traffic.loads[name] for name in "abc"] == [40, 20, 10]


def test_weights_count_for_fast_backends_too() -> None:
    balancer = balancer_of("peak_ewma", "ab", [1, 4], latencies=latencies(0.1, 0.3))

    assert balancer.choices("", HEAD) == ("b", "a")


def test_an_unmeasured_backend_is_as_good_as_the_average() -> None:
    balancer = balancer_of("peak_ewma", "abc", latencies=latencies(0.1, 0, 0.5))

    assert balancer.choices("", HEAD) == ("a", "b", "c")


def test_backends_that_nobody_has_measured_take_turns() -> None:
    assert Counter(firsts(balancer_of("peak_ewma", "abc"), 30)) == {"a": 10, "b": 10, "c": 10}


def test_fast_errors_do_not_attract_requests() -> None:
    workers, measured = Workers(1, 2), latencies(0.5, 0.5)
    balancer = balancer_of("peak_ewma", "ab", latencies=measured, loads=workers.loads)
    taken = Counter[str]()
    for _ in range(100):
        chosen = balancer.choices("", HEAD)[0]
        taken[chosen] += 1
        if chosen == "a":
            measured[0].failed(0.001, NOW)  # it fails at once, and so it never has a request in flight
        else:
            workers.carry(0, 0, min(taken["b"], 20))

    assert taken["a"] < 15


def test_a_slow_backend_is_tried_again_after_a_while() -> None:
    clock = [NOW]
    measured = latencies(5.0, 0.1)
    balancer = balancer_of("peak_ewma", "ab", latencies=measured, now=lambda: clock[0])
    seen = ""
    for _ in range(4 * 120):
        clock[0] += 0.25
        chosen = balancer.choices("", HEAD)[0]
        seen += chosen
        measured["ab".index(chosen)].answered(0.1, clock[0])

    assert set(seen[: 4 * 30]) == {"b"}
    assert 60 < seen[-4 * 60 :].count("a") < 180


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 2**32 - 1), st.floats(0, 60)), min_size=9, max_size=40),
    st.randoms(use_true_random=False),
    st.sampled_from(["least_request", "peak_ewma"]),
)
def test_the_first_of_two_is_never_the_worse(
    backends: list[tuple[int, int, float]], chance: random.Random, strategy: str
) -> None:
    names = "".join(map(chr, range(0x100, 0x100 + len(backends))))
    workers = Workers(1, len(backends))
    workers.carry(0, *(load for load, _, _ in backends))
    weights = [weight for _, weight, _ in backends]
    seconds = latencies(*(max(each, 1e-3) for _, _, each in backends))
    balancer = balancer_of(strategy, names, weights, loads=workers.loads, draw=chance.randrange, latencies=seconds)

    first, second = (names.index(name) for name in balancer.choices("", HEAD)[:2])

    def cost(index: int) -> float:
        load, weight, _ = backends[index]
        if strategy == "peak_ewma":
            return seconds[index].seconds(NOW) * (load + 1) / weight
        return (load + 1) / weight if load else 0.0

    assert cost(first) <= cost(second)
