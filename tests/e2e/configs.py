"""Short ways to write a config."""

from tests.e2e.origin import Origin


def route(path: str, *origins: Origin, **more: object) -> dict[str, object]:
    """Make a router that passes every common method on, under the same path."""
    methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
    backends = [origin.backend for origin in origins]
    return {"external_path": path, "internal_path": path, "methods": methods, "backends": backends, **more}


def config(*routers: dict[str, object], **more: object) -> dict[str, object]:
    """Make a config."""
    return {"version": 1, "routers": list(routers), **more}
