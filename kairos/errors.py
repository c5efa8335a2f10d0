"""What can go wrong, on which side, with which answer, and whether another attempt is safe."""

from dataclasses import dataclass
from enum import Enum
from math import ceil


class Side(Enum):
    """Who caused a failure."""

    DOWNSTREAM = "downstream"
    UPSTREAM = "upstream"
    INTERNAL = "internal"


class Retry(Enum):
    """When a failed attempt may be made again (RFC 9110 section 9.2.2)."""

    NEVER = "never"
    IDEMPOTENT = "idempotent"  # the backend may have acted on the request
    ALWAYS = "always"  # no byte of the request was sent


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that was met: the setting, its value, and what was measured. For logs, not for clients."""

    setting: str
    allowed: object
    measured: object

    def __str__(self) -> str:
        return f"{self.setting} is {self.allowed}, measured {self.measured}"


class KairosError(Exception):
    """The base of every failure that the gateway knows how to answer.

    `kind` is the `type` of the error answer, `reason` its machine-readable code; the message may be shown to clients,
    so it names no backend.
    """

    kind = "internal"
    side = Side.INTERNAL
    status = 500
    retry = Retry.NEVER
    limit: Limit | None = None
    retry_after = 1  # seconds, told with a 503
    advice = ""  # the `message` of the error answer, if it has one

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.kind


class BadRequest(KairosError):
    """The client sent what no intermediary may forward; the connection is closed after the answer."""

    kind = "bad_request"
    side = Side.DOWNSTREAM
    status = 400

    def __init__(self, message: str, *, reason: str = "", status: int = 400, limit: Limit | None = None) -> None:
        super().__init__(message, reason=reason)
        self.status = status
        self.limit = limit


class MisdirectedRequest(KairosError):
    """The request is for another name than the one that the client's certificate was asked for."""

    kind = "misdirected_request"
    side = Side.DOWNSTREAM
    status = 421

    def __init__(self) -> None:
        super().__init__("This connection is for another host: open one that names this host in its TLS handshake")


class PayloadTooLarge(KairosError):
    """The body of the request is longer than the limit."""

    kind = "payload_too_large"
    side = Side.DOWNSTREAM
    status = 413

    def __init__(self, measured: int, allowed: int) -> None:
        super().__init__(f"The request body is larger than {allowed} bytes")
        self.limit = Limit("limits.max_request_body_bytes", allowed, measured)


class RateLimited(KairosError):
    """The client has sent more requests than it may."""

    kind = "rate_limit_error"
    side = Side.DOWNSTREAM
    status = 429
    advice = "Too many requests. Please try again later."

    def __init__(self, allowed: int) -> None:
        super().__init__("Rate limit exceeded", reason="rate_limited")
        self.limit = Limit("rate_limit", allowed, allowed + 1)


class Overloaded(KairosError):
    """The worker, the route or all backends have as many requests in flight as they may have."""

    kind = "overloaded"
    status = 503

    def __init__(
        self,
        allowed: int,
        *,
        setting: str = "limits.max_requests_per_worker",
        reason: str = "too_many_requests_in_flight",
    ) -> None:
        super().__init__("Too many requests are in flight; try again", reason=reason)
        self.limit = Limit(setting, allowed, allowed)


class CircuitOpen(KairosError):
    """The breakers of all backends are open."""

    kind = "circuit_open"
    side = Side.UPSTREAM
    status = 503

    def __init__(self, seconds: float) -> None:
        super().__init__("The service is currently unavailable (circuit breaker open)")
        self.retry_after = max(ceil(seconds), 1)


class NoBackend(KairosError):
    """No backend takes requests: all are drained."""

    kind = "no_backend"
    side = Side.UPSTREAM
    status = 503


class RouteNotFound(KairosError):
    """No route matches the request."""

    kind = "route_not_found"
    side = Side.DOWNSTREAM
    status = 404


class MethodNotAllowed(KairosError):
    """A route matches the path, but not with this method."""

    kind = "method_not_allowed"
    side = Side.DOWNSTREAM
    status = 405

    def __init__(self, message: str, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class UpstreamError(KairosError):
    """A backend could not be reached, or its answer could not be used."""

    kind = "upstream"
    side = Side.UPSTREAM
    status = 502

    def __init__(
        self, message: str, *, reason: str = "", retry: Retry = Retry.NEVER, limit: Limit | None = None
    ) -> None:
        super().__init__(message, reason=reason)
        self.retry = retry
        self.limit = limit


class UpstreamTimeout(UpstreamError):
    """A backend did not answer in time."""

    kind = "timeout"
    status = 504
