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
    retry_on_status_codes: list[Unsigned16] = [502, 503, 504]
    """Answers that count as a failure."""
    retry_on_connection_error: bool = True
    """Whether a connection that fails is tried again."""


class CircuitBreaker(Block):
    """When a backend that keeps failing is left alone."""

    failure_threshold: Annotated[Unsigned32, Field(ge=1)] = 5
    """How many failures in a row open the breaker."""
    success_threshold: Annotated[Unsigned32, Field(ge=1)] = 3
    """How many successes close it again."""
    timeout_ms: Unsigned64 = 30_000
    """How long it stays open before a probe."""
