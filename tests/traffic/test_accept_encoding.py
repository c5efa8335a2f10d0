"""Accept-Encoding, as RFC 9110 section 12.5.3 has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.traffic.accept_encoding import Negotiation, weights

OFFERED = (b"br", b"zstd", b"gzip")


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        (None, None),
        (b"", None),
        (b"gzip", b"gzip"),
        (b"x-gzip", b"gzip"),
        (b"GZip", b"gzip"),
        (b"compress, gzip", b"gzip"),
        (b"gzip, deflate, br, zstd", b"br"),
        (b"gzip, deflate, zstd", b"zstd"),
        (b"gzip;q=1.0, br;q=0.5", b"gzip"),
        (b"gzip;q=0.5,br;q=0.501,zstd;q=0.5", b"br"),
        (b"gzip ; q=0.2 ,\tbr;q=0.1", b"gzip"),
        (b"*", b"br"),
        (b"*;q=0.1", b"br"),
        (b"br;q=0, *", b"zstd"),
        (b"br;q=0.1, *;q=0.5", b"zstd"),
        (b"gzip;q=0.5, *;q=0", b"gzip"),
        (b"*;q=0", None),
        (b"gzip;q=0", None),
        (b"gzip;q=0.000", None),
        (b"identity", None),
        (b"identity, gzip", b"gzip"),
        (b"identity;q=1, gzip;q=0.5", None),
        (b"identity;q=0.5, gzip;q=0.5", b"gzip"),
        (b"identity;q=0, gzip;q=0.1", b"gzip"),
        (b"identity;q=0", None),
        (b"identity;q=0, *", b"br"),
        (b"deflate, compress", None),
        (b"gzip;q=1;level=9", None),
        (b"gzip;q=2", None),
        (b"gzip;q=0.1234", None),
        (b"gzip;q=", None),
        (b"gzip, gzip;q=0", None),
        (b"x-gzip, gzip;q=0", None),
        (b",, gzip,,", b"gzip"),
        (b"gzip br", None),
        (b"\xff\xfe, gzip", b"gzip"),
    ],
)
def test_the_coding_is_what_the_client_likes_best(accepted: bytes | None, chosen: bytes | None) -> None:
    negotiation = Negotiation(OFFERED)

    assert negotiation.choice(accepted) == chosen
    assert negotiation.choice(accepted) == chosen  # also when it is remembered


def test_no_field_takes_long() -> None:
    assert Negotiation(OFFERED).choice(b"a" + b" " * 60_000 + b"b, gzip" + b" " * 60_000 + b";q=1") == b"gzip"


def test_only_what_is_offered_is_chosen_and_in_its_order() -> None:
    assert Negotiation((b"gzip",)).choice(b"br, zstd") is None
    assert Negotiation((b"gzip",)).choice(b"br, *;q=0.5") == b"gzip"
    assert Negotiation((b"gzip", b"br")).choice(b"br, gzip") == b"gzip"


def test_what_clients_send_does_not_pile_up() -> None:
    negotiation = Negotiation(OFFERED)

    for number in range(5_000):
        assert negotiation.choice(b"gzip, x%d" % number) == b"gzip"
    assert negotiation.choice(b"gzip" + b"," * 10_000) == b"gzip"

    assert len(negotiation._known) <= 1024
    assert max(map(len, negotiation._known)) <= 256


@given(st.binary(max_size=60))
def test_any_bytes_have_an_answer(accepted: bytes) -> None:
    chosen = Negotiation(OFFERED).choice(accepted)

    assert chosen is None or chosen in OFFERED
    assert all(0 <= weight <= 1000 for weight in weights(accepted).values())


NAMES = st.sampled_from(["br", "zstd", "gzip", "identity", "*", "deflate"])
QUALITIES = st.integers(0, 1000)


@given(st.dictionaries(NAMES, QUALITIES, min_size=1))
def test_no_other_coding_would_have_a_greater_weight(qualities: dict[str, int]) -> None:
    accepted = ", ".join(f"{name};q={quality // 1000}.{quality % 1000:03}" for name, quality in qualities.items())

    chosen = Negotiation(OFFERED).choice(accepted.encode())

    def weight(coding: bytes) -> int:
        return qualities.get(coding.decode(), qualities.get("*", 0))

    greatest = max(map(weight, OFFERED))
    if chosen is None:
        assert greatest == 0 or greatest < qualities["identity"]
    else:
        assert weight(chosen) == greatest > 0
        assert greatest >= qualities.get("identity", 0)
        assert chosen == next(coding for coding in OFFERED if weight(coding) == greatest)
