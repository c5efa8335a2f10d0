"""Before a request goes to a backend: the route that it is for, and the filters that it has to pass."""

from typing import TYPE_CHECKING

from kairos.errors import BadRequest, KairosError, MisdirectedRequest, Overloaded, PayloadTooLarge
from kairos.filters import LocalReply, WaitingFilter
from kairos.proxy import limits, preflight, redirect
from kairos.proxy.caching import purge
from kairos.proxy.replies import of_the_gateway

if TYPE_CHECKING:
    from kairos.proxy.exchange import Exchange
    from kairos.proxy.generation import ProxyRoute


def find_route(exchange: "Exchange") -> bool:
    """Find out where the request goes; say whether it goes on, or has been answered here."""
    head, snapshot = exchange.head, exchange.snapshot
    https_port = exchange.downstream.listener.redirect
    if https_port and redirect.applies(exchange):
        _begin_lines(exchange)
        exchange.reply(redirect.to_https(head, https_port))
        return False
    expected = exchange.downstream.server_name
    try:
        if expected and redirect.name_of(head.host).lower().rstrip(b".") != expected:
            raise MisdirectedRequest
        if exchange.downstream.plane.in_flight > snapshot.requests:
            raise Overloaded(snapshot.requests)
        if head.target == b"*":
            _begin_lines(exchange)
            exchange.reply(of_the_gateway())
            return False
        if head.method == b"OPTIONS":
            match = preflight.match(snapshot.matcher, head)
        elif head.method == b"PURGE":
            match = purge.match(snapshot.matcher, head)
        else:
            match = snapshot.matcher.match(head.method, head.host, head.target)
        route: ProxyRoute = match.endpoint.destination  # type: ignore[assignment]
        exchange.route = route
        if route.head_limits is not None:
            error = limits.head_over(route.head_limits, head.raw)
            if error is not None:
                raise error
        if head.body_length > route.body_bytes:
            raise PayloadTooLarge(head.body_length, route.body_bytes)
    except KairosError as error:
        _begin_lines(exchange)
        exchange.reply(LocalReply.refusal(error))
        return False
    if route.has_lines:
        _begin_lines(exchange)
    exchange.target = match.upstream_target
    has_steps = route.filters or route.cache is not None or route.request_change is not None
    return not has_steps or pass_filters(exchange, 0)


def _begin_lines(exchange: "Exchange") -> None:
    """Begin the lines that the answer has, whoever gives it."""
    source = exchange.snapshot if exchange.route is None else exchange.route
    exchange.lines = source.secure_lines if exchange.is_secure else source.lines
    if source.cors is not None:
        exchange.lines += source.cors.lines(exchange.head)


def pass_filters(exchange: "Exchange", first: int) -> bool:
    """Pass the filters from the `first` on; say whether the request goes on, or has been answered here."""
    route = exchange.route
    filters = route.filters
    for number in range(first, len(filters)):
        step = filters[number]
        if route.waits and isinstance(step, WaitingFilter) and step.must_wait(exchange):
            exchange.task = exchange.downstream.plane.loop.create_task(_wait_for(exchange, step, number))
            return True
        reply = step.take(exchange)
        if reply is not None:
            exchange.reply(reply)
            return False
    return pass_cache(exchange, 0.0)


def pass_cache(exchange: "Exchange", waited_until: float) -> bool:
    """Pass the cache, and be changed; say whether the request goes on, or has been answered here.

    If it waits for somebody else's answer that is its task. `waited_until` is when it has or would have lost patience.
    """
    cache = exchange.route.cache
    if cache is not None:
        if not cache.admits(exchange, waited_until):
            return False
        if exchange.task is not None:
            return True
    return change_request(exchange)


def change_request(exchange: "Exchange") -> bool:
    """Change the target as the route says; say whether the request goes on, or has been answered here."""
    change = exchange.route.request_change
    if change is not None:
        try:
            exchange.target = change.target(exchange.target)
        except BadRequest as error:
            exchange.reply(LocalReply.refusal(error))
            return False
    return True


async def _wait_for(exchange: "Exchange", step: WaitingFilter, number: int) -> None:
    try:
        reply = await step.wait(exchange)
        exchange.task = None
        if reply is not None:
            exchange.reply(reply)
        elif pass_filters(exchange, number + 1):
            exchange.begin()
    except Exception:
        exchange.task = None
        exchange.request_failed(KairosError("Internal error"))
        raise  # a defect: the loop's exception handler logs it
