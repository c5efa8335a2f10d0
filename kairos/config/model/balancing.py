"""How a backend is chosen."""

import re
from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from kairos.config.model.base import (
    BY_SHAPE,
    NAMED,
    U32,
    WITH_SETTINGS,
    Block,
    SecretText,
    check_signing_secret,
    refusal,
)

Strategy = Literal[
    "round_robin",
    "weighted",
    "least_connections",
    "least_request",
    "peak_ewma",
    "random",
    "ip_hash",
    "consistent_hash",
]
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def check_token(name: str) -> str:
    """Take the name of a header field or of a cookie (RFC 9110 section 5.6.2, RFC 6265 section 4.1.1)."""
    if not TOKEN.fullmatch(name):
        raise refusal(f"Not a name of a header or cookie: {name}", "use letters, digits, - and _")
    return name


Token = Annotated[str, AfterValidator(check_token)]


def check_hash_field(block: "HashField") -> "HashField":
    """Take one of the two."""
    if (block.header is None) == (block.cookie is None):
        raise refusal("hash_on names one header or one cookie", 'write for example {"header": "X-User"}')
    return block


class HashField(Block):
    """A part of the request that decides where it goes."""

    header: Token | None = None
    """The name of a header field."""
    cookie: Token | None = None
    """The name of a cookie."""


HashOn = Annotated[
    Annotated[Literal["client", "path"], NAMED] | Annotated[HashField, AfterValidator(check_hash_field), WITH_SETTINGS],
    BY_SHAPE,
]


def check_balance_factor(factor: float) -> float:
    """Take 0, or what leaves room for all requests."""
    if factor != 0 and factor < 1:
        raise refusal("balance_factor is 0 or at least 1", "write 1.25 for a quarter more, or 0 for no bound")
    return factor


BalanceFactor = Annotated[float, AfterValidator(check_balance_factor), Field(json_schema_extra={"minimum": 0})]


class StickySessions(Block):
    """A signed cookie that leads a client back to its backend while that is there and well.

    It is `HttpOnly; SameSite=Lax; Path=/`, and `Secure` for clients that use TLS. Backends see it too.
    """

    cookie: Token = "kairos_backend"
    """The name of the cookie. Routes of one host with different backends need different names."""
    ttl_seconds: Annotated[int, Field(ge=1, le=U32)] | None = None
    """How long the cookie lives, from when it is first given; null lets it end with the browser's session."""
    secret: Annotated[SecretText, AfterValidator(partial(check_signing_secret, whose="Sticky"))] | None = None
    """The key of the signatures, at least 32 bytes; null makes one at each start, so that clients are balanced anew."""
