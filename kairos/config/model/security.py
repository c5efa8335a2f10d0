"""Who may: tokens, access lists, origins."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator

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
