"""Who gets which share, and where a request goes on when the first choice refuses."""

import random
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from tests.balancing.backends import HEAD, Workers, balancer_of, firsts

# Those of the kairos-rs specification, section 4.1: client, then the backend of 2, 3, 4 and 5.
IP_HASH = [
    ("127.0.0.1", (0, 0, 0, 3)),
    ("192.168.1.100", (1, 1, 1, 3)),
    ("10.0.0.1", (0, 1, 0, 1)),
    ("::1", (1, 0, 1, 2)),
]


def letters(number: int) -> str:
    """Return so many names of backends."""
    return "".join(map(chr, range(0x100, 0x100 + number)))


def test_round_robin_takes_every_backend_in_turn_and_goes_on_with_the_next() -> None:
    balancer = balancer_of("round_robin", "abc")

    assert ["".join(balancer.choices("", HEAD)) for _ in range(4)] == ["abc", "bca", "cab", "abc"]


def test_round_robin_does_not_look_at_weights() -> None:
    assert Counter(firsts(balancer_of("round_robin", "ab", [9, 1]), 10)) == {"a": 5, "b": 5}


def test_balancers_that_share_a_position_share_the_turns() -> None:
    position = count().__next__
    one, other = (balancer_of("round_robin", "ab", next_position=position) for _ in range(2))

    assert [balancer.choices("", HEAD)[0] for balancer in (one, other, other, one)] == ["a", "b", "a", "b"]


def test_a_large_position_is_a_turn_like_any_other() -> None:
    assert balancer_of("round_robin", "abc", next_position=lambda: 2**62).choices("", HEAD) == ("b", "c", "a")


def test_many_backends_have_their_turns_too() -> None:
    backends = letters(256)

    assert firsts(balancer_of("round_robin", backends), 512) == backends * 2
    balancer = balancer_of("round_robin", backends, next_position=lambda: 5)
    assert "".join(balancer.choices("", HEAD)) == backends[5:] + backends[:5]


def test_weights_of_2_to_1_give_20_and_10_of_30_requests() -> None:
    assert Counter(firsts(balancer_of("weighted", "ab", [2, 1]), 30)) == {"a": 20, "b": 10}


def test_weighted_turns_are_spread_and_not_in_blocks() -> None:
    assert firsts(balancer_of("weighted", "abc", [5, 1, 1]), 14) == "aabacaa" * 2


def test_a_weighted_request_goes_on_in_the_order_of_the_next_turns() -> None:
    balancer = balancer_of("weighted", "abc", [5, 1, 1])

    assert ["".join(balancer.choices("", HEAD)) for _ in range(7)] == ["abc", "abc", "bac", "acb", "cab", "abc", "abc"]


def test_equal_weights_are_turns_in_the_order_of_the_config() -> None:
    assert firsts(balancer_of("weighted", "abc", [7, 7, 7]), 6) == "abcabc"


def test_a_weighted_order_beyond_the_prepared_ones_is_the_same_walk() -> None:
    balancer = balancer_of("weighted", "abc", [100, 98, 1])  # 199 turns
    orders = [balancer.choices("", HEAD) for _ in range(199)]

    assert Counter(order[0] for order in orders) == {"a": 100, "b": 98, "c": 1}
    for at, order in enumerate(orders):
        coming = dict.fromkeys(later[0] for later in orders[at:] + orders[:at])
        assert order == tuple(coming)


def test_the_least_loaded_backend_is_first_over_all_workers() -> None:
    workers = Workers(2, 3)
    balancer = balancer_of("least_connections", "abc", loads=workers.loads)

    workers.carry(0, 4, 0, 1)
    workers.carry(1, 0, 3, 1)

    for _ in range(3):
        assert balancer.choices("", HEAD) == ("c", "b", "a")


def test_equally_loaded_backends_take_turns() -> None:
    workers = Workers(1, 3)
    balancer = balancer_of("least_connections", "abc", loads=workers.loads)
    workers.carry(0, 1, 2, 1)

    assert ["".join(balancer.choices("", HEAD)) for _ in range(3)] == ["acb", "cab", "cab"]
    workers.carry(0, 0, 0, 0)
    assert Counter(firsts(balancer, 30)) == {"a": 10, "b": 10, "c": 10}


def test_requests_that_stay_are_levelled_out() -> None:
    workers = Workers(1, 3)
    balancer = balancer_of("least_connections", "abc", loads=workers.loads)
    carried = {"a": 7, "b": 0, "c": 2}
    for _ in range(21):
        workers.carry(0, *carried.values())
        carried[balancer.choices("", HEAD)[0]] += 1

    assert carried == {"a": 10, "b": 10, "c": 10}


def test_many_backends_are_ordered_by_load_too() -> None:
    workers, backends = Workers(1, 200), letters(200)
    balancer = balancer_of("least_connections", backends, loads=workers.loads, next_position=lambda: 150)
    workers.carry(0, *(number % 2 for number in range(200)))

    order = "".join(balancer.choices("", HEAD))

    turned = backends[150:] + backends[:150]
    assert order == turned[::2] + turned[1::2]


def test_random_gives_every_backend_the_same_chance_whatever_its_weight() -> None:
    balancer = balancer_of("random", "abc", [100, 1, 1], draw=random.Random(7).randrange)

    shares = Counter(firsts(balancer, 30_000))

    assert all(9_500 < share < 10_500 for share in shares.values())


@pytest.mark.parametrize(("client", "backends"), IP_HASH)
def test_a_client_has_the_backend_that_kairos_rs_would_give_it(client: str, backends: tuple[int, ...]) -> None:
    for number, backend in zip((2, 3, 4, 5), backends, strict=True):
        order = "".join(balancer_of("ip_hash", "abcde"[:number]).choices(client, HEAD))
        assert order == "abcde"[backend:number] + "abcde"[:backend]


def test_the_page_shows_the_same_backends() -> None:
    page = (Path(__file__).parents[2] / "docs/balancing.md").read_text(encoding="utf-8")

    for client, backends in IP_HASH:
        assert f"| `{client}` | {' | '.join(map(str, backends))} |" in page


def test_a_client_stays_where_it_is_and_many_clients_are_spread() -> None:
    balancer = balancer_of("ip_hash", "abcd")
    clients = [f"10.0.{number >> 8}.{number & 255}" for number in range(4000)]
    placed = [balancer.choices(client, HEAD)[0] for client in clients]

    assert [balancer.choices(client, HEAD)[0] for client in clients] == placed
    assert all(900 < share < 1100 for share in Counter(placed).values())


def test_a_client_without_an_address_has_the_first_backend() -> None:
    assert balancer_of("ip_hash", "abc").choices("", HEAD) == ("a", "b", "c")
