"""Who may: tokens, access lists, origins."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from kairos.config.model.base import Block, SigningSecret, refusal
from kairos.config.model.credentials import (
    Algorithms,
    Digest,
    FieldName,
    Moment,
    PasswordHash,
    PlainName,
    PublicPem,
    RequiredClaims,
    Text,
    Texts,
    Url,
    UserName,
    check_realm,
)


class PublicKey(Block):
    """A key that signatures are checked with."""

    key: PublicPem
    """The key or a certificate as PEM, or `{"file": "path"}` of one."""
    kid: Text | None = None
    """The name that tokens call it by. A token that names another key is not for this one; null is for all names."""


class Jwks(Block):
    """A set of public keys that is published (RFC 7517), so that keys can change without a change here."""

    url: Url | None = None
    """Where it is published."""
    file: Text | None = None
    """A file with it, relative to the config file, instead of `url`."""
    refresh_seconds: Annotated[float, Field(ge=30, le=86_400)] = 600.0
    """How often it is read again. It is also read again, at most once in 30 seconds, when a token names a key that is
    not in it. While it cannot be read, the last one holds for a day; while there is none, tokens get 503."""
    ca_file: Text | None = None
    """The authorities that may have signed the certificate of `url`, as PEM, relative to the config file; null takes
    those of the system."""


class Jwt(Block):
    """How bearer tokens are verified on routes that need one. A token needs `exp`; `nbf` and `iat` are checked too."""

    secret: SigningSecret | None = None
    """The key of signatures with HS256, HS384 and HS512: at least 32, 48 or 64 bytes."""
    public_keys: list[PublicKey] = []
    """The keys of the other signatures."""
    jwks: Jwks | None = None
    """A set of keys that is published."""
    algorithms: Algorithms = []
    """The signature algorithms that are accepted; empty means HS256, and only where `secret` is the only key."""
    issuer: Texts | None = None
    """The `iss` that a token must have, or an array of those it may have; null accepts any."""
    audience: Texts | None = None
    """The `aud` that a token must be for, or an array of which one is enough; null accepts any."""
    leeway_seconds: Annotated[float, Field(ge=0, le=600)] = 60.0
    """How wrong clocks may go."""
    required_claims: RequiredClaims = []
    """Claims that must be present; as an object also their values: `{"tenant": "acme", "level": [2, 3], "sub": null}`.
    Of several values one is enough, and so it is where the claim is an array. The name of an inner claim is a JSON
    pointer, `/realm/name`."""
    cookie: PlainName | None = None
    """The cookie that a token may also come in."""
    query_parameter: PlainName | None = None
    """The query parameter that a token may also come in; such tokens end up in histories and in the logs of others."""
    scopes_claim: Text | None = None
    """The claim with the scopes, as an array or with spaces between them; null looks for `scope`, then `scp`."""
    roles_claim: Text = "roles"
    """The claim with the roles; a JSON pointer for an inner one, such as `/realm_access/roles`."""
    forward_claims: dict[Text, FieldName] = {}
    """Claims to tell backends, each with the header to do it in: `{"sub": "X-User-Id"}`. Copies of these headers that
    clients send are removed on all routes. Texts go as they are, and what is no plain text as JSON."""


class ApiKey(Block):
    """A key of which only the hash is kept."""

    name: Text
    """Whose key it is; this is the user for rate limits and logs."""
    sha256: Digest
    """The SHA-256 of the key, in hex. The key itself must be random: `openssl rand -hex 32`."""
    expires: Moment | None = None
    """When it ends, as `2030-12-31T23:59:59Z`; null is never."""
    scopes: list[Text] = []
    """The scopes of who has it."""
    roles: list[Text] = []
    """The roles of who has it."""


class ApiKeys(Block):
    """The API keys that routes can ask for."""

    keys: list[ApiKey]
    """The keys."""
    header: FieldName = "X-API-Key"
    """The header that a key comes in."""
    query_parameter: PlainName | None = None
    """The query parameter that it may also come in; such keys end up in histories and in the logs of others."""


class User(Block):
    """Somebody with a password."""

    name: UserName
    """The name."""
    password: PasswordHash
    """The hash of the password, `$scrypt$ln=15,r=8,p=3$<salt>$<hash>`; `kairos hash-password` makes one."""
    scopes: list[Text] = []
    """The scopes of the user."""
    roles: list[Text] = []
    """The roles of the user."""


class BasicAuth(Block):
    """HTTP basic authentication (RFC 7617). Checking a password takes long on purpose: successes are remembered."""

    users: list[User]
    """Who may come."""
    realm: Annotated[str, AfterValidator(check_realm)] = "kairos"
    """What a browser shows where it asks for the password."""


class Auth(Block):
    """What a route asks of who comes."""

    schemes: Annotated[list[Literal["jwt", "api_key", "basic"]], Field(min_length=1)] = ["jwt"]
    """Which credentials are accepted: `jwt`, `api_key`, `basic`; one of them is enough."""
    scopes: list[Text] = []
    """Scopes that are needed, all of them; else 403."""
    roles: list[Text] = []
    """Roles of which one is needed; else 403."""
    required_claims: RequiredClaims = []
    """Claims that are needed besides those of `jwt`, written in the same way; else 403."""


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
