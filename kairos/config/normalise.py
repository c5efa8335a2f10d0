"""Turn a valid config into the document that workers read."""

import hmac
from dataclasses import dataclass, replace
from pathlib import Path

from kairos.config import access
from kairos.config.authorities import Authorities
from kairos.config.bounds import (
    breaker,
    cache_store,
    concurrency,
    discovery,
    health_check,
    limits,
    outlier,
    rate_limits,
    retry,
    route_limits,
    route_timeouts,
    timeouts,
    websocket,
)
from kairos.config.client_certificates import ClientCertificates, pair_of
from kairos.config.document import Backend, Document, HashOn, Route, Settings, Sticky, Tls
from kairos.config.hosts import backend_target
from kairos.config.key_sets import KeySets
from kairos.config.listeners import listeners
from kairos.config.listening import moved
from kairos.config.model import Config
from kairos.config.model.balancing import StickySessions
from kairos.config.model.router import BackendTls, Router
from kairos.config.model.traffic import Limits
from kairos.config.policy_blocks import access_lists, cache, compression, cors, request_checks, security_headers
from kairos.config.transform_blocks import request_change, response_change
from kairos.config.validate import Validated

PROTOCOL_SCHEME = {"ftp": "ftp", "dns": "dns"}
"""What a bare host speaks, by the protocol of its route."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line asks for; it wins over the file. None leaves the decision to the file."""

    host: str | None = None
    port: int | None = None
    workers: int | None = None
    log_level: str | None = None


def normalise(
    config: Config,
    overrides: Overrides,
    authorities: Authorities,
    key_sets: KeySets | None = None,
    certificates: ClientCertificates | None = None,
) -> Document:
    """Return the document of a config that has no errors."""
    whole = replace(
        settings(config, overrides, authorities.folder),
        jwt=access.jwt(config.jwt, key_sets or KeySets(authorities.folder), authorities),
        api_keys=access.api_keys(config.api_keys),
        basic_auth=access.basic_auth(config.basic_auth),
    )
    certificates = certificates or ClientCertificates(authorities.folder)
    routes = (route(router, backends(router, authorities, certificates), whole, config) for router in config.routers)
    return Document(whole, tuple(routes))


def settings(config: Config, overrides: Overrides, folder: Path) -> Settings:
    """Return what holds for the gateway as a whole. Relative paths start in `folder`."""
    server, logging, builtin = config.server, config.logging, config.builtin_routes
    return Settings(
        listeners=moved(listeners(server, folder), overrides.host, overrides.port),
        workers=server.workers if overrides.workers is None else overrides.workers,
        log_level=logging.level if overrides.log_level is None else overrides.log_level,
        access_log=logging.access_log,
        builtin_prefix=builtin if isinstance(builtin, str) else ("" if builtin else None),
        config_version=config.version,
        trusted_proxies=tuple(dict.fromkeys(server.trusted_proxies)),
        via=server.via,
        forwarded=server.forwarded,
        limits=limits(config.limits),
        timeouts=timeouts(config.timeouts),
        rate_limit_bytes=(config.limits or Limits()).rate_limit_memory_bytes,
        discovery=discovery(config.discovery),
        security_headers=security_headers(config.security_headers, None),
        cors=cors(config.cors),
        cache=cache_store(config.cache),
    )


def outline(config: Config, validated: Validated) -> tuple[Document, list[int]]:
    """Return the document of a config that may have errors, without backends: enough to look at its routes.

    The numbers are the places of the routes in the file: those without a usable path are left out.
    """
    whole = settings(config, Overrides(), Path())
    routes: list[Route] = []
    indexes: list[int] = []
    for path, router in validated.routers():
        if (*path, "external_path") in validated.broken:
            continue
        index = int(path[-1])
        sketch = route(router, (), whole, config)
        if not validated.broken.isdisjoint({(*path, "methods"), (*path, "hosts")}):
            sketch = replace(sketch, hosts=(f"router-{index}.invalid",))  # where it coincides with no other
        routes.append(sketch)
        indexes.append(index)
    return Document(whole, tuple(routes)), indexes


def backends(router: Router, authorities: Authorities, certificates: ClientCertificates) -> tuple[Backend, ...]:
    """Return the backends of a route."""
    return tuple(
        replace(
            address(backend.host, backend.port, backend.weight, router.protocol),
            tls=tls(backend.tls, authorities, certificates),
            send_proxy_protocol=backend.send_proxy_protocol,
            state=backend.state,
            health_check=health_check(router.health_check, backend, router.protocol),
        )
        for backend in router.upstream()
    )


def tls(block: BackendTls | None, authorities: Authorities, certificates: ClientCertificates) -> Tls | None:
    """Return how TLS is spoken with a backend; None if as usual, so that such backends share their connections."""
    if block is None:
        return None
    authority = authorities.of(block.ca_file) if block.ca_file is not None else None
    pair = pair_of(block, certificates)
    found = Tls(
        verify=block.verify,
        ca_file=authority.path if authority else None,
        ca_digest=authority.digest if authority else "",
        server_name=block.server_name,
        client_cert=pair.certificate if pair else None,
        client_key=pair.key if pair else None,
        client_digest=pair.digest if pair else "",
        min_version=block.min_version,
    )
    return found if found != Tls() else None


def route(router: Router, backends: tuple[Backend, ...], whole: Settings, config: Config) -> Route:
    """Return one route; what it does not say itself is as for the gateway as a whole."""
    return Route(
        external_path=router.external_path,
        internal_path=router.internal_path,
        methods=tuple(dict.fromkeys((*router.methods, "GET") if router.protocol == "websocket" else router.methods)),
        backends=backends,
        hosts=tuple(dict.fromkeys(router.hosts)),
        protocol=router.protocol,
        auth_required=router.auth_required or router.auth is not None,
        trailing_slash=router.trailing_slash,
        empty_segments=router.empty_segments,
        strategy=router.load_balancing_strategy,
        hash_on=hash_on(router),
        sticky=sticky(router.sticky),
        preserve_host=router.preserve_host,
        limits=route_limits(router.limits, whole.limits),
        timeouts=route_timeouts(router.timeouts, whole.timeouts),
        retry=retry(router.retry),
        breaker=breaker(router.circuit_breaker, config.circuit_breaker),
        outlier=outlier(router.outlier_detection or config.outlier_detection),
        concurrency=concurrency(router.concurrency),
        auth=access.auth(router),
        rate_limits=rate_limits(router.rate_limit, config.rate_limit),
        slow_start=router.slow_start_seconds,
        access_lists=access_lists(config.access_list, router.access_list),
        checks=request_checks(config.request_checks, router.request_checks),
        cors=cors(config.cors if router.cors is None else router.cors),
        security_headers=security_headers(config.security_headers, router.security_headers),
        compression=compression(config.compression if router.compression is None else router.compression),
        request_change=request_change(router.request_transformation),
        response_change=response_change(router.response_transformation),
        cache=cache(router.cache),
        websocket=websocket(router, config.websocket, route_timeouts(router.timeouts, whole.timeouts).body_stall),
    )


def hash_on(router: Router) -> HashOn | None:
    """Return by what requests are placed; None where nobody asks."""
    if router.load_balancing_strategy != "consistent_hash":
        return None
    factor, given = router.balance_factor, router.hash_on
    if isinstance(given, str):
        return HashOn(given, factor=factor)
    kind = "header" if given.header is not None else "cookie"
    return HashOn(kind, given.header or given.cookie or "", factor)


def sticky(block: StickySessions | None) -> Sticky | None:
    """Return the cookie of a route."""
    if block is None:
        return None
    key = None
    if block.secret is not None:
        key = hmac.digest(block.secret.get_secret_value().encode(), b"kairos sticky sessions", "sha256").hex()
    return Sticky(block.cookie, block.ttl_seconds, key)


def address(host: str, port: int, weight: int, protocol: str) -> Backend:
    """Return one backend."""
    target = backend_target(host)
    return Backend(target.scheme or PROTOCOL_SCHEME[protocol], target.host, port, weight)
