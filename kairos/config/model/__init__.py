"""The strict shape of a config file, as pydantic models. Their docstrings are the reference."""

from typing import Annotated

from pydantic import Field

from kairos.config.model.answers import Cors, SecurityHeaders
from kairos.config.model.base import Block, Prefixed, SecretText
from kairos.config.model.caching import Cache
from kairos.config.model.compression import Compression
from kairos.config.model.discovery import Discovery
from kairos.config.model.resilience import CircuitBreaker, OutlierDetection
from kairos.config.model.router import Router
from kairos.config.model.security import AccessList, ApiKeys, BasicAuth, Jwt, RequestChecks
from kairos.config.model.server import BuiltinRoutes, Logging, Server
from kairos.config.model.timeouts import Timeouts
from kairos.config.model.traffic import Limits, RateLimit
from kairos.config.model.websocket import WebSocket


class Ai(Block):
    """The language model that may choose backends."""

    provider: str
    """The provider: openai, anthropic, cohere, perplexity, mistral, groq or xai."""
    model: str
    """The name of the model."""
    api_key: SecretText | None = None
    """The key; null takes the provider's environment variable."""


class Metrics(Block):
    """The Prometheus endpoint."""

    enabled: bool = True
    """Whether there is one."""
    path: Annotated[str, Prefixed("Metrics path must start with '/'")] = "/metrics"
    """Its path."""


class Config(Block):
    """The whole config file."""

    version: Annotated[int, Field(ge=0, le=255)]
    """The version of the file, for its owner; it is kept for the status, and never compared."""
    server: Server = Server()
    """The listener and the processes behind it."""
    logging: Logging = Logging()
    """What is logged, and where to."""
    builtin_routes: BuiltinRoutes = True
    """Whether the gateway itself answers `/health`, `/ready` and `/live`; a path like `/_kairos` moves them."""
    routers: list[Router]
    """What to match, and where that goes. The order does not matter."""
    jwt: Jwt | None = None
    """How bearer tokens are verified, for routes with `auth_required`."""
    api_keys: ApiKeys | None = None
    """The API keys that routes can ask for."""
    basic_auth: BasicAuth | None = None
    """The users with passwords that routes can ask for."""
    rate_limit: RateLimit | None = None
    """How many requests a client may send to the gateway as a whole; null means any number."""
    access_list: AccessList | None = None
    """Which client addresses may use the gateway's routes."""
    cors: Cors | None = None
    """Which pages of other origins may call; null leaves that to the backends."""
    request_checks: RequestChecks | None = None
    """Which programs may not ask, and which types a body may have."""
    security_headers: SecurityHeaders | None = None
    """Headers that tell browsers what a page may do; null leaves them to the backends."""
    compression: Compression | None = None
    """Which answers are compressed for clients that accept it; null compresses none."""
    limits: Limits | None = None
    """How large requests may be, and how many there may be at a time; null takes the defaults."""
    timeouts: Timeouts | None = None
    """How long each phase of a request may take; null takes the defaults."""
    websocket: WebSocket | None = None
    """The limits of WebSockets and other upgrades, for routes that have none of their own; null takes the defaults."""
    discovery: Discovery | None = None
    """How the host names of backends are resolved; null takes the defaults."""
    circuit_breaker: CircuitBreaker | None = None
    """When a backend that keeps failing is left alone; null takes the defaults."""
    outlier_detection: OutlierDetection | None = None
    """When a backend whose answers are errors is taken out; null takes the defaults."""
    cache: Cache | None = None
    """Where answers are kept that routes store; null takes the defaults."""
    metrics: Metrics | None = None
    """The Prometheus endpoint."""
    ai: Ai | None = None
    """The language model that may choose backends."""
