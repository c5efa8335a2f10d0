"""How much: rate limits and sizes."""

from typing import Annotated, Literal

from pydantic import Field

from kairos.config.model.base import BY_SHAPE, NAMED, WITH_SETTINGS, Block, Unsigned64

StrategyName = Literal["PerIP", "PerUser", "PerRoute", "PerIPAndRoute", "PerUserAndRoute"]
WindowType = Literal["FixedWindow", "SlidingWindow", "TokenBucket"]


class Composite(Block):
    """Several limits, all of which must agree."""

    Composite: "Annotated[list[RateLimit], Field(min_length=1)]"
    """The limits that are combined."""


Strategy = Annotated[
    Annotated[StrategyName, NAMED] | Annotated[Composite, WITH_SETTINGS],
    BY_SHAPE,
]


class RateLimit(Block):
    """How many requests one client may send in a span of time."""

    strategy: Strategy = "PerIP"
    """What is counted together: a name, or `{"Composite": [...]}` of several limits."""
    requests_per_window: Unsigned64
    """How many requests a window allows."""
    window_duration: Annotated[int, Field(ge=1, le=2**32)] = 60
    """The length of the window in seconds."""
    burst_allowance: Unsigned64 = 0
    """How many more requests are let through."""
    window_type: WindowType = "SlidingWindow"
    """How the window moves."""
    enable_redis: bool = False
    """Whether several gateways share the counters."""
    redis_key_prefix: str = "kairos_rl"
    """What the shared keys start with."""


Composite.model_rebuild()  # now that there is a RateLimit


class Limits(Block):
    """How large a request may be."""

    max_request_body_bytes: Unsigned64 = 10 * 1024 * 1024
    """The longest request body."""
    max_header_bytes: Annotated[int, Field(ge=1024, le=2**20)] = 32 * 1024
    """The longest header block."""
    max_headers: Annotated[int, Field(ge=1, le=10_000)] = 100
    """How many header fields there may be."""
