"""The endpoints that a worker answers itself: /health, /ready and /live."""

import time

import orjson

from kairos._version import __version__
from kairos.filters import Asked, LocalReply
from kairos.proxy.plane import DataPlane
from kairos.proxy.replies import timestamp

METHODS = ("GET", "HEAD")


class Health:
    """Say that the gateway runs, and for how long."""

    path = "/health"

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    def take(self, asked: Asked) -> LocalReply:
        """Answer 200 with the uptime in seconds."""
        uptime = int(time.clock_gettime(time.CLOCK_MONOTONIC) - self._plane.started_clock)
        now = timestamp()
        return _json(200, status="healthy", timestamp=now, uptime=uptime, uptime_seconds=uptime, version=__version__)

    look = take


class Ready:
    """Say whether new requests should be sent here."""

    path = "/ready"

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    def take(self, asked: Asked) -> LocalReply:
        """Answer 200, or 503 while the gateway drains."""
        if self._plane.is_ready:
            return _json(200, status="ready", timestamp=timestamp())
        return _json(503, status="draining", timestamp=timestamp())

    look = take


class Live:
    """Say that the worker's loop turns."""

    path = "/live"

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    def take(self, asked: Asked) -> LocalReply:
        """Answer 200."""
        return _json(200, status="alive", timestamp=timestamp())

    look = take


ENDPOINTS = (Health, Ready, Live)


def paths(prefix: str | None) -> list[str]:
    """Return where the endpoints are: under `prefix`, or nowhere for None."""
    return [] if prefix is None else [prefix + endpoint.path for endpoint in ENDPOINTS]


def _json(code: int, **fields: object) -> LocalReply:
    return LocalReply(code, orjson.dumps(fields))
