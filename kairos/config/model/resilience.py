"""What happens when a backend fails."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

from typing import Annotated

from pydantic import AfterValidator, Field

from kairos.config.model.base import Block, Unsigned16, Unsigned32, Unsigned64, Within, refusal

MAX_RETRIES = 10


def check_multiplier(multiplier: float) -> float:
    """Refuse pauses that would become shorter."""
    if multiplier < 1.0:
        raise refusal("backoff_multiplier must be >= 1.0", "use 1.0 for equal pauses, 2.0 to double them")
    return multiplier


class Retry(Block):
    """How a failed attempt is made again."""

    max_retries: Annotated[
        int, Within(0, MAX_RETRIES, "max_retries should not exceed 10 to prevent excessive delays")
    ] = 3
    """How many attempts there may be after the first."""
    initial_backoff_ms: Unsigned64 = 100
    """The pause before the first retry."""
    max_backoff_ms: Unsigned64 = 5000
    """The longest pause."""
    backoff_multiplier: Annotated[
        float, AfterValidator(check_multiplier), Field(json_schema_extra={"minimum": 1.0})
    ] = 2.0
    """How much longer each pause is than the one before."""
    jitter: bool = True
    """Whether a pause is drawn at random between nothing and its full length, so that clients that failed together do
    not come back together."""
    retry_on_status_codes: list[Unsigned16] = [502, 503, 504]
    """Answers that count as a failure. A 429 or 503 with `Retry-After` is tried again too, if that fits into
    `timeouts.exchange_seconds`."""
    retry_on_connection_error: bool = True
    """Whether a request whose connection broke, or whose answer did not begin in time, is tried again. Where no
    connection could be made, the next backend is tried in any case."""
    retry_non_idempotent: bool = False
    """Whether POST and PATCH may be sent again although the backend may have acted on them. Without, they are only with
    an `Idempotency-Key`."""
    budget_percent: Annotated[int, Field(ge=0, le=100)] = 20
    """The share of a worker's requests in progress that may be retries; three always may."""


class CircuitBreaker(Block):
    """When a backend that keeps failing is left alone."""

    failure_threshold: Annotated[Unsigned32, Field(ge=1)] = 5
    """How many failures in a row open the breaker."""
    success_threshold: Annotated[Unsigned32, Field(ge=1)] = 3
    """How many successes close it again."""
    timeout_ms: Annotated[Unsigned64, Field(ge=1)] = 30_000
    """How long it stays open before a probe."""
    failure_status_codes: list[Unsigned16] = []
    """Answers that count as a failure, besides connections that fail and answers that do not come."""
    minimum_requests: Unsigned16 = 0
    """How many requests there must have been in the last 10 to 20 seconds before it opens."""
    enabled: bool = True
    """Whether there is one."""


class OutlierDetection(Block):
    """When a backend whose answers are errors is taken out, by real traffic; not where it is the only one."""

    consecutive_errors: Annotated[int, Field(ge=1, le=255)] = 5
    """How many answers from 500 up in a row take it out."""
    base_ejection_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long it is out; twice as long the second time in a row, and so on."""
    max_ejection_seconds: Annotated[float, Field(gt=0)] = 300.0
    """The longest time."""
    enabled: bool = True
    """Whether backends are taken out."""


class Concurrency(Block):
    """How much a route and its backends take at a time, over all workers; 0 is any number. More gets a 503."""

    max_requests: Unsigned32 = 0
    """How many requests the route may have in progress."""
    max_requests_per_backend: Unsigned32 = 0
    """How many of all routes each of its backends may have in progress; then the next backend is taken."""
    max_connections_per_backend: Unsigned32 = 0
    """How many connections to each backend may be open when a new one is needed."""
    max_queue: Unsigned32 = 0
    """How many requests of one worker may wait until there is room."""
    queue_timeout_ms: Unsigned32 = 1000
    """How long a request may wait for that."""
