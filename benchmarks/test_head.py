"""The header kernel on the heads of a browser and of a backend, compiled and pure side by side."""

from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from kairos import _speedups
from kairos._speedups import _head_py
from kairos.protocols.http1.fields import DROPPED_FROM_REQUESTS, DROPPED_FROM_RESPONSES, REQUEST_FACTS, RESPONSE_FACTS

TWINS = {"pure": _head_py.FieldSet}
if _speedups.COMPILED:
    from kairos._speedups import head

    TWINS["compiled"] = head.FieldSet

REQUEST = (
    b"GET /api/v1/users/12345/orders?page=2&sort=date HTTP/1.1\r\n"
    b"Host: shop.example.com\r\n"
    b"Connection: keep-alive\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36\r\n"
    b"Accept: application/json, text/plain, */*\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n"
    b"Authorization: Bearer " + b"abcdefgh" * 20 + b"\r\n"
    b"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; _ga=GA1.1.123456789.1700000000\r\n"
    b"Referer: https://shop.example.com/account\r\n"
    b"Sec-Fetch-Mode: cors\r\n"
    b"Cache-Control: no-cache\r\n"
    b"\r\n"
)
RESPONSE = (
    b"HTTP/1.1 200 OK\r\n"
    b"Server: backend/1.0\r\n"
    b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: 1024\r\n"
    b"Connection: keep-alive\r\n"
    b'ETag: "0123456789abcdef"\r\n'
    b"Cache-Control: private, max-age=0\r\n"
    b"Vary: Accept-Encoding\r\n"
    b"\r\n"
)
ADDED = b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Request-ID: 01234567\r\n\r\n"

HEADS = {"request": REQUEST, "response": RESPONSE}
FACTS = {"request": REQUEST_FACTS.names, "response": RESPONSE_FACTS.names}
DROPPED = {"request": DROPPED_FROM_REQUESTS, "response": DROPPED_FROM_RESPONSES}


@pytest.fixture(params=sorted(TWINS))
def field_set(request: pytest.FixtureRequest) -> Any:
    return TWINS[request.param]


@pytest.mark.parametrize("kind", HEADS)
def test_values(benchmark: BenchmarkFixture, field_set: Any, kind: str) -> None:
    subject = field_set(FACTS[kind])

    found = benchmark(subject.values, HEADS[kind])

    assert b"keep-alive" in found


@pytest.mark.parametrize("kind", HEADS)
def test_copy(benchmark: BenchmarkFixture, field_set: Any, kind: str) -> None:
    subject = field_set(DROPPED[kind], kind == "request")

    made = benchmark(subject.copy_without, HEADS[kind], (b"GET / HTTP/1.1\r\n",), (ADDED,))

    assert made.endswith(ADDED)
    assert b"keep-alive" not in made


@pytest.mark.parametrize("kind", HEADS)
def test_plain(benchmark: BenchmarkFixture, field_set: Any, kind: str) -> None:
    twin = _head_py if field_set is _head_py.FieldSet else head
    judge = twin.plain_request if kind == "request" else twin.plain_response

    found = benchmark(judge, HEADS[kind], field_set(FACTS[kind]))

    assert b"keep-alive" in found
