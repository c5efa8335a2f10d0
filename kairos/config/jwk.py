"""Sets of public keys as JSON (RFC 7517), as authorities publish them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from kairos.config.signatures import PublicKey, known

MAX_SET_BYTES = 1 << 20
MAX_KEYS = 100
MAX_KID_LENGTH = 512


@dataclass(frozen=True, slots=True)
class SetKey:
    """A key of a set: its name if it has one, and the algorithm that it is for if it says so."""

    kid: str | None
    algorithm: str | None
    public: PublicKey


def read_set(data: bytes) -> tuple[SetKey, ...]:
    """Return the keys for signatures in a set. Raises ValueError if there is none that can be used.

    RFC 7517 section 5: keys of unknown kinds or uses are passed over. So are secrets: who can read them can sign.
    """
    if len(data) > MAX_SET_BYTES:
        raise ValueError(f"The key set is larger than {MAX_SET_BYTES} bytes")
    try:
        content = orjson.loads(data)
    except ValueError:
        raise ValueError("The key set is not JSON") from None
    members = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(members, list):
        raise ValueError('The key set has no array "keys"')
    if len(members) > MAX_KEYS:
        raise ValueError(f"The key set has more than {MAX_KEYS} keys")
    keys = tuple(usable(members))
    if not keys:
        raise ValueError("The key set has no public key for signatures that can be used")
    return keys


def usable(members: list[Any]) -> Iterator[SetKey]:
    """Pick the members of a set that are public keys for signatures."""
    for member in members:
        if isinstance(member, dict) and is_for_signatures(member):
            try:
                public = read_key(member)
            except ValueError:
                continue
            yield SetKey(member.get("kid"), member.get("alg"), public)


def is_for_signatures(member: dict[str, Any]) -> bool:
    """Say whether a key may check signatures (RFC 7517 sections 4.2 to 4.5), and says so in the right types."""
    operations, kid = member.get("key_ops", ["verify"]), member.get("kid", "")
    return (
        member.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and isinstance(kid, str)
        and len(kid) <= MAX_KID_LENGTH
        and isinstance(member.get("alg", ""), str)
        and not member.keys() & {"d", "k"}  # a private key, a secret
    )


def read_key(member: dict[str, Any]) -> PublicKey:
    """Make a key of its JSON. Raises ValueError for what is none, is weak, or of a kind that is not known."""
    from jwt import algorithms, exceptions

    readers = {
        "RSA": algorithms.RSAAlgorithm.from_jwk,
        "EC": algorithms.ECAlgorithm.from_jwk,
        "OKP": algorithms.OKPAlgorithm.from_jwk,
    }
    kind = member.get("kty")
    if not isinstance(kind, str) or kind not in readers:
        raise ValueError("The kind of key is not known")
    try:
        key: Any = readers[kind](member)
    except (exceptions.PyJWTError, ValueError, TypeError, KeyError, AttributeError) as exc:
        raise ValueError("The key cannot be read") from exc
    return known(key)
