"""What workers read of who may pass, from the blocks of the config."""

from datetime import datetime
from typing import Any

from kairos.config import credentials
from kairos.config.authentication import algorithms
from kairos.config.authorities import Authorities
from kairos.config.key_sets import KeySets
from kairos.config.model.router import Router
from kairos.config.model.security import ApiKeys, BasicAuth, Jwks, Jwt


def jwt(block: Jwt | None, key_sets: KeySets, authorities: Authorities) -> credentials.Jwt | None:
    """Return how tokens are verified; None if they are not."""
    if block is None:
        return None
    jwks = block.jwks
    key_set = key_sets.of(jwks.file) if jwks is not None and jwks.file is not None else None
    return credentials.Jwt(
        algorithms=algorithms(block),
        secret=block.secret.get_secret_value() if block.secret is not None else None,
        public_keys=tuple(credentials.PublicKey(key.key, key.kid) for key in block.public_keys),
        key_source=source(jwks, key_set.path if key_set else None, authorities) if jwks is not None else None,
        key_set=key_set.content if key_set else None,
        issuers=several(block.issuer),
        audiences=several(block.audience),
        leeway=block.leeway_seconds,
        required=claims(block.required_claims),
        cookie=block.cookie,
        query=block.query_parameter,
        scopes_claim=block.scopes_claim,
        roles_claim=block.roles_claim,
        forwarded=tuple(block.forward_claims.items()),
    )


def source(block: Jwks, path: str | None, authorities: Authorities) -> credentials.KeySource:
    """Return where keys come from."""
    ca_file = authorities.of(block.ca_file).path if block.ca_file is not None else None
    return credentials.KeySource(block.url, path, block.refresh_seconds, ca_file)


def api_keys(block: ApiKeys | None) -> credentials.ApiKeys | None:
    """Return the API keys."""
    if block is None:
        return None
    keys = tuple(
        credentials.ApiKey(
            name=key.name,
            sha256=key.sha256,
            expires=datetime.fromisoformat(key.expires).timestamp() if key.expires is not None else None,
            scopes=tuple(key.scopes),
            roles=tuple(key.roles),
        )
        for key in block.keys
    )
    return credentials.ApiKeys(keys, block.header.lower(), block.query_parameter)


def basic_auth(block: BasicAuth | None) -> credentials.BasicAuth | None:
    """Return the users with passwords."""
    if block is None:
        return None
    users = tuple(
        credentials.User(user.name, user.password.get_secret_value(), tuple(user.scopes), tuple(user.roles))
        for user in block.users
    )
    return credentials.BasicAuth(users, block.realm)


def auth(router: Router) -> credentials.Auth | None:
    """Return what a route asks for; None if anybody may pass."""
    block = router.auth
    if block is None:
        return credentials.Auth() if router.auth_required else None
    return credentials.Auth(
        schemes=tuple(dict.fromkeys(block.schemes)),
        scopes=tuple(dict.fromkeys(block.scopes)),
        roles=tuple(dict.fromkeys(block.roles)),
        required=claims(block.required_claims),
    )


def several(value: str | list[str] | None) -> tuple[str, ...]:
    """Return what was written alone or in an array."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))


def claims(found: list[str] | dict[str, Any]) -> tuple[credentials.Claim, ...]:
    """Return required claims, in either form."""
    if isinstance(found, list):
        return tuple(credentials.Claim(name) for name in dict.fromkeys(found))
    return tuple(credentials.Claim(name, values(value)) for name, value in found.items())


def values(value: Any) -> tuple[Any, ...]:
    """Return the values that a claim may have; none means any."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)
