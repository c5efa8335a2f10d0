"""What workers read of the policies that say who may pass, and in which form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class AccessList:
    """Networks in CIDR notation. `deny` wins; an empty `allow` lets in all others."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    @classmethod
    def decode(cls, fields: Mapping[str, Any]) -> Self:
        """Make it from JSON values."""
        return cls(tuple(fields["allow"]), tuple(fields["deny"]))


@dataclass(frozen=True, slots=True)
class Cors:
    """Which pages of other origins may call. `*` in a list means all."""

    origins: tuple[str, ...] = ("*",)
    """Each `scheme://host` with a port if need be, `*.` before the host for all subdomains."""
    patterns: tuple[str, ...] = ()
    methods: tuple[str, ...] = ("GET", "POST", "PUT", "DELETE", "OPTIONS")
    headers: tuple[str, ...] = ("Authorization", "Content-Type")
    exposed: tuple[str, ...] = ()
    credentials: bool = False
    max_age: int = 3600
    private_network: bool = False


@dataclass(frozen=True, slots=True)
class Cache:
    """What is stored of the answers of a route. Durations are seconds."""

    default_ttl: float | None = None
    """For answers that do not say, with one of the `default_statuses`; None stores none of these."""
    default_statuses: tuple[int, ...] = ()
    max_ttl: float | None = None
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    max_body_bytes: int = 16 << 20
    query: tuple[str, ...] | None = None
    """The parameters that tell answers apart; None takes the query as it is."""
    headers: tuple[str, ...] = ()
    """What tells answers apart besides what they name in Vary, in lower case and in order."""
    by_host: bool = True
    obeys_clients: bool = False
    tags_header: str = "cache-tag"
    purge_from: tuple[str, ...] = ()
    """Networks in CIDR notation; none is nobody."""


@dataclass(frozen=True, slots=True)
class RequestChecks:
    """Parts of the names of programs that may not ask, and types that a body may have; empty is any."""

    user_agents: tuple[str, ...] = ()
    content_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compression:
    """Which answers are compressed, by what, and how hard."""

    algorithms: tuple[str, ...] = ("br", "zstd", "gzip")
    """The best first."""
    types: tuple[str, ...] = ("text/*", "application/json")
    min_bytes: int = 1024
    br_level: int = 4
    zstd_level: int = 3
    gzip_level: int = 4
    event_streams: bool = False


@dataclass(frozen=True, slots=True)
class WebSocket:
    """The limits of a WebSocket or of another upgrade. Durations are seconds; 0 is without end, or any number."""

    connections: int = 0
    """Of the route, over all workers."""
    frame_bytes: int = 16 << 20
    message_bytes: int = 64 << 20
    idle: float = 0.0
    lifetime: float = 0.0
    ping: float = 0.0
    """How long a side is silent before it is asked whether it lives."""
    pong: float = 20.0
    removal: float | None = None
    """How long it lives on without its route; None is without end."""
    stall: float = 60.0
    """How long what waits for a reader may make no progress."""
