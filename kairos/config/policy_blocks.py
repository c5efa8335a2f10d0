"""Turn the blocks of the config that say who may pass, and in which form, into what workers read of them."""

import sys

from kairos.config import policies
from kairos.config.model.answers import Cors, SecurityHeaders
from kairos.config.model.caching import RouteCache
from kairos.config.model.compression import Compression
from kairos.config.model.security import AccessList, RequestChecks


def access_lists(whole: AccessList | None, own: AccessList | None) -> tuple[policies.AccessList, ...]:
    """Return the lists that an address has to pass: that of the gateway, and that of the route."""
    blocks = (block for block in (whole, own) if block is not None and (block.allow or block.deny))
    return tuple(
        policies.AccessList(tuple(dict.fromkeys(block.allow)), tuple(dict.fromkeys(block.deny))) for block in blocks
    )


def cors(block: Cors | None) -> policies.Cors | None:
    """Return which pages may call; None leaves that to the backend."""
    if block is None or not block.enabled:
        return None
    return policies.Cors(
        origins=tuple(dict.fromkeys(block.origins())),
        patterns=tuple(dict.fromkeys(block.allowed_origin_patterns)),
        methods=tuple(dict.fromkeys(block.allowed_methods)),
        headers=tuple(dict.fromkeys(block.allowed_headers)),
        exposed=tuple(dict.fromkeys(block.exposed_headers)),
        credentials=block.allow_credentials,
        max_age=block.max_age,
        private_network=block.allow_private_network,
    )


def security_headers(whole: SecurityHeaders | None, own: SecurityHeaders | None) -> tuple[tuple[str, str | None], ...]:
    """Return the headers of a route's answers with their values, None for one that is taken away."""
    found: list[tuple[str, str | None]] = []
    for key in SecurityHeaders.model_fields:
        values = (getattr(block, key) for block in (own, whole) if block is not None)
        value = next((value for value in values if value is not None), True)
        if value is not True:
            name = "-".join(word.capitalize() for word in key.split("_"))
            found.append((name, value or None))
    return tuple(found)


def request_checks(whole: RequestChecks | None, own: RequestChecks | None) -> policies.RequestChecks | None:
    """Return what requests are checked for, by the route or else by the gateway; None is nothing."""
    whole, own = whole or RequestChecks(), own or RequestChecks()
    agents = whole.blocked_user_agents if own.blocked_user_agents is None else own.blocked_user_agents
    types = whole.allowed_content_types if own.allowed_content_types is None else own.allowed_content_types
    found = policies.RequestChecks(tuple(dict.fromkeys(agents or ())), tuple(dict.fromkeys(types or ())))
    return found if found != policies.RequestChecks() else None


def cache(block: RouteCache | None) -> policies.Cache | None:
    """Return what is stored of a route's answers; None is nothing."""
    if block is None:
        return None
    return policies.Cache(
        default_ttl=block.default_ttl_seconds,
        default_statuses=tuple(dict.fromkeys(block.default_ttl_statuses)),
        max_ttl=block.max_ttl_seconds,
        stale_while_revalidate=block.stale_while_revalidate_seconds,
        stale_if_error=block.stale_if_error_seconds,
        max_body_bytes=min(block.max_body_bytes, sys.maxsize),
        query=None if block.query_parameters is None else tuple(dict.fromkeys(block.query_parameters)),
        headers=tuple(sorted(set(block.vary_headers))),
        by_host=block.by_host,
        obeys_clients=block.obey_client_cache_control,
        tags_header=block.tags_header,
        purge_from=tuple(dict.fromkeys(block.purge_from)),
    )


def compression(block: Compression | None) -> policies.Compression | None:
    """Return what is compressed; None is nothing."""
    if block is None or not block.enabled:
        return None
    return policies.Compression(
        algorithms=tuple(dict.fromkeys(block.algorithms)),
        types=tuple(dict.fromkeys(block.types)),
        min_bytes=block.min_bytes,
        br_level=block.levels.br,
        zstd_level=block.levels.zstd,
        gzip_level=block.levels.gzip,
        event_streams=block.event_streams,
    )
