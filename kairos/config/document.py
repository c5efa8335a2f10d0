"""The normalised config: all that workers know of what the operator asked for.

On the wire a document is JSON lines: the settings first, then one line per route. A worker can so decode it in slices,
and a route whose line did not change need not be built again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import orjson

from kairos.config.credentials import ApiKeys, Auth, BasicAuth, Jwt
from kairos.config.listening import Listener
from kairos.config.policies import AccessList, Cache, Compression, Cors, RequestChecks, WebSocket
from kairos.config.transformations import Transformation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tls:
    """How a backend's certificate is checked, and which one it is shown; two that differ share no connection."""

    verify: bool = True
    ca_file: str | None = None
    """An absolute path; None takes the authorities of the system."""
    ca_digest: str = ""
    """Of the file's content, so that a new file under an old name makes a new document."""
    server_name: str | None = None
    """The name to ask for and to check; None takes the host of the backend."""
    client_cert: str | None = None
    """An absolute path; None shows no certificate."""
    client_key: str | None = None
    """An absolute path, if there is a certificate."""
    client_digest: str = ""
    """Of the contents of both files."""
    min_version: str = "1.2"


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a request may be, and how many there may be at a time in one worker."""

    body_bytes: int = 10 << 20
    head_bytes: int = 32 << 10
    fields: int = 100
    target_bytes: int = 8 << 10
    requests: int = 16_384
    response_head_bytes: int = 32 << 10
    connections: int = 0
    """From clients, in one worker; 0 is any number."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How many seconds each phase may take; 0 is without end. `rate` is in bytes per second."""

    request_head: float = 15.0
    client_idle: float = 75.0
    body_stall: float = 60.0
    rate: int = 128
    connect: float = 3.0
    tls_handshake: float = 10.0
    response_head: float = 30.0
    exchange: float = 60.0
    response_stall: float = 60.0
    upstream_idle: float = 4.0
    """For a backend of which nothing is known; see `upstream_idle_most`."""
    upstream_life: float = 3600.0
    upstream_requests: int = 10_000
    upstream_idle_most: float = 300.0
    """For a backend that is known to keep connections that long."""
    learn_keep_alive: bool = True


@dataclass(frozen=True, slots=True)
class Discovery:
    """How the host names of backends are resolved. Durations are seconds."""

    resolver: tuple[str, ...] = ()
    """The name servers, as `address:port`, IPv6 in brackets; none stands for those of the system."""
    min_ttl: float = 1.0
    max_ttl: float = 60.0
    ipv: str = "any"
    """The family of addresses: `4`, `6` or `any`."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How a failed attempt is made again. Pauses are in seconds."""

    retries: int = 3
    initial: float = 0.1
    longest: float = 5.0
    multiplier: float = 2.0
    jitter: bool = True
    statuses: tuple[int, ...] = (502, 503, 504)
    on_lost: bool = True
    """Whether a request may be sent again that was sent, but not answered."""
    any_method: bool = False
    budget_percent: int = 20


@dataclass(frozen=True, slots=True)
class Breaker:
    """When a backend that keeps failing is left alone, for `seconds`."""

    failures: int = 5
    successes: int = 3
    seconds: float = 30.0
    statuses: tuple[int, ...] = ()
    minimum: int = 0
    is_own: bool = False
    """Whether it looks at the requests of one route only."""


@dataclass(frozen=True, slots=True)
class Outlier:
    """When a backend whose answers are errors is taken out. Durations are seconds."""

    errors: int = 5
    base: float = 30.0
    longest: float = 300.0


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How much may be in progress at a time; 0 is any number."""

    requests: int = 0
    backend_requests: int = 0
    backend_connections: int = 0
    queue: int = 0
    queue_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit on requests. Limits with the same `group` count together or not at all."""

    strategy: str
    requests: int
    seconds: int
    burst: int = 0
    window: str = "SlidingWindow"
    header: str = ""
    group: int = 0
    is_global: bool = False
    """Whether it is that of the gateway, which all routes share."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How a backend is asked whether it is well. Durations are seconds."""

    path: str = "/"
    interval: float = 5.0
    timeout: float = 2.0
    unhealthy_threshold: int = 3
    healthy_threshold: int = 2
    statuses: tuple[tuple[int, int], ...] = ((200, 399),)
    """The lowest and the highest of each range that is expected."""
    body: str | None = None
    """What has to be in the first 64 KiB of the body."""
    tcp_only: bool = False
    """Whether it is enough to connect."""
    host: str | None = None
    """The Host field; None takes the address of the backend."""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CacheStore:
    """How much memory stored answers may take: on the node, and in each worker besides."""

    max_bytes: int = 256 << 20
    memory_bytes: int = 32 << 20
    directory: str | None = None
    """None takes memory."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One address that serves a route. `host` is a name or an address without brackets."""

    scheme: str
    host: str
    port: int
    weight: int = 1
    tls: Tls | None = None
    state: str = "active"
    """`drain` and `maintenance` take no new requests."""
    health_check: HealthCheck | None = None
    send_proxy_protocol: str | None = None
    """The version of the header, `v1` or `v2`, with which connections begin."""
    address: str = ""
    """Where the host of that name is, once this has been looked up; a document leaves it empty."""

    @property
    def authority(self) -> str:
        """The value of a Host field for this backend (RFC 9110 section 7.2): the default port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default_port = {"http": 80, "ws": 80, "https": 443, "wss": 443}.get(self.scheme)
        return host if self.port == default_port else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HashOn:
    """By what a consistent hash places a request, and how many times its share a backend may have in flight."""

    kind: str = "client"
    """`client`, `header`, `cookie` or `path`."""
    name: str = ""
    """Of the header field or of the cookie."""
    factor: float = 1.25
    """At least 1; 0 is without a bound."""


@dataclass(frozen=True, slots=True)
class Sticky:
    """The cookie that leads clients back to their backend."""

    cookie: str = "kairos_backend"
    ttl: int | None = None
    """Seconds; None is until the browser's session ends."""
    key: str | None = field(default=None, repr=False)
    """The key of the signatures in hex, derived from a secret that stays in the config; None takes one that holds until
    the gateway is started again."""


@dataclass(frozen=True, slots=True)
class Route:
    """One router of the config: what it matches and where that goes."""

    external_path: str
    internal_path: str
    methods: tuple[str, ...]
    backends: tuple[Backend, ...]
    hosts: tuple[str, ...] = ()
    protocol: str = "http"
    auth_required: bool = False
    trailing_slash: str = "strict"
    empty_segments: str = "collapse"
    strategy: str = "round_robin"
    hash_on: HashOn | None = None
    sticky: Sticky | None = None
    preserve_host: bool = False
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    retry: Retry | None = None
    breaker: Breaker | None = Breaker()
    outlier: Outlier | None = Outlier()
    concurrency: Concurrency = Concurrency()
    auth: Auth | None = None
    """What `auth_required` asks for."""
    rate_limits: tuple[RateLimit, ...] = ()
    """Those of the gateway first."""
    slow_start: float = 0.0
    """The seconds in which a backend that has come back gets its full share; 0 is at once."""
    access_lists: tuple[AccessList, ...] = ()
    """All of which an address has to pass."""
    checks: RequestChecks | None = None
    cors: Cors | None = None
    """None leaves CORS to the backend."""
    security_headers: tuple[tuple[str, str | None], ...] = ()
    """Names with values; None for a header that is taken away."""
    compression: Compression | None = None
    request_change: Transformation | None = None
    response_change: Transformation | None = None
    cache: Cache | None = None
    websocket: WebSocket | None = None
    """None where no request may change protocols."""

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """Make a route from its line of a document."""
        fields = orjson.loads(line)
        fields["backends"] = tuple(map(_backend, fields["backends"]))
        fields["limits"] = Limits(**fields["limits"])
        fields["timeouts"] = Timeouts(**fields["timeouts"])
        fields["methods"] = tuple(fields["methods"])
        fields["hosts"] = tuple(fields["hosts"])
        fields["concurrency"] = Concurrency(**fields["concurrency"])
        fields["rate_limits"] = tuple(RateLimit(**limit) for limit in fields["rate_limits"])
        fields["access_lists"] = tuple(map(AccessList.decode, fields["access_lists"]))
        fields["security_headers"] = tuple(map(tuple, fields["security_headers"]))
        for name in ("request_change", "response_change"):
            fields[name] = Transformation.decode(fields[name])
        for name, block in BLOCKS:
            fields[name] = _block(block, fields[name])
        fields["auth"] = None if fields["auth"] is None else Auth.decode(fields["auth"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for the gateway as a whole. Durations are seconds, sizes are bytes."""

    listeners: tuple[Listener, ...] = (Listener(),)
    """At least one, in the order of the file."""
    workers: int = 0
    log_level: str = "info"
    access_log: str | None = None
    builtin_prefix: str | None = ""
    config_version: int = 1
    trusted_proxies: tuple[str, ...] = ()
    """Networks whose forwarded fields are believed, in CIDR notation; `unix:` is for peers without an address."""
    via: str | None = None
    """The name to enter into Via; None leaves the field out."""
    forwarded: bool = False
    """Whether backends get the Forwarded field too (RFC 7239)."""
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    jwt: Jwt | None = None
    api_keys: ApiKeys | None = None
    basic_auth: BasicAuth | None = None
    rate_limit_bytes: int = 64 << 20
    """The memory of the rate limits, from the start of the gateway on."""
    discovery: Discovery = Discovery()
    security_headers: tuple[tuple[str, str | None], ...] = ()
    """What answers have for which there is no route."""
    cors: Cors | None = None
    cache: CacheStore = CacheStore()

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """Make the settings from their line of a document."""
        fields = orjson.loads(line)
        fields["listeners"] = tuple(map(Listener.decode, fields["listeners"]))
        fields["discovery"] = _discovery(fields["discovery"])
        fields["cors"] = _block(Cors, fields["cors"])
        fields["trusted_proxies"] = tuple(fields["trusted_proxies"])
        fields["security_headers"] = tuple(map(tuple, fields["security_headers"]))
        fields["cache"] = CacheStore(**fields["cache"])
        fields["limits"] = Limits(**fields["limits"])
        fields["timeouts"] = Timeouts(**fields["timeouts"])
        for name, block in (("jwt", Jwt), ("api_keys", ApiKeys), ("basic_auth", BasicAuth)):
            fields[name] = None if fields[name] is None else block.decode(fields[name])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Document:
    """A whole validated config."""

    settings: Settings
    routes: tuple[Route, ...]

    def encode(self) -> bytes:
        """Write the document as JSON lines."""
        return encode_lines((self.settings, *self.routes))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote."""
        settings, *routes = data.splitlines()
        return cls(Settings.decode(settings), tuple(Route.decode(line) for line in routes))


BLOCKS: tuple[tuple[str, type[Any]], ...] = (
    ("hash_on", HashOn),
    ("sticky", Sticky),
    ("retry", Retry),
    ("breaker", Breaker),
    ("outlier", Outlier),
    ("checks", RequestChecks),
    ("cors", Cors),
    ("cache", Cache),
    ("compression", Compression),
    ("websocket", WebSocket),
)
"""The blocks of a route that may be absent."""


def _discovery(fields: dict[str, Any]) -> Discovery:
    return Discovery(**{**fields, "resolver": tuple(fields["resolver"])})


def _backend(fields: dict[str, Any]) -> Backend:
    if fields["tls"] is not None:
        fields["tls"] = Tls(**fields["tls"])
    if fields["health_check"] is not None:
        fields["health_check"] = _health_check(fields["health_check"])
    return Backend(**fields)


def _health_check(fields: dict[str, Any]) -> HealthCheck:
    for name in ("statuses", "headers"):
        fields[name] = tuple(map(tuple, fields[name]))
    return HealthCheck(**fields)


def _block(kind: type[T], fields: dict[str, Any] | None) -> T | None:
    """Make a block that may be absent; its lists are tuples."""
    if fields is None:
        return None
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})


def encode_lines(values: Iterable[Any]) -> bytes:
    """Write each value as one line of JSON."""
    return b"".join(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) for value in values)
