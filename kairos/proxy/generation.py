"""What one config generation built, swapped whole: the routes, and the bounds that hold before a route is known."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from kairos._speedups.matcher import Matcher
from kairos.config.document import Limits, Settings, Timeouts
from kairos.filters import Filter, WaitingFilter
from kairos.protocols.http1.fields import USUAL_COPIES, Copies
from kairos.proxy.client import Forwarding
from kairos.proxy.recovery import RetryPolicy
from kairos.proxy.ticker import NEVER
from kairos.routing.router import Entry, Router
from kairos.security.cors import CorsPolicy
from kairos.security.headers import NO_HEADERS, AnswerHeaders
from kairos.traffic.transform import RequestChange, ResponseChange

if TYPE_CHECKING:
    from kairos.balancing.balancer import Balancer
    from kairos.balancing.sticky import StickyCookie
    from kairos.proxy.caching.route import RouteCache
    from kairos.proxy.crowd import Crowd
    from kairos.proxy.encoding import Compressor
    from kairos.proxy.endpoints import Endpoints
    from kairos.proxy.target import Target
    from kairos.proxy.tunnels import Group


class ProxyRoute:
    """Where a matched request goes: past the filters, then to one of the backends; and how long that may take."""

    __slots__ = (
        "__weakref__",
        "balancer",
        "body_bytes",
        "body_rate",
        "body_stall_seconds",
        "cache",
        "column",
        "compressor",
        "connect_seconds",
        "copies",
        "cors",
        "crowd",
        "endpoints",
        "exchange_seconds",
        "filters",
        "has_lines",
        "head_limits",
        "is_checked",
        "lines",
        "pattern",
        "preserves_host",
        "request_change",
        "response_change",
        "response_head_seconds",
        "response_stall_seconds",
        "retry",
        "secure_lines",
        "sticky",
        "targets",
        "tunnels",
        "waits",
    )

    def __init__(
        self,
        pattern: str,
        filters: Sequence[Filter],
        balancer: "Balancer[Target]",
        column: int,
        *,
        limits: Limits | None = None,
        has_own_head_limits: bool = False,
        timeouts: Timeouts | None = None,
        preserves_host: bool = False,
        copies: Copies = USUAL_COPIES,
        cors: CorsPolicy | None = None,
        headers: AnswerHeaders = NO_HEADERS,
        compressor: "Compressor | None" = None,
        request_change: RequestChange | None = None,
        response_change: ResponseChange | None = None,
        sticky: "StickyCookie | None" = None,
        targets: "Sequence[Target]" = (),
        retry: RetryPolicy | None = None,
        crowd: "Crowd | None" = None,
        is_checked: bool = False,
        cache: "RouteCache | None" = None,
        tunnels: "Group | None" = None,
    ) -> None:
        limits, timeouts = limits or Limits(), timeouts or Timeouts()
        self.pattern = pattern
        self.filters = tuple(filters)
        self.waits = any(isinstance(step, WaitingFilter) for step in filters)
        self.balancer = balancer
        self.endpoints: Endpoints | None = None  # if its backends have names
        self.targets = tuple(targets)
        self.retry = retry
        self.crowd = crowd  # None where its requests are not limited
        self.is_checked = is_checked  # whether any of its backends is asked how it is
        self.tunnels = tunnels  # None where no request may change protocols
        self.column = column
        self.copies = copies
        self.cors = cors
        self.has_lines = cors is not None or bool(headers.secure_lines)
        self.lines, self.secure_lines = headers.lines, headers.secure_lines  # what every answer has
        self.compressor = compressor
        self.request_change, self.response_change = request_change, response_change
        self.cache = cache
        self.preserves_host = preserves_host
        self.sticky = sticky
        self.head_limits = limits if has_own_head_limits else None
        self.body_bytes = limits.body_bytes
        self.body_rate = timeouts.rate
        self.body_stall_seconds = timeouts.body_stall
        self.connect_seconds = timeouts.connect
        self.response_head_seconds = timeouts.response_head
        self.response_stall_seconds = timeouts.response_stall
        self.exchange_seconds = timeouts.exchange


class Snapshot:
    """An immutable generation; `entries` holds what was built from each line of its document.

    `checked` are the routes with backends that are asked how they are; `tunnels` are of the routes whose requests may
    change protocols; `has_cache` tells whether any route stores answers.
    """

    __slots__ = (
        "__weakref__",
        "checked",
        "client_idle_seconds",
        "cors",
        "entries",
        "fields",
        "forwarding",
        "generation",
        "has_cache",
        "head_bytes",
        "learns_keep_alive",
        "lines",
        "matcher",
        "request_head_seconds",
        "requests",
        "response_head_bytes",
        "router",
        "secure_lines",
        "settings",
        "target_bytes",
        "told",
        "tunnels",
        "upstream_idle_most",
        "upstream_idle_seconds",
        "upstream_life_seconds",
        "upstream_requests",
        "via",
    )

    def __init__(
        self,
        generation: int,
        settings: Settings,
        router: Router,
        entries: dict[bytes, Entry],
        checked: Sequence[ProxyRoute] = (),
        tunnels: "Collection[Group]" = (),
        *,
        has_cache: bool = False,
    ) -> None:
        self.generation = generation
        self.settings = settings
        self.router = router
        self.matcher: Matcher = router.matcher
        self.entries = entries
        self.checked = tuple(checked)
        self.has_cache = has_cache
        self.tunnels = frozenset(tunnels)
        self.forwarding = Forwarding.of(settings)
        self.via = self.forwarding.via
        self.told = b",".join(told_fields(settings))
        self.cors = None if settings.cors is None else CorsPolicy(settings.cors)  # where no route is known
        headers = AnswerHeaders.of(settings.security_headers)
        self.lines, self.secure_lines = headers.lines, headers.secure_lines
        limits, timeouts = settings.limits, settings.timeouts
        self.head_bytes = limits.head_bytes
        self.fields = limits.fields
        self.target_bytes = limits.target_bytes
        self.requests = limits.requests
        self.response_head_bytes = limits.response_head_bytes
        self.request_head_seconds = timeouts.request_head
        self.client_idle_seconds = timeouts.client_idle
        self.upstream_idle_seconds = timeouts.upstream_idle or NEVER
        self.upstream_idle_most = timeouts.upstream_idle_most or NEVER
        self.learns_keep_alive = timeouts.learn_keep_alive
        self.upstream_life_seconds = timeouts.upstream_life
        self.upstream_requests = timeouts.upstream_requests


def told_fields(settings: Settings) -> tuple[bytes, ...]:
    """Return the names of the header fields that tell backends who comes, so that no client may send them."""
    forwarded = settings.jwt.forwarded if settings.jwt is not None else ()
    return tuple(dict.fromkeys(field.lower().encode() for _, field in forwarded))
