"""A client stays with its backend as long as its cookie says so, and nobody can make one up."""

import hmac
from base64 import urlsafe_b64encode
from collections import Counter
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.balancing.sticky import Sticky, StickyCookie
from tests.balancing.backends import HEAD, address, balancer_of, firsts, request

KEY = b"k" * 32


def sticky_of(backends: str, cookie: StickyCookie, strategy: str = "round_robin") -> Sticky:
    strategies = (balancer_of(strategy, backends, next_position=count().__next__) for _ in range(2))
    return Sticky(cookie, backends, [address(backend) for backend in backends], *strategies)


@pytest.fixture
def cookie() -> StickyCookie:
    return StickyCookie("backend", KEY)


@pytest.fixture
def sticky(cookie: StickyCookie) -> Sticky:
    return sticky_of("abc", cookie)


def returning(cookie: StickyCookie, backend: str) -> object:
    """Return a request of a client that has been given a cookie."""
    line = cookie.line(HEAD, address(backend), is_secure=False).decode()
    return request(cookie=line.removeprefix("Set-Cookie: ").partition(";")[0])


def test_the_cookie_is_the_signature_of_the_address(cookie: StickyCookie) -> None:
    digest = hmac.digest(KEY, b"http://a.example:80", "sha256")
    token = urlsafe_b64encode(digest).rstrip(b"=")

    line = cookie.line(HEAD, "http://a.example:80", is_secure=False)

    assert line == b"Set-Cookie: backend=%b; Path=/; HttpOnly; SameSite=Lax\r\n" % token


def test_it_is_for_tls_alone_where_the_client_uses_it_and_lives_as_long_as_the_config_says() -> None:
    line = StickyCookie("sid", KEY, ttl=60).line(HEAD, address("a"), is_secure=True)

    assert line.startswith(b"Set-Cookie: sid=")
    assert line.endswith(b"; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure\r\n")


def test_a_client_comes_back_to_its_backend(cookie: StickyCookie, sticky: Sticky) -> None:
    for backend in "abcbca":
        assert sticky.choices("", returning(cookie, backend))[0] == backend  # type: ignore[arg-type]


def test_who_has_the_right_cookie_gets_no_other(cookie: StickyCookie) -> None:
    head = returning(cookie, "a")

    assert cookie.line(head, address("a"), is_secure=False) == b""  # type: ignore[arg-type]
    assert cookie.line(head, address("b"), is_secure=False).startswith(b"Set-Cookie: backend=")  # type: ignore[arg-type]


def test_new_clients_are_balanced_as_usual(sticky: Sticky) -> None:
    assert firsts(sticky, 6) == "abcabc"


def test_who_comes_back_takes_no_turn_from_who_is_new(cookie: StickyCookie, sticky: Sticky) -> None:
    taken = ""
    for _ in range(6):
        taken += firsts(sticky, 1)
        sticky.choices("", returning(cookie, "a"))  # type: ignore[arg-type]

    assert taken == "abcabc"


def test_if_the_backend_does_not_answer_its_clients_are_spread_over_the_others(
    cookie: StickyCookie, sticky: Sticky
) -> None:
    orders = [sticky.choices("", returning(cookie, "a")) for _ in range(300)]  # type: ignore[arg-type]

    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
    assert min(Counter(order[1] for order in orders).values()) >= 100


def test_a_client_whose_backend_is_gone_is_balanced_as_new(cookie: StickyCookie) -> None:
    head = returning(cookie, "a")
    left = sticky_of("bc", cookie)

    assert "".join(left.choices("", head)[0] for _ in range(4)) == "bcbc"  # type: ignore[arg-type]


@pytest.mark.parametrize("change", ["first", "last", "longer", "shorter", "other key", "other name", "not ASCII"])
def test_a_cookie_that_we_did_not_make_says_nothing(cookie: StickyCookie, sticky: Sticky, change: str) -> None:
    token = cookie.token(address("c")).decode()
    value = {
        "first": "backend=" + ("A" if token[0] != "A" else "B") + token[1:],
        "last": "backend=" + token[:-1] + ("A" if token[-1] != "A" else "B"),
        "longer": f"backend={token}A",
        "shorter": f"backend={token[:-1]}",
        "other key": "backend=" + StickyCookie("backend", b"x" * 32).token(address("c")).decode(),
        "other name": f"other={token}",
        "not ASCII": "backend=\xe4",
    }[change]

    assert sticky.choices("", request(cookie=value))[0] == "a"


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60))
def test_no_text_leads_anywhere(text: str) -> None:
    cookie = StickyCookie("backend", KEY)
    sticky = sticky_of("abc", cookie)

    assert sticky.choices("", request(cookie=f"backend={text}")) == ("a", "b", "c")


def test_the_tokens_of_backends_that_have_gone_are_forgotten(cookie: StickyCookie) -> None:
    tokens = [cookie.token(f"http://10.0.{number >> 8}.{number & 255}:80") for number in range(10_000)]

    assert len(set(tokens)) == 10_000
    assert cookie.token("http://10.0.0.0:80") == tokens[0]
