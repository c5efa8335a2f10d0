"""An exchange as policies see it, without the exchange."""

from dataclasses import dataclass

from kairos.filters import Identity
from kairos.protocols.http1.head import RequestHead


@dataclass
class Question:
    """What a client asks for."""

    head: RequestHead
    client: str = "192.0.2.1"
    pattern: str = "/"
    now: float = 0.0
    is_secure: bool = False
    identity: Identity | None = None
    lines: bytes = b""
    request_lines: bytes = b""


def question(
    *lines: bytes, method: bytes = b"GET", target: bytes = b"/", client: str = "192.0.2.1", is_secure: bool = False
) -> Question:
    """Make a request with these header lines, besides Host."""
    head = b"".join(line + b"\r\n" for line in (method + b" " + target + b" HTTP/1.1", b"Host: api.example", *lines))
    return Question(RequestHead(head + b"\r\n"), client, is_secure=is_secure)
