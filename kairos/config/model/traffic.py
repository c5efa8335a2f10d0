"""How much: rate limits and sizes."""

from typing import Annotated, Literal

from pydantic import Field

from kairos.config.model.base import BY_SHAPE, NAMED, U32, WITH_SETTINGS, Block, Unsigned64

StrategyName = Literal["PerIP", "PerUser", "PerRoute", "PerIPAndRoute", "PerUserAndRoute", "PerHeader"]
WindowType = Literal["FixedWindow", "SlidingWindow", "TokenBucket"]
FIELD_NAME = r"^[A-Za-z0-9!#$%&'*+.^`|~-]+$"
"""A token (RFC 9110 section 5.6.2), without the underscore: fields with one are dropped."""


class Composite(Block):
    """Several limits, each with its own numbers; a request passes if all agree, and else counts for none."""

    Composite: "Annotated[list[RateLimit], Field(min_length=1)]"
    """The limits that are combined. Those beside `strategy` do not count then, but for `dry_run`."""


Strategy = Annotated[
    Annotated[StrategyName, NAMED] | Annotated[Composite, WITH_SETTINGS],
    BY_SHAPE,
]


class RateLimit(Block):
    """How many requests one client may send in a span of time; exact, however many workers there are."""

    strategy: Strategy = "PerIP"
    """What is counted together: a name, or `{"Composite": [...]}` of several limits. Addresses of IPv6 are counted by
    /64. Users are those who have been authenticated on the route; requests of nobody are counted by address. A route is
    its `external_path`."""
    header: Annotated[str, Field(pattern=FIELD_NAME)] = "X-API-Key"
    """The request header whose values are told apart by `PerHeader`. Requests without it are counted by address."""
    requests_per_window: Unsigned64
    """How many requests a window allows."""
    window_duration: Annotated[int, Field(ge=1, le=2**32)] = 60
    """The length of the window in seconds."""
    burst_allowance: Unsigned64 = 0
    """How many more requests are let through."""
    window_type: WindowType = "SlidingWindow"
    """How the window moves. `FixedWindow` begins with the first request. `SlidingWindow` remembers every request, or
    above 1,024 requests counts them in 64ths of the window: a request then counts up to a 64th longer. `TokenBucket`
    is full at first, and refills evenly."""
    dry_run: bool = False
    """Whether requests over the limit are only counted, and let through."""
    enable_redis: bool = False
    """Whether several gateways share the counters."""
    redis_key_prefix: str = "kairos_rl"
    """What the shared keys start with."""


Composite.model_rebuild()  # now that there is a RateLimit


HeaderBytes = Annotated[int, Field(ge=1024, le=2**20)]
HeaderCount = Annotated[int, Field(ge=1, le=10_000)]
TargetBytes = Annotated[int, Field(ge=256, le=2**20)]


class Limits(Block):
    """How large requests may be, and how many there may be at a time."""

    max_request_body_bytes: Unsigned64 = 10 * 1024 * 1024
    """The longest request body; else 413. Bodies are passed on as they come, so a large number costs no memory."""
    max_header_bytes: HeaderBytes = 32 * 1024
    """The longest head of a request, with the request line and all header fields; else 431."""
    max_headers: HeaderCount = 100
    """How many header fields a request may have; else 431."""
    max_target_bytes: TargetBytes = 8 * 1024
    """The longest request target, which is the path with the query; else 414."""
    max_requests_per_worker: Annotated[int, Field(ge=1, le=U32)] = 16_384
    """How many requests one worker may have in progress at a time; else 503."""
    max_connections_per_worker: Annotated[int, Field(ge=0, le=U32)] = 0
    """How many clients' connections one worker may have open; 0 is any number. More get 503 and are closed."""
    max_response_header_bytes: HeaderBytes = 32 * 1024
    """The longest head of a backend's response; else 502."""
    rate_limit_memory_bytes: Annotated[int, Field(ge=2**20, le=2**40)] = 64 * 2**20
    """How much memory the rate limits may take, for all workers together, as it was when the gateway started. A client
    takes 48 bytes, with a sliding window 80 or more; one half of the memory is for sliding windows. If there are too
    many clients, those are forgotten who have used the smallest part of their limit."""


class RouteLimits(Block):
    """The limits of one route; null takes that of the gateway.

    Those of the head can only be lower than the gateway's, which hold before the route is known.
    """

    max_request_body_bytes: Unsigned64 | None = None
    """The longest request body, longer or shorter than that of the gateway."""
    max_header_bytes: HeaderBytes | None = None
    """The longest head of a request."""
    max_headers: HeaderCount | None = None
    """How many header fields a request may have."""
    max_target_bytes: TargetBytes | None = None
    """The longest request target."""
