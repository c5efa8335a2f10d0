"""CORS: which pages of other origins may call."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos.config.policies import Cors
from kairos.security.cors import MOST_REMEMBERED, CorsPolicy, requested_method
from tests.asking import Question, question

APP = Cors(origins=("https://app.example",))
VARY = b"Vary: Origin\r\n"
PREFLIGHT_VARY = b"Vary: Access-Control-Request-Method, Access-Control-Request-Headers\r\n"
REST = (
    b"Access-Control-Allow-Methods: GET, POST, PUT, DELETE, OPTIONS\r\n"
    b"Access-Control-Allow-Headers: Authorization, Content-Type\r\n"
    b"Access-Control-Max-Age: 3600\r\n"
)


def called(settings: Cors, origin: bytes | None) -> bytes:
    """Return the lines for the answer to a simple request of a page."""
    asked = question(*([b"Origin: " + origin] if origin is not None else []))
    subject = CorsPolicy(settings)
    assert subject.take(asked) is None
    return subject.lines(asked.head)


def preflight(*lines: bytes, origin: bytes = b"https://app.example", method: bytes = b"PUT") -> Question:
    return question(
        b"Origin: " + origin, b"Access-Control-Request-Method: " + method, *lines, method=b"OPTIONS", target=b"/items/1"
    )


def answered(settings: Cors, asked: Question) -> bytes:
    """Return the lines of the answer to a preflight."""
    subject = CorsPolicy(settings)
    reply = subject.take(asked)
    assert reply is not None
    assert (reply.status, reply.body, asked.lines) == (204, b"", b"")
    assert subject.look(asked) == reply
    return subject.lines(asked.head) + reply.lines


def test_everybody_gets_one_and_the_same_answer() -> None:
    for origin in (b"https://app.example", b"null", None):
        assert called(Cors(), origin) == b"Access-Control-Allow-Origin: *\r\n"


def test_a_page_that_may_call_is_told_so_and_caches_are_told_that_it_depends() -> None:
    assert called(APP, b"https://app.example") == VARY + b"Access-Control-Allow-Origin: https://app.example\r\n"
    assert called(APP, b"https://evil.example") == VARY
    assert called(APP, None) == VARY


def test_credentials_and_exposed_headers_are_for_those_who_may_call() -> None:
    settings = replace(APP, credentials=True, exposed=("X-Total", "X-Page"))
    assert called(settings, b"https://app.example") == (
        VARY + b"Access-Control-Allow-Origin: https://app.example\r\nAccess-Control-Allow-Credentials: true\r\n"
        b"Access-Control-Expose-Headers: X-Total, X-Page\r\n"
    )
    assert called(settings, b"https://evil.example") == VARY


def test_credentials_never_go_with_every_origin() -> None:
    settings = replace(Cors(), credentials=True)  # which the config refuses
    assert called(settings, b"https://app.example") == VARY
    assert answered(settings, preflight()) == VARY + PREFLIGHT_VARY


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        (b"https://a.example.com", True),
        (b"https://a.b-c.example.com", True),
        (b"https://example.com", False),
        (b"https://.example.com", False),
        (b"https://aexample.com", False),
        (b"http://a.example.com", False),
        (b"https://a.example.com:8443", False),
        (b"https://evil.com/.example.com", False),
        (b"https://evil.com#.example.com", False),
        (b"https://evil.com:1.example.com", False),
        (b"https://a.example.com, https://a.example.com", False),
        (b"https://a.example.com.evil.com", False),
        (b"https://" + b"a" * 600 + b".example.com", False),
        (b"null", False),
    ],
)
def test_a_wildcard_stands_for_subdomains_and_for_nothing_else(origin: bytes, is_allowed: bool) -> None:
    lines = called(Cors(origins=("https://*.example.com",)), origin)
    assert (b"Allow-Origin" in lines) == is_allowed


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        (b"https://pr-12.example.com", True),
        (b"https://pr-12.example.com.evil.com", False),
        (b"x://https://pr-12.example.com", False),
        (b"https://pr-x.example.com", False),
    ],
)
def test_an_expression_has_to_match_the_whole_origin(origin: bytes, is_allowed: bool) -> None:
    lines = called(Cors(origins=(), patterns=(r"https://pr-[0-9]+\.example\.com",)), origin)
    assert (b"Allow-Origin" in lines) == is_allowed


def test_a_preflight_is_answered() -> None:
    allow = b"Access-Control-Allow-Origin: https://app.example\r\n"
    assert answered(APP, preflight()) == VARY + allow + PREFLIGHT_VARY + REST


def test_a_preflight_of_a_page_that_may_not_call_allows_nothing() -> None:
    assert answered(APP, preflight(origin=b"https://evil.example")) == VARY + PREFLIGHT_VARY


def test_what_is_asked_for_is_allowed_where_all_is() -> None:
    settings = Cors(methods=("*",), headers=("*",), max_age=0)
    lines = answered(settings, preflight(b"Access-Control-Request-Headers: authorization,x-a"))

    assert b"Access-Control-Allow-Origin: *\r\n" in lines
    assert b"Access-Control-Allow-Methods: PUT\r\n" in lines
    assert b"Access-Control-Allow-Headers: authorization,x-a\r\n" in lines
    assert b"Access-Control-Max-Age: 0\r\n" in lines


def test_what_is_no_list_of_names_is_not_repeated() -> None:
    lines = answered(Cors(headers=("*",)), preflight(b"Access-Control-Request-Headers: <b>, x"))
    assert b"Allow-Headers" not in lines


def test_a_private_network_opens_only_if_configured() -> None:
    asked = preflight(b"Access-Control-Request-Private-Network: true")

    assert b"Private-Network" not in answered(APP, asked)
    lines = answered(replace(APP, private_network=True), asked)
    assert b"Access-Control-Allow-Private-Network: true\r\n" in lines
    assert b"Private-Network" not in answered(replace(APP, private_network=True), preflight())


@pytest.mark.parametrize(
    ("asked", "method"),
    [
        (preflight(), b"PUT"),
        (preflight(method=b"P/UT"), None),
        (question(b"Origin: https://app.example", method=b"OPTIONS"), None),
        (question(b"Access-Control-Request-Method: PUT", method=b"OPTIONS"), None),
        (question(b"Origin: https://app.example", b"Access-Control-Request-Method: PUT", method=b"PUT"), None),
    ],
)
def test_a_preflight_has_an_origin_and_a_method(asked: Question, method: bytes | None) -> None:
    assert requested_method(asked.head) == method
    assert (CorsPolicy(APP).look(asked) is not None) == (method is not None)


def test_a_flood_of_origins_is_not_remembered() -> None:
    subject = CorsPolicy(APP)
    for number in range(MOST_REMEMBERED + 10):
        subject.lines(question(b"Origin: https://%d.example" % number).head)

    assert len(subject._known) <= MOST_REMEMBERED


@settings(deadline=None)
@given(st.from_regex(rb"[!-~]([ -~\x80-\xff]*[!-~])?", fullmatch=True))
def test_only_who_may_call_is_ever_repeated(origin: bytes) -> None:
    settings = Cors(origins=("https://a.example", "https://*.b.example:8443"), patterns=(r"app://[a-z]+",))
    lines = called(settings, origin)

    assert lines == VARY or origin.startswith((b"https://", b"app://"))
    assert called(settings, origin) == lines
