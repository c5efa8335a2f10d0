"""What is plain: both twins agree, and the parser refuses nothing of it."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos import _speedups
from kairos._speedups import _head_py
from tests.conformance import requests, responses
from tests.conformance.mutations import MOST, mutated

Verdict = Callable[[bytes], tuple[bytes | None, ...] | None]
FACTS = (b"host", b"content-length", b"transfer-encoding")


TWINS: list[Any] = [_head_py]
if _speedups.COMPILED:
    from kairos._speedups import head

    TWINS.append(head)


def verdicts(kind: str) -> list[Verdict]:
    """Return what the twins say of a head."""
    return [partial(getattr(twin, f"plain_{kind}"), facts=twin.FieldSet(FACTS)) for twin in TWINS]


REQUEST_VERDICTS, RESPONSE_VERDICTS = verdicts("request"), verdicts("response")


@pytest.fixture(params=REQUEST_VERDICTS, ids=["pure", "compiled"][: len(REQUEST_VERDICTS)])
def plain_request(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=RESPONSE_VERDICTS, ids=["pure", "compiled"][: len(RESPONSE_VERDICTS)])
def plain_response(request: pytest.FixtureRequest) -> Any:
    return request.param


def head_of(*lines: bytes) -> bytes:
    return b"\r\n".join((*lines, b"", b""))


def test_the_values_of_a_plain_request_come_with_the_verdict(plain_request: Verdict) -> None:
    raw = head_of(b"POST /a?b=%20c HTTP/1.1", b"HOST:example.com", b"X: \t\xe4 ", b"content-length: 12")

    assert plain_request(raw) == (b"example.com", b"12", None)


def test_the_values_of_a_plain_response_come_with_the_verdict(plain_response: Verdict) -> None:
    raw = head_of(b"HTTP/1.1 404 Not Found", b"Transfer-Encoding: chunked", b"Empty:")

    assert plain_response(raw) == (None, None, b"chunked")


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"])
def test_usual_methods_are_plain(plain_request: Verdict, method: bytes) -> None:
    assert plain_request(head_of(method + b" / HTTP/1.1")) is not None


@pytest.mark.parametrize(
    "line",
    [
        b"PURGE / HTTP/1.1",
        b"get / HTTP/1.1",
        b"GE / HTTP/1.1",
        b"CONNECT / HTTP/1.1",
        b"GET  / HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET http://a/ HTTP/1.1",
        b"GET /\x80 HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET /a#b HTTP/1.1",
        b"GET /a HTTP/1.0",
        b"GET /a HTTP/1.1 ",
        b"GET /a\tHTTP/1.1",
        b"GET /a",
        b"GET /\0 HTTP/1.1",
        b"",
    ],
)
def test_other_request_lines_are_left_to_the_parser(plain_request: Verdict, line: bytes) -> None:
    assert plain_request(head_of(line, b"Host: a")) is None


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 200",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 600 No",
        b"HTTP/1.1 2x0 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 200 a\0b",
        b"HTTP/1.1 200 a\rb",
        b"HTTP/1.1 200 a\x7fb",
        b"HTTP/1.1  200 OK",
        b"",
    ],
)
def test_other_status_lines_are_left_to_the_parser(plain_response: Verdict, line: bytes) -> None:
    assert plain_response(head_of(line, b"A: b")) is None


@pytest.mark.parametrize(
    "fields",
    [
        b"A : b\r\n",
        b": b\r\n",
        b" A: b\r\n",
        b"A: b\r\n c\r\n",
        b"A\r\n",
        b"A: b\n",
        b"A: b\rc\r\n",
        b"A: b\0\r\n",
        b"A: b\x1f\r\n",
        b"A: b\x7f\r\n",
        b"A\xe4: b\r\n",
        b"Content-Length: 1\r\nContent-Length: 1\r\n",
        b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked \r\n",
        b"Content-Length:\r\n",
        b"Content-Length: 1, 1\r\n",
        b"Content-Length: +1\r\n",
        b"Content-Length: 1234567890123456789\r\n",
        b"A: b\r\n\r\nB: c\r\n",
    ],
)
def test_other_fields_are_left_to_the_parser(
    plain_request: Verdict, plain_response: Verdict, fields: bytes
) -> None:
    assert plain_request(b"GET / HTTP/1.1\r\n" + fields + b"\r\n") is None
    assert plain_response(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n") is None


@pytest.mark.parametrize("size", range(120, 260, 7))
@pytest.mark.parametrize("bad", [b"\0", b"\x7f", b"\x0b", b"\r"])
def test_a_control_character_is_found_wherever_it_is(plain_request: Verdict, size: int, bad: bytes) -> None:
    clean = head_of(b"GET / HTTP/1.1", b"A: " + b"a" * size)

    assert plain_request(clean) is not None
    for at in range(len(b"GET / HTTP/1.1\r\nA: "), len(clean) - 4, 11):
        assert plain_request(clean[:at] + bad + clean[at + 1 :]) is None


def test_a_beginning_is_not_plain(plain_request: Verdict, plain_response: Verdict) -> None:
    for judge, raw in (
        (plain_request, head_of(b"GET /a HTTP/1.1", b"Host: a", b"Content-Length: 3")),
        (plain_response, head_of(b"HTTP/1.1 200 OK", b"Content-Length: 3")),
    ):
        assert judge(raw) is not None
        assert [end for end in range(len(raw)) if judge(raw[:end]) is not None] == []
        assert judge(raw + b"x") is None


def agree(judges: list[Verdict], parser: Callable[[Any], Any], raw: bytes) -> None:
    """Check that the twins say the same of `raw`, and the parser no less."""
    said = [judge(raw) for judge in judges]
    assert all(one == said[0] for one in said)
    if said[0] is not None:
        with suppress(httptools.HttpParserUpgrade):  # well formed, and asks for more
            parser(object()).feed_data(raw)


def heads(cases: Any) -> list[bytes]:
    return [case.raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" for _, case in cases if len(case.raw) <= MOST]


REQUESTS, RESPONSES = heads(requests.CASES), heads(responses.CASES)
often = settings(max_examples=1000, derandomize=True, deadline=None, database=None)
field_lines = st.lists(
    st.tuples(st.sampled_from((b"A", b"Content-Length", b"Transfer-Encoding", b"X_y")), st.binary(max_size=12)).map(
        b":".join
    ),
    max_size=4,
)


def test_of_the_corpus_only_what_the_parser_accepts_is_plain() -> None:
    for raw in REQUESTS:
        agree(REQUEST_VERDICTS, httptools.HttpRequestParser, raw)
    for raw in RESPONSES:
        agree(RESPONSE_VERDICTS, httptools.HttpResponseParser, raw)
    assert sum(REQUEST_VERDICTS[0](raw) is not None for raw in REQUESTS) > len(REQUESTS) / 4
    assert sum(RESPONSE_VERDICTS[0](raw) is not None for raw in RESPONSES) > len(RESPONSES) / 4


@often
@given(pieces=mutated(REQUESTS))
def test_of_any_request_only_what_the_parser_accepts_is_plain(pieces: tuple[bytes, ...]) -> None:
    agree(REQUEST_VERDICTS, httptools.HttpRequestParser, b"".join(pieces))


@often
@given(pieces=mutated(RESPONSES))
def test_of_any_response_only_what_the_parser_accepts_is_plain(pieces: tuple[bytes, ...]) -> None:
    agree(RESPONSE_VERDICTS, httptools.HttpResponseParser, b"".join(pieces))


@often
@given(target=st.binary(max_size=8), lines=field_lines)
def test_of_any_line_only_what_the_parser_accepts_is_plain(target: bytes, lines: list[bytes]) -> None:
    agree(REQUEST_VERDICTS, httptools.HttpRequestParser, head_of(b"GET /" + target + b" HTTP/1.1", *lines))
    agree(RESPONSE_VERDICTS, httptools.HttpResponseParser, head_of(b"HTTP/1.1 200 " + target, *lines))
