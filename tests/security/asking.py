"""What a filter of the tests is asked, and tokens to ask with."""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hmac import digest
from typing import Any

import orjson

from kairos.filters import Identity
from kairos.protocols.http1.head import RequestHead

SECRET = "an-example-of-a-secret-that-nobody-uses"
NOW, WALL = 100.0, 1_700_000_000.0


@dataclass
class Question:
    """A request on its way through the filters."""

    head: RequestHead
    client: str = "192.0.2.1"
    pattern: str = "/a"
    now: float = NOW
    is_secure: bool = False
    identity: Identity | None = None
    lines: bytes = b""
    request_lines: bytes = b""


def ask(*fields: bytes, target: bytes = b"/a", method: bytes = b"GET") -> Question:
    """Make a request with these header lines."""
    lines = (method + b" " + target + b" HTTP/1.1", b"Host: a", *fields, b"", b"")
    return Question(RequestHead(b"\r\n".join(lines)))


def bearer(token: bytes, **more: Any) -> Question:
    """Make a request with a token."""
    return ask(b"Authorization: Bearer " + token, **more)


def segment(data: bytes) -> bytes:
    """Write base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=")


def signed(header: bytes, payload: bytes, secret: str = SECRET, hash_name: str = "sha256") -> bytes:
    """Sign whatever bytes stand for header and payload."""
    text = segment(header) + b"." + segment(payload)
    return text + b"." + segment(digest(secret.encode(), text, hash_name))


def token(*, header: dict[str, Any] | None = None, secret: str = SECRET, **claims: Any) -> bytes:
    """Make a token that holds for an hour, where the claims say nothing else; None leaves a claim out."""
    usual = {"sub": "alice", "exp": int(WALL) + 3600, "iat": int(WALL)}
    found = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    return signed(orjson.dumps({"alg": "HS256", "typ": "JWT", **(header or {})}), orjson.dumps(found), secret)
