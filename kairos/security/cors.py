"""CORS: which pages of other origins may call (the Fetch standard, section 3.2).

A preflight is answered here. Any other request goes on, and its answer, be it the backend's or our own, tells whether
the page may see it: the browser acts on that. Where this depends on the origin every answer says so in `Vary`, for the
sake of caches.
"""

import re
from collections.abc import Callable

from kairos._speedups import FieldSet
from kairos.config import policies
from kairos.config.regex import Regex
from kairos.filters import Asked, LocalReply
from kairos.protocols.http1.head import RequestHead

NAMES = (
    b"access-control-allow-origin",
    b"access-control-allow-credentials",
    b"access-control-allow-methods",
    b"access-control-allow-headers",
    b"access-control-allow-private-network",
    b"access-control-expose-headers",
    b"access-control-max-age",
)
"""What the backend's answer loses: the gateway speaks for it."""

MOST_ORIGIN_BYTES = 512
MOST_REMEMBERED = 1024  # origins that have been looked at, so that those of a page are looked at once

_ORIGIN = FieldSet((b"origin",))
_PREFLIGHT = FieldSet(
    (
        b"origin",
        b"access-control-request-method",
        b"access-control-request-headers",
        b"access-control-request-private-network",
    )
)
_TOKEN = rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_METHOD = re.compile(_TOKEN)
_NAMES = re.compile(rb"%b(?:[ \t]*,[ \t]*%b)*" % (_TOKEN, _TOKEN))
_ORIGIN_FORM = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9._:\[\]-]+")  # RFC 6454 section 7.1, without null
_SUBDOMAINS = re.compile(rb"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_VARY = b"Vary: Origin\r\n"
_PREFLIGHT_VARY = b"Vary: Access-Control-Request-Method, Access-Control-Request-Headers\r\n"


def requested_method(head: RequestHead) -> bytes | None:
    """Return the method that a preflight asks about, None for any other request. The route is that of this method."""
    if head.method != b"OPTIONS":
        return None
    origin, method, _, _ = _PREFLIGHT.values(head.raw)
    return method if origin is not None and method is not None and _METHOD.fullmatch(method) else None


class CorsPolicy:
    """Answer preflights, and let every answer say which page may see it."""

    __slots__ = ("_always", "_exposed", "_is_allowed", "_known", "_preflight", "_private_network", "_settings")

    def __init__(self, settings: policies.Cors) -> None:
        self._settings = settings
        self._exposed = b""
        if settings.credentials:
            self._exposed += b"Access-Control-Allow-Credentials: true\r\n"
        if settings.exposed:
            self._exposed += _list_line(b"Access-Control-Expose-Headers", settings.exposed)
        self._always: bytes | None = None
        if "*" in settings.origins and not settings.credentials:  # the same for everybody
            self._always = b"Access-Control-Allow-Origin: *\r\n" + self._exposed
        self._is_allowed = origins(settings)
        self._known: dict[bytes, bytes] = {}
        self._private_network = b"Access-Control-Allow-Private-Network: true\r\n" if settings.private_network else b""
        self._preflight = b"Access-Control-Max-Age: %d\r\n" % settings.max_age

    def take(self, asked: Asked) -> LocalReply | None:
        """Answer a preflight with 204. The lines that every answer has are not in it."""
        head = asked.head
        if head.method != b"OPTIONS" or requested_method(head) is None:
            return None
        return LocalReply(204, lines=self._preflight_lines(head))

    look = take

    def lines(self, head: RequestHead) -> bytes:
        """Return the lines for every answer to a request, whoever gives it."""
        if self._always is not None:
            return self._always
        (origin,) = _ORIGIN.values(head.raw)
        if origin is None:
            return _VARY
        known = self._known.get(origin)
        if known is None:
            known = self._judged(origin)
        return known

    def admits(self, head: RequestHead) -> bool:
        """Say whether whoever asks may open a WebSocket: pages of allowed origins, of the host itself, and no page."""
        (origin,) = _ORIGIN.values(head.raw)
        if origin is None or "*" in self._settings.origins:
            return True
        return self._is_allowed(origin) or origin.partition(b"://")[2].lower() == head.host.lower()

    def _preflight_lines(self, head: RequestHead) -> bytes:
        """Return what else the answer to a preflight says: to a page that may call, what it may do."""
        origin, method, names, private = _PREFLIGHT.values(head.raw)
        if self._always is None and (origin is None or not self._is_allowed(origin)):
            return _PREFLIGHT_VARY
        lines = (
            _PREFLIGHT_VARY,
            _allowed(b"Access-Control-Allow-Methods", self._settings.methods, method),
            _allowed(b"Access-Control-Allow-Headers", self._settings.headers, names),
            self._private_network if private == b"true" else b"",
            self._preflight,
        )
        return b"".join(lines)

    def _judged(self, origin: bytes) -> bytes:
        """Decide about an origin that is new."""
        lines = _VARY
        if self._is_allowed(origin):
            lines = b"%bAccess-Control-Allow-Origin: %b\r\n%b" % (_VARY, origin, self._exposed)
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        if len(origin) <= MOST_ORIGIN_BYTES:
            self._known[origin] = lines
        return lines


def origins(settings: policies.Cors) -> Callable[[bytes], bool]:
    """Return the rule that says which origins may call; `*` is none of them, for with credentials nobody is."""
    exact = frozenset(one.encode() for one in settings.origins if "*" not in one)
    wildcards = tuple(tuple(one.encode().split(b"*", 1)) for one in settings.origins if "*" in one and one != "*")
    patterns = tuple(map(Regex, settings.patterns))

    def is_allowed(origin: bytes) -> bool:
        if origin in exact:
            return True
        if len(origin) > MOST_ORIGIN_BYTES or not _ORIGIN_FORM.fullmatch(origin):
            return False
        for before, after in wildcards:
            middle = origin[len(before) : len(origin) - len(after)]
            if origin.startswith(before) and origin.endswith(after) and _SUBDOMAINS.fullmatch(middle):
                return True
        return any(pattern.is_all(origin) for pattern in patterns)

    return is_allowed


def _list_line(name: bytes, values: tuple[str, ...]) -> bytes:
    return b"%b: %b\r\n" % (name, ", ".join(values).encode())


def _allowed(name: bytes, values: tuple[str, ...], requested: bytes | None) -> bytes:
    """Return what is allowed: the list, or where that is `*` what is asked for.

    A browser takes no `*` together with credentials, and never for Authorization.
    """
    if "*" not in values:
        return _list_line(name, values) if values else b""
    if requested is None or not _NAMES.fullmatch(requested):
        return b""
    return b"%b: %b\r\n" % (name, requested)
