"""What is stored of the answers of backends, and for how long."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

from typing import Annotated

from pydantic import AfterValidator, Field

from kairos.config.findings import quote
from kairos.config.model.answers import TOKEN
from kairos.config.model.base import Block, Unsigned64, refusal
from kairos.config.model.security import Network
from kairos.config.model.timeouts import Seconds

Status = Annotated[int, Field(ge=200, le=599)]


def check_vary_header(name: str) -> str:
    """Take the name of a header by which answers can be told apart; return it in lower case."""
    if not TOKEN.fullmatch(name) or name == "*":
        raise refusal(f"Not the name of a header: {quote(name)}", 'write a name such as "X-Device"')
    return name.lower()


def check_tags_header(name: str) -> str:
    """Take the name of a header; return it in lower case."""
    if not TOKEN.fullmatch(name):
        raise refusal(f"Not the name of a header: {quote(name)}", 'write a name such as "Cache-Tag" or "Surrogate-Key"')
    return name.lower()


class RouteCache(Block):
    """How answers of a route are stored, so that later requests need no backend (RFC 9111).

    What the backend says in `Cache-Control`, `Expires` and `Vary` holds; these settings are for what it leaves open.
    Answers with `Set-Cookie` and those to clients who have been authenticated are stored only if they say so.
    """

    default_ttl_seconds: Annotated[float, Field(gt=0)] | None = None
    """How long an answer is fresh that says nothing about it; null does not store such answers."""
    default_ttl_statuses: list[Status] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]
    """The statuses for which `default_ttl_seconds` holds."""
    max_ttl_seconds: Annotated[float, Field(gt=0)] | None = None
    """How long an answer is fresh at most, whatever it says; null is any time."""
    stale_while_revalidate_seconds: Seconds = 0.0
    """How long after that it may still be sent while the backend is asked for a new one in the background, if the
    answer does not say (RFC 5861)."""
    stale_if_error_seconds: Seconds = 0.0
    """How long after that it may be sent instead of an error: when no backend answers, or with 500, 502, 503 or 504; if
    the answer does not say."""
    max_body_bytes: Unsigned64 = 16 * 2**20
    """The longest body that is stored."""
    query_parameters: list[Annotated[str, Field(min_length=1)]] | None = None
    """The query parameters that tell answers apart; null takes the whole query as it is, an empty list none of it."""
    vary_headers: list[Annotated[str, AfterValidator(check_vary_header)]] = []
    """Request headers that tell answers apart, besides those that the backend names in `Vary`."""
    by_host: bool = True
    """Whether each host name has its own answers."""
    obey_client_cache_control: bool = False
    """Whether the `Cache-Control` of requests holds: `no-cache`, `no-store`, `max-age`, `max-stale`, `min-fresh` and
    `only-if-cached`. Then every client can make the gateway ask the backend."""
    tags_header: Annotated[str, AfterValidator(check_tags_header)] = "cache-tag"
    """The response header with the names by which answers can be purged, with commas or spaces between them. Clients
    do not get it."""
    purge_from: list[Network] = []
    """The networks whose `PURGE` requests make the gateway forget answers; empty is nobody."""


class Cache(Block):
    """Where the workers keep stored answers for each other."""

    max_bytes: Annotated[int, Field(ge=2**20, le=2**50)] = 256 * 2**20
    """How much all stored answers may take together; those that were not asked for the longest go first."""
    memory_bytes_per_worker: Annotated[int, Field(ge=0, le=2**40)] = 32 * 2**20
    """How much of it each worker also keeps in its own memory, for what is asked for most."""
    directory: Annotated[str, Field(min_length=1)] | None = None
    """The folder in which the gateway makes its own, as it was when the gateway started; null takes `/dev/shm`, which
    is memory. What is stored ends with the gateway."""
