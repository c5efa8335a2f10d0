"""What a policy sees of an exchange, and how it ends one early."""

from dataclasses import dataclass
from typing import Protocol, Self

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


class Filter(Protocol):
    """A step that an exchange passes before its request goes to a backend."""

    def look(self, head: RequestHead) -> LocalReply | None:
        """Return an answer to end the exchange here, or None to go on."""
