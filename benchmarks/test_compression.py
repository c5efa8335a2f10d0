"""What compression costs. A round of decisions asks 1,000 times: microseconds there are nanoseconds each."""

import random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from kairos.config.model.compression import COMPRESSIBLE
from kairos.config.policies import Compression as Settings
from kairos.protocols.http1.head import ResponseHead
from kairos.traffic.accept_encoding import Negotiation
from kairos.traffic.compression import Coding, Compression
from kairos.traffic.encoders import encoder
from tests.asking import Question, question
from tests.decoding import decoded

TIMES = 1_000
LEVELS = {"br": 4, "zstd": 3, "gzip": 4}
BROWSER = b"gzip, deflate, br, zstd"

FIELDS = (
    b"Content-Length: 16384\r\nServer: x\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
    b'ETag: "abc"\r\nCache-Control: private\r\n'
)
WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and", "then", "it", "sleeps")

HEADS = {
    "image": b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n" + FIELDS,
    "short": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + FIELDS.replace(b"16384", b"500"),
    "coded": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: br\r\n" + FIELDS,
    "json": b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n" + FIELDS,
}


def items(size: int) -> bytes:
    """Return JSON like that of an API, of so many bytes."""
    draw = random.Random(1)
    made = b",".join(
        b'{"id": %d, "name": "%b", "price": %d.%d, "text": "%b"}'
        % (
            draw.randrange(10**6),
            draw.choice(WORDS).encode(),
            draw.randrange(100),
            draw.randrange(100),
            " ".join(draw.choices(WORDS, k=12)).encode(),
        )
        for _ in range(size // 60)
    )
    return b"[" + made[: size - 2] + b"]"


def decide(policy: Compression, asked: Question, answered: ResponseHead) -> Coding | None:
    found = None
    for _ in range(TIMES):
        found = policy.coding(asked.head, answered)
    return found


@pytest.mark.parametrize("kind", HEADS)
def test_compression_decision(benchmark: BenchmarkFixture, kind: str) -> None:
    policy = Compression(Settings(types=COMPRESSIBLE))
    asked = question(b"User-Agent: benchmark", b"Accept: */*", b"Accept-Encoding: " + BROWSER)

    found = benchmark(decide, policy, asked, ResponseHead(HEADS[kind] + b"\r\n", False))

    assert (found is not None) is (kind == "json")


def test_compression_head(benchmark: BenchmarkFixture) -> None:
    policy = Compression(Settings(types=COMPRESSIBLE))
    asked = question(b"Accept-Encoding: " + BROWSER)
    coding = policy.coding(asked.head, ResponseHead(HEADS["json"] + b"\r\n", False))
    assert coding is not None

    def heads() -> bytes:
        head = b""
        for _ in range(TIMES):
            head = coding.head()
        return head

    assert b"Content-Encoding: br" in benchmark(heads)


def test_negotiate_anew(benchmark: BenchmarkFixture) -> None:
    offered = (b"br", b"zstd", b"gzip")

    def negotiate() -> bytes | None:
        found = None
        for _ in range(TIMES):
            found = Negotiation(offered).choice(BROWSER)
        return found

    assert benchmark(negotiate) == b"br"


@pytest.mark.parametrize("size", [1024, 16384])
@pytest.mark.parametrize("coding", LEVELS)
@pytest.mark.parametrize("is_known", [True, False], ids=["counted", "streamed"])
def test_encode(benchmark: BenchmarkFixture, coding: str, size: int, is_known: bool) -> None:
    body = items(size)

    def encode() -> bytes:
        subject = encoder(coding.encode(), LEVELS[coding], len(body) if is_known else None)
        return subject.finish(body) if is_known else subject.feed(body, flush=True) + subject.finish(b"")

    assert decoded(coding, benchmark(encode)) == body
