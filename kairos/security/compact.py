"""Signed tokens in their compact form (RFC 7515 section 7.1), read strictly: there is one way to write each.

No part is decoded with indulgence, because two readers that differ about what a token says are a way in.
"""

import json
from binascii import Error, a2b_base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

MAX_TOKEN_BYTES = 16 << 10
MAX_KID_LENGTH = 512

# RFC 7515 section 2: the alphabet for URLs, without padding. What is not of it becomes what no base64 has.
_ALPHABET = bytes.maketrans(b"-_+/=", b"+/!!!")
# Behind whole bytes the last letter has unused bits, which must be zero, or a signature could be written in many ways.
_LAST_OF_TWO, _LAST_OF_THREE = b"AQgw", b"AEIMQUYcgkosw048"
_PADDING = (b"", b"", b"==", b"=")


class Malformed(ValueError):
    """What came is no signed token."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a token says of its signature, and what may be believed of that: a name to look up in our own lists."""

    algorithm: str
    kid: str | None


class Parts(NamedTuple):
    """A token in its parts. The payload is to be read when the signature is known to be good."""

    header: Header
    signed: bytes
    payload: bytes
    signature: bytes


def split(token: bytes) -> Parts:
    """Take a token apart. Raises Malformed."""
    if len(token) > MAX_TOKEN_BYTES:
        raise Malformed("too long")
    signed, dot, signature = token.rpartition(b".")
    first, inner, payload = signed.partition(b".")
    if not dot or not inner or not payload or b"." in payload:
        raise Malformed("not of three parts")
    return Parts(read_header(first), signed, payload, decode(signature))


@lru_cache(maxsize=256)
def read_header(segment: bytes) -> Header:
    """Read the header of a token. Raises Malformed.

    Keys that come with the token (`jwk`, `jku`, `x5c`, `x5u`) are not even looked at. Extensions that must be
    understood (`crit`, RFC 7515 section 4.1.11) are not.
    """
    found = json_object(decode(segment))
    algorithm, kid = found.get("alg"), found.get("kid")
    if not isinstance(algorithm, str):
        raise Malformed("no algorithm")
    if "crit" in found:
        raise Malformed("an extension that is not known")
    if "kid" in found and (not isinstance(kid, str) or len(kid) > MAX_KID_LENGTH):
        raise Malformed("the name of the key is no text")
    return Header(algorithm, kid)


def decode(segment: bytes) -> bytes:
    """Read base64 for URLs (RFC 4648 section 5) without padding. Raises Malformed."""
    rest = len(segment) & 3
    if rest and (rest == 1 or segment[-1] not in (_LAST_OF_TWO if rest == 2 else _LAST_OF_THREE)):
        raise Malformed("not base64url")
    try:
        return a2b_base64(segment.translate(_ALPHABET) + _PADDING[rest], strict_mode=True)
    except Error:
        raise Malformed("not base64url") from None


def json_object(data: bytes) -> dict[str, Any]:
    """Read a JSON object in which no name stands twice (RFC 7515 section 4, RFC 7519 section 4). Raises Malformed."""
    try:
        found = orjson.loads(data)
        if not isinstance(found, dict):
            raise Malformed("not a JSON object")
        if orjson.dumps(found) != data:  # else it is what we would write, and that has no name twice
            json.loads(data, object_pairs_hook=_unique)
    except Malformed:
        raise
    except (ValueError, TypeError, RecursionError):  # TypeError is of one that is too deep to be written
        raise Malformed("not JSON") from None
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a name stands twice")
    return found
