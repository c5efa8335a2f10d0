"""The part of the document that tells who may pass: what workers read of tokens, API keys and passwords."""

from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key to check signatures with, as PEM; one with a `kid` is for tokens that name it, or name none."""

    pem: str
    kid: str | None = None


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where a set of keys comes from, by URL or from a file, and how often it is read again."""

    url: str | None = None
    path: str | None = None
    """An absolute path."""
    seconds: float = 600.0
    ca_file: str | None = None
    """An absolute path; None takes the authorities of the system."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim that a token must have, with one of these values; without values any will do."""

    name: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Jwt:
    """How tokens are verified. `leeway` is in seconds."""

    algorithms: tuple[str, ...]
    secret: str | None = field(default=None, repr=False)
    public_keys: tuple[PublicKey, ...] = ()
    key_source: KeySource | None = None
    key_set: str | None = None
    """The content of the file that `key_source` names, when the config was read."""
    issuers: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    leeway: float = 60.0
    required: tuple[Claim, ...] = ()
    cookie: str | None = None
    query: str | None = None
    scopes_claim: str | None = None
    roles_claim: str = "roles"
    forwarded: tuple[tuple[str, str], ...] = ()
    """Claims, each with the header field that tells it to backends."""

    @classmethod
    def decode(cls, fields: dict[str, Any]) -> Self:
        """Make it from JSON."""
        fields["public_keys"] = tuple(PublicKey(**key) for key in fields["public_keys"])
        source = fields["key_source"]
        fields["key_source"] = None if source is None else KeySource(**source)
        fields["required"] = claims(fields["required"])
        fields["forwarded"] = tuple(map(tuple, fields["forwarded"]))
        return cls(**_tuples(fields))


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key by its SHA-256 in hex. `expires` is in Unix seconds."""

    name: str
    sha256: str = field(repr=False)
    expires: float | None = None
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """The API keys, and where a request carries one."""

    keys: tuple[ApiKey, ...]
    header: str = "x-api-key"
    query: str | None = None

    @classmethod
    def decode(cls, fields: dict[str, Any]) -> Self:
        """Make it from JSON."""
        return cls(tuple(ApiKey(**_tuples(key)) for key in fields["keys"]), fields["header"], fields["query"])


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a password, which is kept as a hash of scrypt."""

    name: str
    password: str = field(repr=False)
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """Who may come with name and password."""

    users: tuple[User, ...]
    realm: str = "kairos"

    @classmethod
    def decode(cls, fields: dict[str, Any]) -> Self:
        """Make it from JSON."""
        return cls(tuple(User(**_tuples(user)) for user in fields["users"]), fields["realm"])


@dataclass(frozen=True, slots=True)
class Auth:
    """What a route asks of who comes: one of the schemes, all of the scopes, one of the roles, all of the claims."""

    schemes: tuple[str, ...] = ("jwt",)
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    required: tuple[Claim, ...] = ()

    @classmethod
    def decode(cls, fields: dict[str, Any]) -> Self:
        """Make it from JSON."""
        fields["required"] = claims(fields["required"])
        return cls(**_tuples(fields))


def claims(found: list[dict[str, Any]]) -> tuple[Claim, ...]:
    """Make claims from JSON."""
    return tuple(Claim(claim["name"], tuple(claim["values"])) for claim in found)


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
