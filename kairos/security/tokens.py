"""Verify bearer tokens (RFC 7519)."""

from collections.abc import Iterable
from typing import Protocol

from kairos.config.credentials import Jwt
from kairos.security.cache import Remembered
from kairos.security.claims import Rules
from kairos.security.compact import Malformed, Parts, decode, json_object, split
from kairos.security.grant import Grant
from kairos.security.keys import KeyRing, configured
from kairos.security.refusals import Unverifiable, bad_token


class Keys(Protocol):
    """Where a verifier finds keys. They may change."""

    version: int
    """Another number with every change."""
    ring: KeyRing | None
    """The keys; None while there are none yet."""

    def misses(self, kid: str | None) -> bool:
        """Say whether the key of this unknown name may be known soon, because keys are being fetched."""

    def wants(self, kid: str | None, now: float) -> None:
        """Ask for the keys to be fetched again because this name is not among them."""


class FixedKeys:
    """The keys of the config."""

    __slots__ = ("ring", "version")

    def __init__(self, ring: KeyRing) -> None:
        self.ring: KeyRing | None = ring
        self.version = 0

    def misses(self, kid: str | None) -> bool:
        """Nothing will be fetched."""
        return False

    def wants(self, kid: str | None, now: float) -> None:
        """Nothing can be done about it."""


class TokenVerifier:
    """Tell who comes with a token. What was verified is remembered until it ends, or the keys change."""

    __slots__ = ("_algorithms", "_keys", "_remembered", "_rules", "_version")

    def __init__(self, keys: Keys, rules: Rules, algorithms: Iterable[str]) -> None:
        self._algorithms = frozenset(algorithms)
        self._keys = keys
        self._rules = rules
        self._remembered: Remembered[Grant] = Remembered()
        self._version = keys.version

    @classmethod
    def of(cls, settings: Jwt, keys: Keys | None = None) -> "TokenVerifier":
        """Make one from the config; `keys` are those that come from elsewhere."""
        return cls(keys or FixedKeys(KeyRing(configured(settings))), Rules.of(settings), settings.algorithms)

    def take(self, token: bytes, now: float, wall: float) -> Grant:
        """Return whose token this is. Raises Unauthenticated, or Unverifiable while there are no keys."""
        if self._version != self._keys.version:
            self._version = self._keys.version
            self._remembered.clear()
        known = self._remembered.get(token, wall)
        if known is not None:
            return known
        grant, until = self._verified(self._parts(token), wall, now)
        self._remembered.add(token, until, grant)
        return grant

    def look(self, token: bytes, wall: float) -> Grant:
        """Do the same, and change nothing."""
        return self._verified(self._parts(token), wall, None)[0]

    def _parts(self, token: bytes) -> Parts:
        try:
            return split(token)
        except Malformed:
            raise bad_token("token_malformed", "This is not a signed token") from None

    def _verified(self, parts: Parts, wall: float, now: float | None) -> tuple[Grant, float]:
        self._check_signature(parts, now)
        try:
            claims = json_object(decode(parts.payload))
        except Malformed:
            raise bad_token("token_malformed", "This is not a signed token") from None
        until = self._rules.check(claims, wall)
        return self._rules.grant(claims), until

    def _check_signature(self, parts: Parts, now: float | None) -> None:
        ring, header = self._keys.ring, parts.header
        if header.algorithm not in self._algorithms:
            raise bad_token("token_algorithm", "The algorithm of the signature is not accepted")
        if ring is None:
            if now is not None:
                self._keys.wants(None, now)
            raise _no_keys()
        is_known = False
        for key in ring.candidates(header.kid):
            if header.algorithm in key.algorithms:
                if key.verifies(header.algorithm, parts.signed, parts.signature):
                    return
                is_known = True
        if header.kid is None or not ring.knows(header.kid):
            if now is not None:
                self._keys.wants(header.kid, now)
            if self._keys.misses(header.kid):
                raise _no_keys()
        if not is_known:
            raise bad_token("token_key", "No key is known for the token")
        raise bad_token("token_signature", "The signature of the token is not good")


def _no_keys() -> Unverifiable:
    return Unverifiable("The keys to verify the token with are not available yet; try again", reason="keys_unavailable")
