"""Why no backend takes a request."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kairos.errors import CircuitOpen, KairosError, Limit, NoBackend, Overloaded, UpstreamTimeout

if TYPE_CHECKING:
    from kairos.proxy.generation import ProxyRoute
    from kairos.proxy.target import Target

SETTING = "concurrency.max_requests_per_backend"


def is_busy(choices: "Sequence[Target]") -> bool:
    """Say whether a backend would take requests if it had fewer."""
    return any(target.is_full() and not target.is_drained for target in choices)


def reason(choices: "Sequence[Target]", now: float) -> KairosError:
    """Return what is told to a client whose request no backend takes."""
    takers = [target for target in choices if not target.is_drained]
    if not takers:
        return NoBackend("No backend takes requests at the moment")
    full = [target for target in takers if target.is_full()]
    if full:
        most = full[0].most_requests
        return Overloaded(most, setting=SETTING, reason="backends_busy")
    waits = [target.breaker.seconds_left(now) for target in takers if target.breaker is not None]
    if not any(waits):  # there is room by now, which another worker has made
        return Overloaded(takers[0].most_requests, setting=SETTING, reason="backends_busy")
    return CircuitOpen(min(waits))


def too_late(route: "ProxyRoute", message: str) -> UpstreamTimeout:
    """Return what is told to a client if the time for all attempts has gone by without a connection."""
    limit = Limit("timeouts.exchange_seconds", f"{route.exchange_seconds:g}", "no connection")
    return UpstreamTimeout(message, reason="exchange_timeout", limit=limit)
