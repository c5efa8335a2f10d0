"""Keys for configs."""

from functools import cache
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.algorithms import ECAlgorithm


@cache
def private(kind: str) -> Any:
    """Make a key of a kind, once."""
    match kind:
        case "RSA":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        case "weak":
            return rsa.generate_private_key(public_exponent=65537, key_size=1024)
        case "P-256":
            return ec.generate_private_key(ec.SECP256R1())
        case "P-384":
            return ec.generate_private_key(ec.SECP384R1())
        case "secp256k1":
            return ec.generate_private_key(ec.SECP256K1())
        case "DSA":
            return dsa.generate_private_key(key_size=1024)
    return ed25519.Ed25519PrivateKey.generate()


def pem(kind: str) -> str:
    """Return the public half of a key."""
    text: bytes = private(kind).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


def private_pem(kind: str) -> str:
    """Return the half that nobody else should have."""
    text: bytes = private(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return text.decode()


def key_set(kid: str = "one") -> str:
    """Return a set that is published."""
    public = ECAlgorithm.to_jwk(private("P-256").public_key(), as_dict=True)
    return orjson.dumps({"keys": [{**public, "kid": kid}]}).decode()
