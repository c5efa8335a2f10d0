"""A router: what it matches, where that goes, and what happens on the way."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from kairos.config.findings import quote
from kairos.config.hosts import backend_target, canonical_pattern
from kairos.config.model.answers import Cors, SecurityHeaders
from kairos.config.model.balancing import BalanceFactor, HashOn, StickySessions, Strategy
from kairos.config.model.base import BY_SHAPE, NAMED, U32, WITH_SETTINGS, Block, Prefixed, Unsigned32, Within, refusal
from kairos.config.model.caching import RouteCache
from kairos.config.model.compression import Compression
from kairos.config.model.health import CheckPath, HealthCheck
from kairos.config.model.resilience import CircuitBreaker, Concurrency, OutlierDetection, Retry
from kairos.config.model.security import AccessList, Auth, RequestChecks
from kairos.config.model.timeouts import RouteTimeouts, Seconds
from kairos.config.model.traffic import RateLimit, RouteLimits
from kairos.config.model.transform import RequestTransformation, ResponseTransformation
from kairos.config.model.websocket import WebSocket

HTTP_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE")
FTP_METHODS = ("MKCOL", "MOVE")
WEB_SCHEMES = ("http", "https", "ws", "wss")
SCHEMES = {"http": WEB_SCHEMES, "websocket": WEB_SCHEMES, "ftp": (*WEB_SCHEMES, "ftp", "ftps", ""), "dns": ("dns", "")}
"""What a backend's host may start with, by protocol; the empty one is a bare name or address."""


def check_method(method: str) -> str:
    """Take an upper-case method that the gateway can route (RFC 9110 section 9.1: methods are case-sensitive)."""
    if method not in HTTP_METHODS and method not in FTP_METHODS:
        known = method.upper() in HTTP_METHODS
        raise refusal(
            f"Invalid HTTP method: {method}",
            f"write {quote(method.upper())}" if known else f"use one of {', '.join(HTTP_METHODS)}",
        )
    return method


def check_methods(methods: list[str]) -> list[str]:
    """Take at least one method."""
    if not methods:
        raise refusal("At least one HTTP method must be specified", 'write for example ["GET"]')
    return methods


def check_host_pattern(pattern: str) -> str:
    """Take an exact host name or a wildcard; return it in lower case, as ASCII (IDNA)."""
    try:
        return canonical_pattern(pattern)
    except ValueError:
        fix = 'write for example "example.com" or "*.example.com", without a port'
        if pattern == "*":
            fix = "leave hosts out to match all"
        raise refusal(f"Invalid host: {pattern}", fix) from None


def check_external_path(path: str) -> str:
    """Take a pattern for the path alone."""
    if "?" in path or "#" in path:
        raise refusal("External path must not contain '?' or '#'", "match the path only; a client's query is kept")
    return path


def check_backend_host(host: str) -> str:
    """Take `scheme://name`, or a bare name; which scheme fits is a question of the router's protocol."""
    try:
        backend_target(host)
    except ValueError:
        raise refusal(
            f"Backend host must start with http://, https://, ws://, or wss://: {host}",
            'write "scheme://name" without port, path and user name, and the port into "port"',
        ) from None
    return host


def check_backends(backends: "list[Backend]") -> "list[Backend]":
    """Take at least one backend."""
    if not backends:
        fix = 'write for example [{"host": "http://127.0.0.1", "port": 8080}]'
        raise refusal("At least one backend must be specified", fix)
    return backends


def check_server_name(name: str) -> str:
    """Take the name or address in a certificate; return it as the backends' hosts are written."""
    try:
        target = backend_target(name)
    except ValueError:
        target = None
    if target is None or target.scheme:
        raise refusal(f"Not a server name: {name}", 'write a name such as "backend.example", without scheme and port')
    return target.host


class BackendTls(Block):
    """How the certificate of a backend is checked, and which one it is shown."""

    verify: bool = True
    """Whether it is checked at all. Without, anybody on the way can pass for the backend."""
    ca_file: Annotated[str, Field(min_length=1)] | None = None
    """The authorities that may have signed it, as PEM, relative to the config file; null takes those of the system."""
    server_name: Annotated[str, AfterValidator(check_server_name)] | None = None
    """The name to ask for (SNI) and to find in the certificate; null takes the host."""
    client_cert: Annotated[str, Field(min_length=1)] | None = None
    """The certificate to show to the backend if it asks for one, with those in between, as PEM, relative to the config
    file."""
    client_key: Annotated[str, Field(min_length=1)] | None = None
    """The private key of `client_cert`, as PEM and without a passphrase; null looks for it in the same file."""
    min_version: Literal["1.2", "1.3"] = "1.2"
    """The oldest version of TLS that is spoken with the backend."""


class Backend(Block):
    """One address that serves a route."""

    host: Annotated[str, AfterValidator(check_backend_host)]
    """`http://name`, `https://name`, `ws://name` or `wss://name`, without a port. FTP also takes `ftp://`, `ftps://`
    and a bare name; DNS takes `dns://` and a bare name."""
    port: Annotated[int, Within(1, 65535, "Backend port must be between 1 and 65535")]
    """The port."""
    weight: Annotated[int, Within(1, U32, "Backend weight must be greater than 0")] = 1
    """The share of the requests that it gets relative to the others, where the strategy is `weighted`, `least_request`,
    `peak_ewma` or `consistent_hash`. With `weighted` it is exact up to a sum of 1,024, and beyond that rounded to
    1,024ths; every backend has some."""
    tls: BackendTls | None = None
    """How the certificate is checked, for `https://` and `wss://`; null checks it against the system's authorities."""
    send_proxy_protocol: Literal["v1", "v2"] | None = None
    """Begin each connection to the backend with a PROXY protocol header of this version, which tells the address of the
    client. Such a connection serves only that client's connection. null sends none."""
    state: Literal["active", "drain", "maintenance"] = "active"
    """Whether the backend takes requests. In `drain` and `maintenance` it takes no new ones, and those that run finish;
    in `maintenance` it is not checked either."""
    health_check_path: CheckPath | None = None
    """The path that tells whether the backend is well; it is asked for as the route's `health_check` says."""


class ContentAnalysis(Block):
    """Let a language model choose by what the request contains."""

    model: str | None = None
    """The model; null takes the one of `ai`."""


class ContentAnalysisStrategy(Block):
    """The strategy that has settings."""

    content_analysis: ContentAnalysis
    """How the request is looked at."""


AiStrategy = Annotated[
    Annotated[Literal["latency_prediction", "anomaly_detection"], NAMED]
    | Annotated[ContentAnalysisStrategy, WITH_SETTINGS],
    BY_SHAPE,
]


class AiPolicy(Block):
    """Let a language model choose the backend."""

    enabled: bool
    """Whether the policy is used."""
    strategy: AiStrategy
    """`{"content_analysis": {"model": ...}}`, `latency_prediction` or `anomaly_detection`."""
    provider: str | None = None
    """The provider; null takes the one of `ai`."""
    fallback_backend_index: Unsigned32 | None = None
    """The backend to take when there is no answer; null balances as usual."""


class Router(Block):
    """What to match, and where that goes."""

    external_path: Annotated[str, Prefixed("External path must start with '/'"), AfterValidator(check_external_path)]
    """The path that clients use; `{name}` matches within a segment, `{name...}` at the end matches the rest."""
    internal_path: Annotated[str, Prefixed("Internal path must start with '/'")]
    """The path that the backend gets, with the same parameters; a `?query` in it is merged with the client's."""
    methods: Annotated[list[Annotated[str, AfterValidator(check_method)]], AfterValidator(check_methods)]
    """What the route takes: GET, POST, PUT, DELETE, HEAD, OPTIONS, PATCH, TRACE; for FTP also MKCOL, MOVE."""
    hosts: list[Annotated[str, AfterValidator(check_host_pattern)]] = []
    """The host names that the route answers to, exact or as `*.example.com`; empty means all."""
    protocol: Literal["http", "websocket", "ftp", "dns"] = "http"
    """What the backends speak. A `websocket` route takes the handshakes of WebSockets and nothing else."""
    upgrade: bool = False
    """Whether requests of an `http` route may change to WebSocket, or to what else they ask for with `Upgrade`, but
    never to `h2c` or TLS. Without, they are answered as if they did not ask."""
    websocket: WebSocket | None = None
    """The limits of such connections; null takes those of the gateway."""
    backends: Annotated[list[Backend], AfterValidator(check_backends)] | None = None
    """The addresses that serve the route."""
    host: str | None = None
    """Short form for a single backend, together with `port`; used if `backends` is absent."""
    port: Annotated[int, Within(0, 65535, "Port must be between 1 and 65535")] | None = None
    """The port of the single backend."""
    load_balancing_strategy: Strategy = "round_robin"
    """How a backend is chosen; all workers count together. `round_robin`: in turn. `weighted`: in turn, in
    proportion to the weights. `least_connections`: the one with the fewest requests in progress; equal ones in turn.
    `least_request`: the same by weights, and of more than 8 backends the better of two that are drawn. `peak_ewma`: the
    one that has answered fastest of late, times its requests in progress. `random`: any. `ip_hash`: the same one for
    the same client address, while their number stays the same. `consistent_hash`: the same one for the same `hash_on`;
    where a backend comes or goes, only its share moves."""
    hash_on: HashOn = "client"
    """What `consistent_hash` goes by: `client` (the address), `path` (without the query), `{"header": name}` or
    `{"cookie": name}`. Requests without it are balanced in turn."""
    balance_factor: BalanceFactor = 1.25
    """How many times its share of the requests in progress a backend may have with `consistent_hash`; what is more goes
    to the next backend in the order of its key. At least 1; 0 means any number."""
    sticky: StickySessions | None = None
    """Lead a client back to the backend that it had, by a cookie; null does not."""
    preserve_host: bool = False
    """Whether backends get the `Host` that the client sent; otherwise it is their own."""
    limits: RouteLimits | None = None
    """How large requests may be, where it differs from the gateway."""
    timeouts: RouteTimeouts | None = None
    """How long each phase may take, where it differs from the gateway."""
    trailing_slash: Literal["strict", "ignore"] = "strict"
    """Whether `/path` and `/path/` are different paths."""
    empty_segments: Literal["collapse", "refuse"] = "collapse"
    """What becomes of `//` in a path: one slash, or the answer 400."""
    auth_required: bool = False
    """Whether a valid token is needed, for every method and path that reaches the route; else 401."""
    auth: Auth | None = None
    """Which credentials are needed and which rights they must give; this makes authentication required. Null accepts
    any token that `jwt` accepts."""
    retry: Retry | None = None
    """How a failed attempt is made again; null means never."""
    circuit_breaker: CircuitBreaker | None = None
    """When a backend that keeps failing is left alone; null takes that of the gateway, which routes share. A block
    here looks only at the requests of this route."""
    outlier_detection: OutlierDetection | None = None
    """When a backend whose answers are errors is taken out; null takes that of the gateway."""
    concurrency: Concurrency | None = None
    """How much the route and its backends take at a time; null is any number."""
    health_check: HealthCheck | None = None
    """How backends are asked whether they are well; null asks those that have a `health_check_path`."""
    slow_start_seconds: Seconds = 0.0
    """How long it takes until a backend that is up again gets its full share; 0 gives it at once."""
    rate_limit: RateLimit | None = None
    """How many requests are let through, besides the limit of the gateway: both have to agree."""
    access_list: AccessList | None = None
    """Which client addresses may use the route, of those that may use the gateway."""
    request_checks: RequestChecks | None = None
    """Which programs may not ask, and which types a body may have, where that differs from the gateway."""
    cors: Cors | None = None
    """Which pages of other origins may call; null takes what the gateway has."""
    security_headers: SecurityHeaders | None = None
    """Headers that tell browsers what a page may do, where they differ from the gateway's."""
    compression: Compression | None = None
    """Which answers are compressed; null takes what the gateway has."""
    request_transformation: RequestTransformation | None = None
    """Changes to the request."""
    response_transformation: ResponseTransformation | None = None
    """Changes to the response."""
    cache: RouteCache | None = None
    """Store answers, so that later requests need no backend; null stores none."""
    ai_policy: AiPolicy | None = None
    """Let a language model choose the backend."""

    def changes_protocols(self) -> bool:
        """Say whether requests may become something else than HTTP."""
        return self.protocol == "websocket" or (self.protocol == "http" and self.upgrade)

    def upstream(self) -> list[Backend]:
        """Return the backends, in whichever form they were given; the catalogue sees to it that there is one."""
        if self.backends is not None:
            return self.backends
        return [Backend.model_construct(host=self.host or "", port=self.port or 0)]
