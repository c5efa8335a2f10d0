"""Security headers: what every answer of a route has, or has not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

OVER_TLS_ONLY = "Strict-Transport-Security"  # RFC 6797 section 7.2


@dataclass(frozen=True, slots=True)
class AnswerHeaders:
    """What is done to the header of an answer, made once so that it costs nothing per request."""

    lines: bytes = b""
    """Whole lines for an answer over plain HTTP."""
    secure_lines: bytes = b""
    """Whole lines for an answer over TLS."""
    names: tuple[bytes, ...] = ()
    """Lower-case names of the fields that the backend's answer loses, so that none is there twice."""

    @classmethod
    def of(cls, fields: Sequence[tuple[str, str | None]]) -> Self:
        """Make it from names and values; None is a field that is only taken away."""
        lines = {name: f"{name}: {value}\r\n".encode("ascii") for name, value in fields if value is not None}
        plain = b"".join(line for name, line in lines.items() if name != OVER_TLS_ONLY)
        return cls(plain, b"".join(lines.values()), tuple(name.lower().encode("ascii") for name, _ in fields))

    def for_client(self, *, is_secure: bool) -> bytes:
        """Return the lines for an answer."""
        return self.secure_lines if is_secure else self.lines


NO_HEADERS = AnswerHeaders()
