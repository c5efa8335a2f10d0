"""Turn a valid config into the document that workers read."""

from dataclasses import dataclass, replace

from kairos.config.document import Backend, Document, Route, Settings
from kairos.config.hosts import backend_target
from kairos.config.model import Config
from kairos.config.model.router import Router
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


def normalise(config: Config, overrides: Overrides) -> Document:
    """Return the document of a config that has no errors."""
    return Document(settings(config, overrides), tuple(route(router, backends(router)) for router in config.routers))


def settings(config: Config, overrides: Overrides) -> Settings:
    """Return what holds for the gateway as a whole."""
    server, logging, builtin = config.server, config.logging, config.builtin_routes
    return Settings(
        host=server.host if overrides.host is None else overrides.host,
        port=server.port if overrides.port is None else overrides.port,
        workers=server.workers if overrides.workers is None else overrides.workers,
        log_level=logging.level if overrides.log_level is None else overrides.log_level,
        access_log=logging.access_log,
        builtin_prefix=builtin if isinstance(builtin, str) else ("" if builtin else None),
        config_version=config.version,
    )


def outline(config: Config, validated: Validated) -> tuple[Document, list[int]]:
    """Return the document of a config that may have errors, without backends: enough to look at its routes.

    The numbers are the places of the routes in the file: those without a usable path are left out.
    """
    routes: list[Route] = []
    indexes: list[int] = []
    for path, router in validated.routers():
        if (*path, "external_path") in validated.broken:
            continue
        index = int(path[-1])
        sketch = route(router, ())
        if not validated.broken.isdisjoint({(*path, "methods"), (*path, "hosts")}):
            sketch = replace(sketch, hosts=(f"router-{index}.invalid",))  # where it coincides with no other
        routes.append(sketch)
        indexes.append(index)
    return Document(settings(config, Overrides()), tuple(routes)), indexes


def backends(router: Router) -> tuple[Backend, ...]:
    """Return the backends of a route."""
    return tuple(address(backend.host, backend.port, backend.weight, router.protocol) for backend in router.upstream())


def route(router: Router, backends: tuple[Backend, ...]) -> Route:
    """Return one route."""
    return Route(
        external_path=router.external_path,
        internal_path=router.internal_path,
        methods=tuple(dict.fromkeys(router.methods)),
        backends=backends,
        hosts=tuple(dict.fromkeys(router.hosts)),
        protocol=router.protocol,
        auth_required=router.auth_required,
        trailing_slash=router.trailing_slash,
        empty_segments=router.empty_segments,
    )


def address(host: str, port: int, weight: int, protocol: str) -> Backend:
    """Return one backend."""
    target = backend_target(host)
    return Backend(target.scheme or PROTOCOL_SCHEME[protocol], target.host, port, weight)
