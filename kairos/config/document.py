"""The normalised config: all that workers know of what the operator asked for.

On the wire a document is JSON lines: the settings first, then one line per route. A worker can so decode it in slices,
and a route whose line did not change need not be built again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import orjson


@dataclass(frozen=True, slots=True)
class Backend:
    """One address that serves a route. `host` is a name or an address without brackets."""

    scheme: str
    host: str
    port: int
    weight: int = 1

    @property
    def authority(self) -> str:
        """The value of a Host field for this backend (RFC 9110 section 7.2): the default port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default_port = {"http": 80, "ws": 80, "https": 443, "wss": 443}.get(self.scheme)
        return host if self.port == default_port else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Route:
    """One router of the config: what it matches and where that goes."""

    external_path: str
    internal_path: str
    methods: tuple[str, ...]
    backends: tuple[Backend, ...]
    hosts: tuple[str, ...] = ()
    protocol: str = "http"
    auth_required: bool = False
    trailing_slash: str = "strict"
    empty_segments: str = "collapse"

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """Make a route from its line of a document."""
        fields = orjson.loads(line)
        fields["backends"] = tuple(Backend(**backend) for backend in fields["backends"])
        fields["methods"] = tuple(fields["methods"])
        fields["hosts"] = tuple(fields["hosts"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for the gateway as a whole. Durations are seconds, sizes are bytes."""

    host: str = "0.0.0.0"
    port: int = 5900
    workers: int = 0
    log_level: str = "info"
    access_log: str | None = None
    builtin_prefix: str | None = ""
    config_version: int = 1

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """Make the settings from their line of a document."""
        return cls(**orjson.loads(line))


@dataclass(frozen=True, slots=True)
class Document:
    """A whole validated config."""

    settings: Settings
    routes: tuple[Route, ...]

    def encode(self) -> bytes:
        """Write the document as JSON lines."""
        return encode_lines((self.settings, *self.routes))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote."""
        settings, *routes = data.splitlines()
        return cls(Settings.decode(settings), tuple(Route.decode(line) for line in routes))


def encode_lines(values: Iterable[Any]) -> bytes:
    """Write each value as one line of JSON."""
    return b"".join(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) for value in values)
