"""How long: what each phase of a request may take."""

from typing import Annotated

from pydantic import Field

from kairos.config.model.base import Block, Unsigned32

Seconds = Annotated[float, Field(ge=0)]


class Timeouts(Block):
    """How many seconds each phase may take; 0 is without end."""

    request_head_seconds: Seconds = 15.0
    """The head of a request in total, so that it cannot be drawn out byte by byte; else 408."""
    client_idle_seconds: Seconds = 75.0
    """How long a client's connection may wait for its next request."""
    body_stall_seconds: Seconds = 60.0
    """How long a body may make no progress while the client has bytes to send or to read; our own pauses do not
    count."""
    min_body_rate: Unsigned32 = 128
    """The bytes per second that a client has to send or read on average, over `body_stall_seconds`; 0 is any."""
    connect_seconds: Seconds = 3.0
    """The way to a backend, with the look-up of its name; then the next backend is tried."""
    tls_handshake_seconds: Seconds = 10.0
    """The TLS handshake, with a client; or with a backend, and then the next backend is tried."""
    response_head_seconds: Seconds = 30.0
    """The head of a response, from the last byte of the request on, for each attempt; else 504."""
    exchange_seconds: Seconds = 60.0
    """All attempts together, from the last byte of the request until a response begins; else 504."""
    response_stall_seconds: Seconds = 60.0
    """How long a backend may be silent in the middle of a response."""
    upstream_idle_seconds: Seconds | None = None
    """How long a backend's connection may wait for its next request at most. null: 4 seconds, because many backends
    close theirs after 5, until it is learned how long this backend keeps them; then as long as that, up to 5
    minutes."""
    learn_keep_alive: bool = True
    """Whether the gateway learns after how many seconds and requests each backend closes its connections, from when it
    does and from its `Keep-Alive` fields, and uses none that is about to be closed. For that, up to 3 connections per
    backend and worker that are too old to be used stay open until the backend closes them, 6 minutes at most; but none
    does, nor is one used for longer than usual, where `max_connections_per_backend` makes them scarce. false: what
    backends do and say changes nothing, and no connection stays open beyond `upstream_idle_seconds`."""
    upstream_life_seconds: Seconds = 3600.0
    """The age at which a backend's connection takes no more requests."""
    upstream_requests: Unsigned32 = 10_000
    """The number of requests after which a backend's connection takes no more; 0 is any number."""


class RouteTimeouts(Block):
    """The timeouts of one route; null takes that of the gateway.

    The others hold for the gateway as a whole: they end before the route is known, or belong to connections that routes
    share.
    """

    body_stall_seconds: Seconds | None = None
    """How long a body may make no progress while the client has bytes to send or to read."""
    min_body_rate: Unsigned32 | None = None
    """The bytes per second that a client has to send or read on average."""
    connect_seconds: Seconds | None = None
    """The way to a backend, with the look-up of its name."""
    response_head_seconds: Seconds | None = None
    """The head of a response, for each attempt."""
    exchange_seconds: Seconds | None = None
    """All attempts together, until a response begins."""
    response_stall_seconds: Seconds | None = None
    """How long a backend may be silent in the middle of a response."""
