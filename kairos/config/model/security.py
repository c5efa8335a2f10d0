"""Who may: tokens, access lists, origins."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from kairos.config.model.base import Block, SigningSecret, refusal


class Jwt(Block):
    """How bearer tokens are verified on routes with `auth_required`."""

    secret: SigningSecret
    """The key of the signatures, at least 32 bytes."""
    algorithm: Literal["HS256"] = "HS256"
    """The signature algorithm."""
    issuer: str | None = None
    """The `iss` claim that a token must have."""
    audience: str | None = None
    """The `aud` claim that a token must have."""
    required_claims: list[str] = []
    """Claims that must be present."""


def check_network(text: str) -> str:
    """Take an address or a network in CIDR notation; return it in its shortest form."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as exc:
        fix = 'write for example "10.0.0.0/8" or "2001:db8::/32"'
        raise refusal(f"Not an address or network: {exc}", fix) from None


Network = Annotated[str, AfterValidator(check_network)]


class AccessList(Block):
    """Which client addresses may come in. `deny` wins over `allow`, whatever the lengths of the prefixes.

    The list of the gateway and that of a route have to agree, so a route can only keep out more. Behind trusted
    proxies the address is that of the client for whom they speak. IPv4 addresses in IPv6 (`::ffff:192.0.2.1`) are IPv4
    addresses: `0.0.0.0/0` is all of these, `::/0` all others. Who is kept out gets 403. The built-in endpoints answer
    everybody.
    """

    allow: list[Network] = []
    """Networks that may come in, and nobody else; empty means all."""
    deny: list[Network] = []
    """Networks that may not, even if they are part of one that may."""


MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/(?:\*|[a-z0-9!#$&^_.+-]+)", re.IGNORECASE)  # RFC 6838 section 4.2


def check_media_type(text: str) -> str:
    """Take a type, or all types of a family; return it in lower case."""
    if not MEDIA_TYPE.fullmatch(text):
        raise refusal(f"Not a media type: {text}", 'write for example "application/json" or "text/*"')
    return text.lower()


class RequestChecks(Block):
    """What a request may say of itself. Who wants to pass can lie, so this keeps out noise, not attackers."""

    blocked_user_agents: list[Annotated[str, Field(min_length=1)]] | None = None
    """Parts of the `User-Agent` of programs that get 403, in upper or lower case, such as `sqlmap`, `nikto`, `nmap`,
    `masscan`, `burp`; null takes what the gateway has."""
    allowed_content_types: list[Annotated[str, AfterValidator(check_media_type)]] | None = None
    """The types that a request body may have, such as `application/json` or `text/*`; others, and a body without a
    type, get 415. Empty means any; null takes what the gateway has."""
