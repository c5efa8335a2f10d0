"""What workers read of limits, timeouts, host names and backends that fail, from the blocks of the config."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from kairos.config import document, policies
from kairos.config.model.caching import Cache
from kairos.config.model.discovery import Discovery
from kairos.config.model.health import HealthCheck, can_check, status_range
from kairos.config.model.resilience import CircuitBreaker, Concurrency, OutlierDetection, Retry
from kairos.config.model.router import Backend, Router
from kairos.config.model.timeouts import RouteTimeouts, Timeouts
from kairos.config.model.traffic import Composite, Limits, RateLimit, RouteLimits
from kairos.config.model.websocket import WebSocket

T = TypeVar("T")

USUAL = document.Timeouts()


def limits(block: Limits | None) -> document.Limits:
    """Return the limits of the gateway. More bytes than the system can count are as good as any number."""
    block = block or Limits()
    return document.Limits(
        body_bytes=min(block.max_request_body_bytes, sys.maxsize),
        head_bytes=block.max_header_bytes,
        fields=block.max_headers,
        target_bytes=block.max_target_bytes,
        requests=block.max_requests_per_worker,
        response_head_bytes=block.max_response_header_bytes,
        connections=block.max_connections_per_worker,
    )


def route_limits(block: RouteLimits | None, whole: document.Limits) -> document.Limits:
    """Return the limits of a route: its own, else those of the gateway."""
    if block is None:
        return whole
    return replace(
        whole,
        body_bytes=min(own(block.max_request_body_bytes, whole.body_bytes), sys.maxsize),
        head_bytes=own(block.max_header_bytes, whole.head_bytes),
        fields=own(block.max_headers, whole.fields),
        target_bytes=own(block.max_target_bytes, whole.target_bytes),
    )


def timeouts(block: Timeouts | None) -> document.Timeouts:
    """Return the timeouts of the gateway."""
    block = block or Timeouts()
    return document.Timeouts(
        request_head=block.request_head_seconds,
        client_idle=block.client_idle_seconds,
        body_stall=block.body_stall_seconds,
        rate=block.min_body_rate,
        connect=block.connect_seconds,
        tls_handshake=block.tls_handshake_seconds,
        response_head=block.response_head_seconds,
        exchange=block.exchange_seconds,
        response_stall=block.response_stall_seconds,
        upstream_idle=own(block.upstream_idle_seconds, USUAL.upstream_idle),
        upstream_life=block.upstream_life_seconds,
        upstream_requests=block.upstream_requests,
        upstream_idle_most=own(block.upstream_idle_seconds, USUAL.upstream_idle_most),
        learn_keep_alive=block.learn_keep_alive,
    )


def route_timeouts(block: RouteTimeouts | None, whole: document.Timeouts) -> document.Timeouts:
    """Return the timeouts of a route: its own, else those of the gateway."""
    if block is None:
        return whole
    return replace(
        whole,
        body_stall=own(block.body_stall_seconds, whole.body_stall),
        rate=own(block.min_body_rate, whole.rate),
        connect=own(block.connect_seconds, whole.connect),
        response_head=own(block.response_head_seconds, whole.response_head),
        exchange=own(block.exchange_seconds, whole.exchange),
        response_stall=own(block.response_stall_seconds, whole.response_stall),
    )


def discovery(block: Discovery | None) -> document.Discovery:
    """Return how host names are resolved."""
    block = block or Discovery()
    return document.Discovery(
        resolver=tuple(dict.fromkeys(block.resolver)),
        min_ttl=block.min_ttl,
        max_ttl=block.max_ttl,
        ipv=block.ipv,
    )


def own(value: T | None, otherwise: T) -> T:
    """Return what a route says, or what holds if it says nothing."""
    return otherwise if value is None else value


def retry(block: Retry | None) -> document.Retry | None:
    """Return how a failed attempt is made again; None is never."""
    if block is None:
        return None
    return document.Retry(
        retries=block.max_retries,
        initial=block.initial_backoff_ms / 1000,
        longest=block.max_backoff_ms / 1000,
        multiplier=block.backoff_multiplier,
        jitter=block.jitter,
        statuses=tuple(dict.fromkeys(block.retry_on_status_codes)),
        on_lost=block.retry_on_connection_error,
        any_method=block.retry_non_idempotent,
        budget_percent=block.budget_percent,
    )


def breaker(own: CircuitBreaker | None, whole: CircuitBreaker | None) -> document.Breaker | None:
    """Return the breaker of a route: its own, else that of the gateway, else the usual one."""
    block = own or whole or CircuitBreaker()
    if not block.enabled:
        return None
    return document.Breaker(
        failures=block.failure_threshold,
        successes=block.success_threshold,
        seconds=block.timeout_ms / 1000,
        statuses=tuple(dict.fromkeys(block.failure_status_codes)),
        minimum=block.minimum_requests,
        is_own=own is not None,
    )


def outlier(block: OutlierDetection | None) -> document.Outlier | None:
    """Return when a backend is taken out; None is never."""
    block = block or OutlierDetection()
    if not block.enabled:
        return None
    return document.Outlier(block.consecutive_errors, block.base_ejection_seconds, block.max_ejection_seconds)


def concurrency(block: Concurrency | None) -> document.Concurrency:
    """Return how much a route and its backends take at a time."""
    block = block or Concurrency()
    return document.Concurrency(
        requests=block.max_requests,
        backend_requests=block.max_requests_per_backend,
        backend_connections=block.max_connections_per_backend,
        queue=block.max_queue,
        queue_seconds=block.queue_timeout_ms / 1000,
    )


def rate_limits(own: RateLimit | None, whole: RateLimit | None) -> tuple[document.RateLimit, ...]:
    """Return the limits on the requests of a route: those of the gateway, and its own."""
    return (*members(whole, 0, is_global=True), *members(own, 1))


def members(
    block: RateLimit | None, group: int, *, is_global: bool = False, dry_run: bool = False
) -> Iterator[document.RateLimit]:
    """Return the limits in a block, those of a composite one by one."""
    if block is None:
        return
    dry_run = dry_run or block.dry_run
    if isinstance(block.strategy, Composite):
        for member in block.strategy.Composite:
            yield from members(member, group, is_global=is_global, dry_run=dry_run)
        return
    yield document.RateLimit(
        strategy=block.strategy,
        requests=min(block.requests_per_window, sys.maxsize),
        seconds=block.window_duration,
        burst=min(block.burst_allowance, sys.maxsize),
        window=block.window_type,
        header=block.header.lower() if block.strategy == "PerHeader" else "",
        group=group,
        is_global=is_global,
        dry_run=dry_run,
    )


def cache_store(block: Cache | None) -> document.CacheStore:
    """Return where stored answers are kept."""
    block = block or Cache()
    return document.CacheStore(block.max_bytes, block.memory_bytes_per_worker, block.directory)


def health_check(block: HealthCheck | None, backend: Backend, protocol: str) -> document.HealthCheck | None:
    """Return how a backend is checked; None if it is not."""
    block = block or HealthCheck()
    path = backend.health_check_path or block.path
    if backend.state == "maintenance" or not can_check(protocol, block) or not (path or block.tcp_only):
        return None
    return document.HealthCheck(
        path=path or "/",
        interval=block.interval_seconds,
        timeout=block.timeout_seconds,
        unhealthy_threshold=block.unhealthy_threshold,
        healthy_threshold=block.healthy_threshold,
        statuses=tuple(status_range(status) for status in block.expected_statuses),
        body=block.body_contains,
        tcp_only=block.tcp_only,
        host=block.host,
        headers=tuple((field.name, field.value) for field in block.headers),
    )


def websocket(router: Router, whole: WebSocket | None, stall: float) -> policies.WebSocket | None:
    """Return the limits of connections that change protocols; None for a route where none does."""
    if not router.changes_protocols():
        return None
    block = router.websocket or whole or WebSocket()
    return policies.WebSocket(
        connections=block.max_connections,
        frame_bytes=block.max_frame_bytes,
        message_bytes=block.max_message_bytes,
        idle=block.idle_timeout_seconds,
        lifetime=block.max_lifetime_seconds,
        ping=block.ping_interval_seconds,
        pong=block.pong_timeout_seconds,
        removal=block.close_after_removal_seconds,
        stall=stall,
    )
