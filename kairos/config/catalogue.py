"""The rules that no single value can break: errors, warnings and recommendations about a whole config.

Duplicates and ambiguous routes are not here: the matcher knows them. It is deterministic whatever the order of the
routers, so that there is nothing like "potential route conflict, order matters" to warn of; what is truly ambiguous is
reported by `kairos.routing.check`.
"""

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import unquote

from kairos.config.authentication import authentication
from kairos.config.findings import Draft, JsonPath, quote
from kairos.config.hosts import Target, backend_target
from kairos.config.model.health import HealthCheck, can_check
from kairos.config.model.resilience import Retry
from kairos.config.model.router import FTP_METHODS, SCHEMES, Backend, BackendTls, Router
from kairos.config.model.traffic import Limits, RouteLimits
from kairos.config.validate import Validated, in_router

PARAMETER = re.compile(r"\{[^{}]*\}")
LOCALHOST = ("localhost", "127.0.0.1", "::1")
MANY_METHODS, MANY_PARAMETERS, MANY_DYNAMIC_ROUTES = 4, 3, 50
DNS_PORT, FTP_PORTS = 53, (21, 22)
TLS_SCHEMES = ("https", "wss", "ftps")
WEIGHTED = ("weighted", "least_request", "peak_ewma", "consistent_hash")
EVERYBODY = ("0.0.0.0/0", "::/0")


def catalogue(validated: Validated) -> Iterator[Draft]:
    """Apply every rule to what could be validated."""
    yield from whole_config(validated)
    yield from authentication(validated)
    for path, router in validated.routers():
        yield from route(router, path, validated)
    yield from transport_security(validated)


def whole_config(validated: Validated) -> Iterator[Draft]:
    """Look at the routers as a set."""
    config, routers = validated.config, list(validated.routers())
    if config is None:
        return
    if not routers:
        message = "No routers configured - gateway will not handle any requests"
        yield Draft("error", ("routers",), message, "add a router")
    for index, network in enumerate(config.server.trusted_proxies):
        if network in EVERYBODY:
            message = "Every client is trusted as a proxy, and can pass for any address"
            yield Draft("warning", ("server", "trusted_proxies", index), message, "list the networks of your proxies")
    names = config.discovery
    if names and names.min_ttl > names.max_ttl and not validated.is_in_doubt(("discovery", "max_ttl")):
        message = f"min_ttl cannot be greater than max_ttl, which is {names.max_ttl:g}"
        yield Draft("error", ("discovery", "min_ttl"), message, "use a smaller number, or a greater max_ttl")
    dynamic = sum(is_dynamic(router) for _, router in routers)
    if dynamic > MANY_DYNAMIC_ROUTES:
        message = f"High number of dynamic routes ({dynamic}) may impact performance - consider route optimization"
        yield Draft("warning", ("routers",), message)
    if routers and dynamic == len(routers):
        message = "Consider adding static routes for frequently accessed endpoints to improve performance"
        yield Draft("recommendation", ("routers",), message)


def is_dynamic(router: Router) -> bool:
    """Say whether a route has parameters."""
    return "{" in router.external_path


def route(router: Router, path: JsonPath, validated: Validated) -> Iterator[Draft]:
    """Look at one route."""
    yield from route_paths(router, path)
    count = len(set(router.methods))
    if count > MANY_METHODS:
        message = f"Route {router.external_path} allows many HTTP methods ({count}) - consider restricting for security"
        yield Draft("warning", (*path, "methods"), message)
    if not validated.is_in_doubt((*path, "protocol")):
        yield from protocol_methods(router, path)
    yield from backends(router, path, validated)
    yield from balancing(router, path, validated)
    if router.limits:
        yield from head_limits(router.limits, (*path, "limits"), validated)
    yield from upgrades(router, path, validated)
    yield from states(router, path, validated)
    yield from health_checks(router, path, validated)
    if router.retry:
        yield from backoff(router.retry, (*path, "retry"), validated)


def balancing(router: Router, path: JsonPath, validated: Validated) -> Iterator[Draft]:
    """Look for what somebody asks of the balancer and does not get with its strategy."""
    strategy, given = router.load_balancing_strategy, [backend.weight for backend in router.upstream()]
    if validated.is_in_doubt((*path, "load_balancing_strategy")):
        return
    if strategy not in WEIGHTED and len(set(given)) > 1:
        first = next(index for index, weight in enumerate(given) if weight != 1)
        message = f"Weights have no effect with the strategy {strategy}"
        fix = 'write "load_balancing_strategy": "weighted", or remove the weights'
        yield Draft("warning", (*path, "backends", first, "weight"), message, fix)
    for key in ("hash_on", "balance_factor"):
        if strategy != "consistent_hash" and key in router.model_fields_set:
            message = f'"{key}" has no effect with the strategy {strategy}'
            fix = f'write "load_balancing_strategy": "consistent_hash", or remove "{key}"'
            yield Draft("warning", (*path, key), message, fix)


def upgrades(router: Router, path: JsonPath, validated: Validated) -> Iterator[Draft]:
    """Look for settings of upgrades where there are none."""
    if validated.is_in_doubt((*path, "protocol")):
        return
    if router.upgrade and router.protocol != "http":
        message = f'"upgrade" has no effect with the protocol {router.protocol}'
        yield Draft("warning", (*path, "upgrade"), message, 'remove "upgrade"')
    if router.websocket and not router.changes_protocols() and not validated.is_in_doubt((*path, "upgrade")):
        message = '"websocket" has no effect: no request of this route becomes a WebSocket'
        fix = 'write "protocol": "websocket", or "upgrade": true beside "protocol": "http"'
        yield Draft("warning", (*path, "websocket"), message, fix)


def states(router: Router, path: JsonPath, validated: Validated) -> Iterator[Draft]:
    """Look for a route all of whose backends are put aside."""
    if router.backends is None or validated.is_in_doubt((*path, "backends")):
        return
    if all(backend.state != "active" for backend in router.backends):
        message = f"No backend of {router.external_path} takes requests: all are in drain or maintenance"
        yield Draft("warning", (*path, "backends"), message, 'write "state": "active" for one of them')


def health_checks(router: Router, path: JsonPath, validated: Validated) -> Iterator[Draft]:
    """Look for checks that cannot be made, or not as they are described."""
    block, place = router.health_check or HealthCheck(), (*path, "health_check")
    indexes = [index for index, backend in enumerate(router.upstream()) if backend.health_check_path is not None]
    own: list[JsonPath] = [(*path, "backends", index, "health_check_path") for index in indexes]
    given = [place, *own] if router.health_check else own
    doubtful = ("protocol",), ("backends",), ("health_check", "path"), ("health_check", "tcp_only")
    if any(validated.is_in_doubt((*path, *keys)) for keys in doubtful):
        return
    if given and not can_check(router.protocol, block):
        message = f"Health checks have no effect on backends that speak {router.protocol}"
        fix = 'write "health_check": {"tcp_only": true}' if router.protocol == "ftp" else "remove them"
        yield Draft("warning", given[0], message, fix)
    elif block.tcp_only:
        unheard = ("path", "expected_statuses", "body_contains", "host", "headers")
        keys = [key for key in unheard if key in block.model_fields_set and getattr(block, key)]
        for unused in (*((*place, key) for key in keys), *own):
            yield Draft("warning", unused, f'"{unused[-1]}" has no effect with "tcp_only"', "remove one of them")
    elif router.health_check and block.path is None and not own:
        message = in_router(path, "A health check needs a path")
        fix = 'add "path": "/health", or "tcp_only": true if it is enough that a backend can be connected to'
        yield Draft("error", place, message, fix)


def head_limits(limits: RouteLimits, path: JsonPath, validated: Validated) -> Iterator[Draft]:
    """Look for limits that come too late: the gateway's own hold while the head is read, before the route is known."""
    whole = validated.config.limits if validated.config else None
    for key in ("max_header_bytes", "max_headers", "max_target_bytes"):
        most, own = getattr(whole or Limits(), key), getattr(limits, key)
        if own is None or own <= most or validated.is_in_doubt(("limits", key)):
            continue
        message = in_router(path, f"{key} cannot be greater than that of the gateway, which is {most}")
        yield Draft("error", (*path, key), message, f'use at most {most}, or write "{key}": {own} into "/limits"')


def backends(router: Router, path: JsonPath, validated: Validated) -> Iterator[Draft]:
    """Look at where a route leads, in either form."""
    knows_protocol = not validated.is_in_doubt((*path, "protocol"))
    if router.backends is None:
        problems = [*short_form(router, path), *(short_form_scheme(router, path) if knows_protocol else ())]
        yield from problems
        if problems:
            return
    elif router.host is not None or router.port is not None:
        key = "host" if router.host is not None else "port"
        message = '"host" and "port" are ignored, because "backends" is given'
        yield Draft("warning", (*path, key), message, "remove them")
    for index, backend in enumerate(router.backends or ()):
        if backend.tls is not None:
            yield from backend_tls(backend, backend.tls, (*path, "backends", index, "tls"))
    if not knows_protocol:
        return
    for index, backend in enumerate(router.upstream()):
        place = (*path, "backends", index) if router.backends is not None else path
        yield from backend_protocol(router, backend, place)


def backend_tls(backend: Backend, tls: BackendTls, path: JsonPath) -> Iterator[Draft]:
    """Look at how a backend's certificate is checked."""
    target = backend_target(backend.host)
    if target.scheme not in TLS_SCHEMES:
        message = in_router(path, f"Backend has TLS settings, but is reached without TLS: {backend.host}")
        yield Draft("error", path, message, f'write "host": "https://{target.host}", or remove "tls"')
    elif not tls.verify:
        message = f"The certificate of {backend.host} is not checked: anybody on the way can pass for it"
        fix = 'name the authority that signed it in "ca_file", and remove "verify"'
        yield Draft("warning", (*path, "verify"), message, fix)


def backoff(retry: Retry, path: JsonPath, validated: Validated) -> Iterator[Draft]:
    """Look at the pauses between attempts."""
    keys = ("initial_backoff_ms", "max_backoff_ms")
    if retry.initial_backoff_ms > retry.max_backoff_ms and not any(validated.is_in_doubt((*path, key)) for key in keys):
        message = in_router(path, "initial_backoff_ms cannot be greater than max_backoff_ms")
        yield Draft("error", path, message, "make max_backoff_ms larger")


def route_paths(router: Router, path: JsonPath) -> Iterator[Draft]:
    """Look at the paths of a route."""
    for key in ("external_path", "internal_path"):
        if climbs(getattr(router, key)):
            message = f"Path traversal detected in route: {router.external_path} -> {router.internal_path}"
            yield Draft("error", (*path, key), message, 'write the path without ".."')
    parameters = len(PARAMETER.findall(router.external_path))
    if parameters > MANY_PARAMETERS:
        message = f"Route {router.external_path} has many parameters ({parameters}) - may impact matching performance"
        yield Draft("warning", (*path, "external_path"), message)


def climbs(path: str) -> bool:
    """Say whether a path has a segment `..`, also in disguise. The dots of `{rest...}` belong to the parameter."""
    plain = unquote(PARAMETER.sub("x", path).partition("?")[0])
    return ".." in re.split(r"[/\\]", plain)


def protocol_methods(router: Router, path: JsonPath) -> Iterator[Draft]:
    """Look at how the methods of a route go with its protocol."""
    place = (*path, "methods")
    for index, method in enumerate(router.methods):
        if method in FTP_METHODS and router.protocol != "ftp":
            message = in_router(path, f"Invalid HTTP method: {method}")
            yield Draft("error", (*place, index), message, f'{method} is for routes with "protocol": "ftp"')
    if router.protocol == "websocket" and "GET" not in router.methods:
        message = f"WebSocket route {router.external_path} should allow GET method for upgrade"
        yield Draft("warning", place, message, 'add "GET"')
    if router.protocol == "dns" and "POST" not in router.methods:
        message = f"DNS route {router.external_path} should allow POST method for query forwarding"
        yield Draft("warning", place, message, 'add "POST"')


def short_form(router: Router, path: JsonPath) -> Iterator[Draft]:
    """Look at `host` and `port`, which matter only without `backends`."""
    if router.host is None or router.port is None:
        message = in_router(path, "Either backends or host/port must be specified")
        yield Draft("error", path, message, 'add "backends": [{"host": "http://127.0.0.1", "port": 8080}]')
    if router.port == 0:
        message = in_router(path, "Port must be between 1 and 65535")
        yield Draft("error", (*path, "port"), message, "use a number from 1 to 65535")


def short_form_scheme(router: Router, path: JsonPath) -> Iterator[Draft]:
    """Look at how `host` goes with the protocol of the route."""
    if router.host is None:
        return
    allowed = ("http", "https") if router.protocol == "http" else SCHEMES[router.protocol]
    target = target_of(router.host)
    if target is None or target.scheme not in allowed:
        message = in_router(path, "Host must start with http:// or https://")
        yield Draft("error", (*path, "host"), message, 'write "http://name", without port and path')


def target_of(host: str) -> Target | None:
    """Return scheme and name of a host, or None for what is no host."""
    try:
        return backend_target(host)
    except ValueError:
        return None


def backend_protocol(router: Router, backend: Backend, place: JsonPath) -> Iterator[Draft]:
    """Look at how a backend's scheme and port go with the protocol of its route."""
    scheme = backend_target(backend.host).scheme
    host, name = (*place, "host"), router.external_path
    if scheme not in SCHEMES[router.protocol]:
        schemes = " or ".join(f"{scheme}://" if scheme else "a bare name" for scheme in SCHEMES[router.protocol])
        yield Draft("error", host, wrong_scheme(router, backend, scheme, place), f"use {schemes}")
    elif router.protocol == "ftp":
        if scheme not in ("ftp", "ftps") and "ftp" not in backend.host:
            message = f"FTP route {name} backend may require ftp:// or ftps:// protocol: {backend.host}"
            yield Draft("warning", host, message)
        if backend.port not in FTP_PORTS:
            message = f"FTP route {name} uses non-standard port {backend.port} (standard is 21)"
            yield Draft("recommendation", (*place, "port"), message)
    elif router.protocol == "dns" and backend.port != DNS_PORT:
        message = f"DNS route {name} uses non-standard port {backend.port} (standard is 53)"
        yield Draft("warning", (*place, "port"), message)


def wrong_scheme(router: Router, backend: Backend, scheme: str, place: JsonPath) -> str:
    """Say that a backend cannot speak the protocol of its route."""
    match router.protocol:
        case "websocket":
            schemes = "ws://, wss://, http://, or https://"
            return f"WebSocket route {router.external_path} requires backend URL with {schemes} protocol"
        case "dns" if scheme in ("http", "https"):
            return f"DNS route {router.external_path} backend should not use HTTP/HTTPS protocol: {backend.host}"
        case "http":
            return in_router(place, f"Backend host must start with http://, https://, ws://, or wss://: {backend.host}")
    return in_router(place, f"Backend host {quote(backend.host)} does not fit the protocol {router.protocol}")


def transport_security(validated: Validated) -> Iterator[Draft]:
    """Look for traffic to backends that anybody on the way can read; each host is named once."""
    schemes: Counter[str] = Counter()
    seen: set[str] = set()
    for path, router in validated.routers():
        for index, backend in enumerate(router.upstream()):
            target = target_of(backend.host)
            if target is None:
                continue
            schemes[target.scheme] += 1
            if target.scheme != "http" or backend.host in seen:
                continue
            seen.add(backend.host)
            place = (*path, "backends", index, "host") if router.backends is not None else (*path, "host")
            yield Draft("warning", place, insecure(backend, target))
    if schemes["http"] and not schemes["https"]:
        yield Draft("warning", ("routers",), "All routes use HTTP - consider HTTPS for production security")


def insecure(backend: Backend, target: Target) -> str:
    """Say that a backend is reached without TLS."""
    if target.host in LOCALHOST:
        return f"HTTP backend to localhost detected: {backend.host} - consider HTTPS for production"
    return f"Insecure HTTP backend detected: {backend.host} - consider HTTPS"
