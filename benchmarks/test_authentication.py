"""Authentication: what one request costs where a route asks for a credential.

A round verifies 1,000 credentials, so the figures of a round, read in microseconds, are nanoseconds each. The bars are
500,000 remembered and 60,000 new tokens with HS256 per second and core: rounds of 2 and of 16.7 milliseconds.
"""

import time
from hashlib import sha256

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_benchmark.fixture import BenchmarkFixture

from kairos.config.credentials import ApiKey, ApiKeys, Auth, Jwt, PublicKey
from kairos.filters import Identity
from kairos.protocols.http1.head import RequestHead
from kairos.security.api_keys import ApiKeyCheck
from kairos.security.authentication import Authentication, Scheme
from kairos.security.bearer import Bearer
from kairos.security.rights import Rights
from kairos.security.tokens import TokenVerifier

CREDENTIALS = 1_000
SECRET = "5f0c8d7b6a59483726150f4e3d2c1b0a5f0c8d7b6a59483726150f4e3d2c1b0a"
WALL = time.time()
RULES = {"issuers": ("https://id.example/",), "audiences": ("api",)}
HEAD = (
    b"GET /api/users/42?full=1 HTTP/1.1\r\nHost: gateway.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
    b"Accept: application/json\r\nAccept-Language: en\r\nAccept-Encoding: gzip, br\r\nReferer: https://a.example/\r\n"
    b"Cookie: theme=dark; sid=31d4d96e407aad42\r\n%b: %b\r\nX-Request-Start: t=1\r\nDNT: 1\r\n\r\n"
)


class Question:
    """A request on its way through the filters."""

    client, pattern, now, is_secure = "192.0.2.1", "/api/users/{id}", 0.0, False
    lines = request_lines = b""
    identity: Identity | None = None

    def __init__(self, name: bytes, value: bytes) -> None:
        self.head = RequestHead(HEAD % (name, value))


def tokens(key: object, algorithm: str) -> list[bytes]:
    now = int(WALL)
    claims = {"iss": "https://id.example/", "aud": "api", "exp": now + 3600, "iat": now, "scope": "read write"}
    return [
        jwt.encode({**claims, "sub": f"user-{number}"}, key, algorithm).encode()  # type: ignore[arg-type]
        for number in range(CREDENTIALS)
    ]


def verify_new(verifier: TokenVerifier, texts: list[bytes]) -> None:
    for text in texts:
        verifier.look(text, WALL)


def verify(verifier: TokenVerifier, texts: list[bytes]) -> None:
    for text in texts:
        verifier.take(text, 0.0, WALL)


def pass_all(check: Authentication, questions: list[Question]) -> None:
    for question in questions:
        check.take(question)


def authentication(scheme: Scheme) -> Authentication:
    return Authentication((scheme,), Rights(Auth()), time.time)


def test_new_tokens(benchmark: BenchmarkFixture) -> None:
    verifier = TokenVerifier.of(Jwt(("HS256",), SECRET, **RULES))
    benchmark(verify_new, verifier, tokens(SECRET, "HS256"))


def test_remembered_tokens(benchmark: BenchmarkFixture) -> None:
    verifier = TokenVerifier.of(Jwt(("HS256",), SECRET, **RULES))
    texts = tokens(SECRET, "HS256")
    verify(verifier, texts)
    benchmark(verify, verifier, texts)


def test_filter_with_remembered_tokens(benchmark: BenchmarkFixture) -> None:
    settings = Jwt(("HS256",), SECRET, **RULES)
    check = authentication(Bearer(TokenVerifier.of(settings), settings))
    questions = [Question(b"Authorization", b"Bearer " + text) for text in tokens(SECRET, "HS256")]
    assert check.take(questions[0]) is None
    pass_all(check, questions)
    benchmark(pass_all, check, questions)


def test_filter_with_api_keys(benchmark: BenchmarkFixture) -> None:
    names = [f"key-{number}" for number in range(CREDENTIALS)]
    keys = tuple(ApiKey(name, sha256(name.encode()).hexdigest()) for name in names)
    check = authentication(ApiKeyCheck(ApiKeys(keys)))
    questions = [Question(b"X-API-Key", name.encode()) for name in names]
    assert check.take(questions[0]) is None
    benchmark(pass_all, check, questions)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_new_tokens_with_public_keys(benchmark: BenchmarkFixture, algorithm: str) -> None:
    is_rsa = algorithm == "RS256"
    key = rsa.generate_private_key(65537, 2048) if is_rsa else ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    verifier = TokenVerifier.of(Jwt((algorithm,), public_keys=(PublicKey(pem),), **RULES))
    benchmark(verify_new, verifier, tokens(key, algorithm))
