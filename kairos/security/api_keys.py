"""Authentication by an API key: a random text of which the gateway knows only the hash."""

from hashlib import sha256

from kairos._speedups import FieldSet
from kairos.config.credentials import ApiKey, ApiKeys
from kairos.errors import KairosError
from kairos.filters import Asked, Identity
from kairos.security.grant import Grant
from kairos.security.places import parameter
from kairos.security.refusals import REALM, Unauthenticated, challenge_line


class ApiKeyCheck:
    """Find the key of a request, and tell whose it is.

    What is compared are SHA-256 digests, and nobody can choose one of these: how long the look-up takes tells nothing
    about the keys.
    """

    __slots__ = ("_challenge", "_field", "_grants", "_query")

    def __init__(self, settings: ApiKeys) -> None:
        self._field = FieldSet((settings.header.encode(),))
        self._query = settings.query.encode() if settings.query else b""
        self._grants = {bytes.fromhex(key.sha256): (key.expires, granted(key)) for key in settings.keys}
        self._challenge = challenge_line(f'ApiKey realm="{REALM}", header="{settings.header}"')

    def take(self, asked: Asked, wall: float) -> Grant | None:
        """Return whose key the request carries; None if it carries none. Raises Unauthenticated for a bad one."""
        (key,) = self._field.values(asked.head.raw)
        if key is None and self._query:
            key = parameter(asked.head.target, self._query)
        if key is None:
            return None
        found = self._grants.get(sha256(key).digest())
        if found is None:
            raise Unauthenticated("Invalid or expired API key", reason="api_key_unknown")
        expires, grant = found
        if expires is not None and wall >= expires:
            raise Unauthenticated("Invalid or expired API key", reason="api_key_expired")
        return grant

    look = take

    def challenge(self, error: KairosError | None, scopes: str) -> bytes:
        """Return the line that tells how to authenticate."""
        return self._challenge


def granted(key: ApiKey) -> Grant:
    """Return what a key stands for."""
    return Grant(Identity(key.name, "api_key"), frozenset(key.scopes), frozenset(key.roles))
