"""What a policy sees of an exchange, and how it ends one early."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, runtime_checkable

from kairos.errors import KairosError
from kairos.protocols.http1.head import RequestHead


@dataclass(frozen=True, slots=True)
class LocalReply:
    """An answer that the gateway gives itself: a body, or an error for which the body is written when it is sent."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    error: KairosError | None = None
    lines: bytes = b""
    """Whole header lines to add."""

    @classmethod
    def refusal(cls, error: KairosError) -> Self:
        """Answer with an error."""
        return cls(error.status, error=error)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who was authenticated, and how. `subject` is unique within a `scheme`: "jwt", "api_key" or "basic"."""

    subject: str
    scheme: str
    claims: Mapping[str, Any] = field(default_factory=dict)


class Asked(Protocol):
    """What a policy sees of an exchange, and what it may leave there."""

    @property
    def head(self) -> RequestHead:
        """The head of the request."""

    @property
    def client(self) -> str:
        """The address of the client, by the trusted proxies."""

    @property
    def pattern(self) -> str:
        """The external path of the route."""

    @property
    def now(self) -> float:
        """CLOCK_MONOTONIC in seconds, a quarter of a second coarse; the same in all workers."""

    @property
    def is_secure(self) -> bool:
        """Whether the client speaks TLS."""

    identity: Identity | None
    lines: bytes
    """Header lines for whatever answer the client gets; append to them."""
    request_lines: bytes
    """Header lines for the backend; append to them."""


class Filter(Protocol):
    """A step that an exchange passes before its request goes to a backend."""

    def look(self, asked: Asked) -> LocalReply | None:
        """Return what `take` would return, and change nothing."""

    def take(self, asked: Asked) -> LocalReply | None:
        """Return an answer to end the exchange here, or None to go on; and make that count."""


@runtime_checkable
class WaitingFilter(Protocol):
    """A filter whose verdict takes a while."""

    async def wait(self, asked: Asked) -> LocalReply | None:
        """Do what `take` does, when it can."""
