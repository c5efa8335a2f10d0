"""Keys stay with their backends, move as little as may be, and flood none of them."""

from collections import Counter
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.balancing.balancer import key_of
from kairos.config.document import HashOn
from tests.balancing.backends import HEAD, Traffic, Workers, balancer_of, request

CLIENTS = [f"10.0.{number >> 8}.{number & 255}" for number in range(6000)]
UNBOUND = HashOn(factor=0.0)
WEIGHTS = [
    ("abc", [1, 1, 1]),
    ("abc", [5, 1, 1]),
    ("ab", [2, 1]),
    ("abcdefghij", [1] * 10),
    ("abcdefghij", [1, 2, 3, 4, 5, 5, 4, 3, 2, 1]),
    ("".join(map(chr, range(0x100, 0x100 + 40))), [1, 3] * 20),
]


def placed(backends: str, weights: list[int] | None = None) -> dict[str, str]:
    """Return the first choice for each client."""
    balancer = balancer_of("consistent_hash", backends, weights, hash_on=UNBOUND)
    return {client: balancer.choices(client, HEAD)[0] for client in CLIENTS}


@pytest.mark.parametrize(("backends", "weights"), WEIGHTS)
def test_keys_are_spread_by_the_weights(backends: str, weights: list[int]) -> None:
    shares = Counter(placed(backends, weights).values())

    for name, weight in zip(backends, weights, strict=True):
        due = len(CLIENTS) * weight / sum(weights)
        assert abs(shares[name] - due) < 5 * due**0.5


def test_keys_are_where_they_were_after_a_restart_and_on_every_machine() -> None:
    balancer = balancer_of("consistent_hash", "abcde", hash_on=UNBOUND)

    orders = ["".join(balancer.choices(client, HEAD)) for client in ("127.0.0.1", "10.0.0.1", "::1")]
    assert orders == ["debca", "dbace", "aebcd"]


def test_the_order_of_the_config_does_not_matter() -> None:
    assert placed("abcde") == placed("ecbda")


def test_without_a_backend_its_keys_move_and_no_others() -> None:
    before, after = placed("abcdef"), placed("abdef")

    moved = [client for client in CLIENTS if before[client] != after[client]]
    assert moved == [client for client in CLIENTS if before[client] == "c"]
    assert min(Counter(after[client] for client in moved).values()) > len(moved) / 5 * 0.7  # and not all to one


def test_a_new_backend_takes_its_share_and_nothing_else_moves() -> None:
    before, after = placed("abcde"), placed("abcdef")

    moved = [client for client in CLIENTS if before[client] != after[client]]
    assert {after[client] for client in moved} == {"f"}
    assert len(CLIENTS) / 6 * 0.85 < len(moved) < len(CLIENTS) / 6 * 1.15


def test_a_new_weight_moves_keys_to_or_from_its_backend_alone() -> None:
    before, after = placed("abcd", [1, 1, 1, 1]), placed("abcd", [1, 2, 1, 1])

    assert {after[client] for client in CLIENTS if before[client] != after[client]} == {"b"}


def test_a_request_goes_on_where_its_key_would_be_without_the_first() -> None:
    whole, less = (balancer_of("consistent_hash", names, hash_on=UNBOUND) for names in ("abcde", "abde"))

    for client in CLIENTS[:200]:
        order = whole.choices(client, HEAD)
        assert less.choices(client, HEAD) == tuple(name for name in order if name != "c")


def test_a_backend_that_is_named_twice_has_two_shares() -> None:
    shares = Counter(placed("aab").values())

    assert 1.8 < shares["a"] / shares["b"] < 2.2


@pytest.mark.parametrize(
    ("hash_on", "same", "other"),
    [
        (HashOn("path"), (request("/x?a=1"), request("/x?b=2")), request("/y")),
        (HashOn("header", "X-User"), (request(x_user="ann"), request("/y", X_USER=" ann ")), request(x_user="bob")),
        (
            HashOn("cookie", "sid"),
            (request(cookie="sid=1"), request(cookie="xsid=0; sid=1; a=b")),
            request(cookie="sid=2; xsid=1"),
        ),
    ],
)
def test_what_is_hashed_is_what_the_config_says(hash_on: HashOn, same: tuple, other: object) -> None:  # type: ignore[type-arg]
    backends = "".join(map(chr, range(0x100, 0x100 + 60)))
    balancer = balancer_of("consistent_hash", backends, hash_on=hash_on)
    first, second, third = (balancer.choices("", head) for head in (*same, other))  # type: ignore[arg-type]

    assert first == second != third


@pytest.mark.parametrize("hash_on", [HashOn("client"), HashOn("header", "X-User"), HashOn("cookie", "sid")])
def test_requests_without_a_key_take_turns(hash_on: HashOn) -> None:
    balancer = balancer_of("consistent_hash", "abc", hash_on=hash_on)
    head = request(cookie="xsid=1", x_other="x")

    assert ["".join(balancer.choices("", head)) for _ in range(4)] == ["abc", "bca", "cab", "abc"]


def test_a_popular_key_does_not_flood_its_backend() -> None:
    workers = Workers(1, 4)
    balancer = balancer_of("consistent_hash", "abcd", loads=workers.loads, hash_on=HashOn("path", factor=1.25))
    traffic = Traffic(balancer, workers, "abcd")
    head = request("/popular")
    order = balancer.choices("", head)

    traffic.run(80, at_a_time=80, head=head)

    assert [traffic.loads[name] for name in order] == [25, 25, 25, 5]


def test_who_has_no_room_comes_behind_those_that_have() -> None:
    workers = Workers(2, 4)
    balancer = balancer_of("consistent_hash", "abcd", loads=workers.loads, hash_on=HashOn("path"))
    order = "".join(balancer.choices("", HEAD))

    for worker in range(2):
        workers.carry(worker, *(5 if name in order[:2] else 1 for name in "abcd"))

    assert "".join(balancer.choices("", HEAD)) == order[2:] + order[:2]


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 2**32 - 1)), min_size=2, max_size=40),
    st.floats(1, 10),
    st.ip_addresses().map(str),
)
def test_nobody_has_more_than_the_bound(backends: list[tuple[int, int]], factor: float, client: str) -> None:
    names = "".join(map(chr, range(0x100, 0x100 + len(backends))))
    loads, weights = (list(column) for column in zip(*backends, strict=True))
    workers = Workers(1, len(backends))
    workers.carry(0, *loads)
    bound = balancer_of("consistent_hash", names, weights, loads=workers.loads, hash_on=HashOn(factor=factor))
    free = balancer_of("consistent_hash", names, weights, hash_on=UNBOUND)

    order, key_order = bound.choices(client, HEAD), free.choices(client, HEAD)

    def has_room(name: str) -> bool:
        index = names.index(name)
        return loads[index] < ceil(factor * weights[index] / sum(weights) * (sum(loads) + 1))

    assert has_room(order[0])
    assert order == (*filter(has_room, key_order), *(name for name in key_order if not has_room(name)))


def test_nothing_else_of_a_request_can_be_hashed() -> None:
    with pytest.raises(ValueError, match="body"):
        key_of(HashOn("body"))
