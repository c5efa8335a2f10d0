"""The keys that signatures are checked with.

A key knows its algorithms, and a token can only choose among those that its key takes and the operator allows: a public
key is never used as a secret, and `none` is nobody's algorithm.
"""

import hmac
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from kairos.config.credentials import Jwt
from kairos.config.jwk import SetKey, read_set
from kairos.config.signatures import SECRET, PublicKey, fitting, read_pem

_DIGESTS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


class Key(Protocol):
    """Something that checks signatures."""

    kid: str | None
    algorithms: frozenset[str]

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Say whether a signature is good. The algorithm is one of this key's."""


class SecretKey:
    """A secret that who signs has too."""

    __slots__ = ("_secret", "algorithms", "kid")

    def __init__(self, secret: bytes, allowed: Sequence[str]) -> None:
        self._secret = secret
        self.algorithms = frozenset(fitting(SECRET, tuple(allowed)))
        self.kid: str | None = None

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Say whether a signature is good."""
        return hmac.compare_digest(hmac.digest(self._secret, signed, _DIGESTS[algorithm]), signature)


class VerifyingKey:
    """The public half of a pair."""

    __slots__ = ("_checks", "_key", "algorithms", "kid")

    def __init__(self, public: PublicKey, allowed: Sequence[str], kid: str | None = None) -> None:
        from jwt.algorithms import get_default_algorithms

        self._key = public.key
        self.algorithms = frozenset(fitting(public.kind, tuple(allowed)))
        known = get_default_algorithms()
        self._checks: dict[str, Any] = {name: known[name] for name in self.algorithms}
        self.kid = kid

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Say whether a signature is good."""
        return bool(self._checks[algorithm].verify(signed, self._key, signature))


class KeyRing:
    """Keys by their names. Those without a name are for every name."""

    __slots__ = ("_by_kid", "_nameless", "keys")

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = tuple(key for key in keys if key.algorithms)
        self._by_kid: defaultdict[str, list[Key]] = defaultdict(list)
        for key in self.keys:
            if key.kid is not None:
                self._by_kid[key.kid].append(key)
        self._nameless = [key for key in self.keys if key.kid is None]

    def candidates(self, kid: str | None) -> Sequence[Key]:
        """Return the keys that a token may be signed with which names this one."""
        if kid is None:
            return self.keys
        named = self._by_kid.get(kid)
        return self._nameless if named is None else [*named, *self._nameless]

    def knows(self, kid: str) -> bool:
        """Say whether there is a key of this name."""
        return kid in self._by_kid


def configured(settings: Jwt) -> list[Key]:
    """Return the keys that stand in the config."""
    keys: list[Key] = []
    if settings.secret is not None:
        keys.append(SecretKey(settings.secret.encode(), settings.algorithms))
    keys += (VerifyingKey(read_pem(key.pem), settings.algorithms, key.kid) for key in settings.public_keys)
    return keys


def published(data: bytes, allowed: Sequence[str]) -> list[Key]:
    """Return the keys of a set that the allowed algorithms can use. Raises ValueError if there is none."""
    keys: list[Key] = [VerifyingKey(key.public, _for(key, allowed), key.kid) for key in read_set(data)]
    usable = [key for key in keys if key.algorithms]
    if not usable:
        raise ValueError("The key set has no key for the accepted algorithms")
    return usable


def _for(key: SetKey, allowed: Sequence[str]) -> Sequence[str]:
    return allowed if key.algorithm is None else [name for name in allowed if name == key.algorithm]
