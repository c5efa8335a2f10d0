"""The signature algorithms of tokens (RFC 7518 section 3, RFC 8037), and the keys that fit them.

cryptography is imported where a key is read, so that only who has keys pays for it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)

MIN_RSA_BITS = 2048  # RFC 7518 section 3.3
SECRET = "secret"  # noqa: S105
RSA = "RSA"
EDWARDS = "Ed25519 or Ed448"
CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
KIND_OF_ALGORITHM: dict[str, str] = {
    **dict.fromkeys(("HS256", "HS384", "HS512"), SECRET),
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSA),
    "ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": EDWARDS,
}
"""What kind of key each algorithm takes. No key is of two kinds: a public key can never be taken for a secret."""
HASH_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
"""The shortest secret for each algorithm (RFC 7518 section 3.2)."""

CERTIFICATE = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key to check signatures with, and its kind."""

    key: "PublicKeyTypes"
    kind: str


def fitting(kind: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Return which of the allowed algorithms take a key of this kind."""
    return tuple(name for name in allowed if KIND_OF_ALGORITHM[name] == kind)


def read_pem(text: str) -> PublicKey:
    """Read a public key or a certificate. Raises ValueError with what is wrong with it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from cryptography.x509 import load_pem_x509_certificate

    if "PRIVATE KEY-----" in text:
        raise ValueError("This is a private key, which belongs to who signs")
    data = text.encode()
    try:
        key = load_pem_x509_certificate(data).public_key() if CERTIFICATE in text else load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("Not a public key in PEM") from None
    return known(key)


def known(key: "PublicKeyTypes") -> PublicKey:
    """Say of which kind a key is. Raises ValueError for one that no algorithm takes, or that is too weak."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    match key:
        case rsa.RSAPublicKey(key_size=bits):
            if bits < MIN_RSA_BITS:
                raise ValueError(f"The RSA key has {bits} bits; at least {MIN_RSA_BITS} are needed")
            return PublicKey(key, RSA)
        case ec.EllipticCurvePublicKey(curve=curve) if curve.name in CURVES:
            return PublicKey(key, CURVES[curve.name])
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return PublicKey(key, EDWARDS)
    raise ValueError("No signature algorithm takes a key of this kind")
