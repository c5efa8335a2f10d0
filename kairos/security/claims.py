"""What a token says (RFC 7519 section 4), and what of it is demanded."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import isfinite
from typing import Any

from kairos.config.credentials import Claim, Jwt
from kairos.filters import Identity
from kairos.security.grant import NONE, Grant
from kairos.security.refusals import bad_token

MAX_FORWARDED_BYTES = 4096
ABSENT = object()


@dataclass(frozen=True, slots=True)
class Rules:
    """What the claims of a token must be."""

    issuers: frozenset[str]
    audiences: frozenset[str]
    leeway: float
    required: tuple[Claim, ...]
    scopes_claim: str | None = None
    roles_claim: str = "roles"
    forwarded: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, settings: Jwt) -> "Rules":
        """Take them from the config."""
        return cls(
            frozenset(settings.issuers),
            frozenset(settings.audiences),
            settings.leeway,
            settings.required,
            settings.scopes_claim,
            settings.roles_claim,
            settings.forwarded,
        )

    def check(self, claims: Mapping[str, Any], wall: float) -> float:
        """Return when the token ends, a Unix time. Raises Unauthenticated for one that does not hold now, or here."""
        expires = moment(claims, "exp")
        if expires is None:
            raise bad_token("token_claim", "The token has no exp")
        if wall >= expires + self.leeway:
            raise bad_token("token_expired", "The token has expired")
        for name in ("nbf", "iat"):
            begins = moment(claims, name)
            if begins is not None and begins > wall + self.leeway:
                raise bad_token("token_not_yet_valid", "The token is not valid yet")
        self.check_parties(claims)
        if self.required and (missing := first_missing(claims, self.required)):
            raise bad_token("token_claim", f"The token lacks what is demanded of {printable(missing)}")
        return expires

    def check_parties(self, claims: Mapping[str, Any]) -> None:
        """Look at who made the token, about whom and for whom."""
        if not isinstance(claims.get("sub", ""), str):
            raise bad_token("token_claim", "The sub of the token is no text")
        issuer = claims.get("iss", "")
        if not isinstance(issuer, str) or (self.issuers and issuer not in self.issuers):
            raise bad_token("token_issuer", "The token is not from an issuer that is accepted")
        audience = claims.get("aud", "")
        listed = (audience,) if isinstance(audience, str) else audience
        if listed is audience and not (isinstance(audience, list) and all(isinstance(one, str) for one in audience)):
            raise bad_token("token_audience", "The aud of the token is no text")
        if self.audiences and self.audiences.isdisjoint(listed):
            raise bad_token("token_audience", "The token is for somebody else")

    def grant(self, claims: Mapping[str, Any]) -> Grant:
        """Return who has come with a token."""
        if self.scopes_claim is not None:
            scopes = inner(claims, self.scopes_claim)
        else:
            scopes = claims["scope"] if "scope" in claims else claims.get("scp")
        return Grant(
            Identity(claims.get("sub", ""), "jwt", claims),
            set(scopes.split()) if isinstance(scopes, str) else texts(scopes),
            texts(inner(claims, self.roles_claim)),
            b"".join(lines(claims, self.forwarded)) if self.forwarded else b"",
        )


def moment(claims: Mapping[str, Any], name: str) -> float | None:
    """Return a time (RFC 7519 section 2, NumericDate); None if there is none."""
    value = claims.get(name, ABSENT)
    if value is ABSENT:
        return None
    if type(value) is int:  # not a switch, which would be one of them
        return value
    if not isinstance(value, float) or not isfinite(value):
        raise bad_token("token_claim", f"The {name} of the token is no time")
    return value


def inner(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim by its name, or an inner one by its JSON pointer (RFC 6901); ABSENT if there is none."""
    if not name.startswith("/"):
        return claims.get(name, ABSENT)
    found: Any = claims
    for step in name[1:].split("/"):
        if not isinstance(found, Mapping):
            return ABSENT
        found = found.get(step.replace("~1", "/").replace("~0", "~"), ABSENT)
    return found


def first_missing(claims: Mapping[str, Any], required: Iterable[Claim]) -> str | None:
    """Return the name of the first claim that is not there, or not as demanded."""
    return next((claim.name for claim in required if not is_met(inner(claims, claim.name), claim.values)), None)


def is_met(found: Any, wanted: Sequence[Any]) -> bool:
    """Say whether a claim is there with one of the values, or as an array that has one of them."""
    if found is ABSENT or found is None:
        return False
    if not wanted:
        return True
    items = found if isinstance(found, list) else [found]
    return any(is_same(item, value) for item in items for value in wanted)


def is_same(one: Any, other: Any) -> bool:
    """Compare as JSON does: true is not 1, but 1.0 is."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def texts(value: Any) -> AbstractSet[str]:
    """Return the texts in a claim: itself, or what is in its array."""
    if isinstance(value, list):
        return {item for item in value if isinstance(item, str)}
    return {value} if isinstance(value, str) else NONE


def lines(claims: Mapping[str, Any], forwarded: Iterable[tuple[str, str]]) -> Iterable[bytes]:
    """Return the header lines that tell claims."""
    for name, field in forwarded:
        value = inner(claims, name)
        if value is ABSENT or value is None:
            continue
        text = field_value(value)
        if len(text) <= MAX_FORWARDED_BYTES:
            yield b"%b: %b\r\n" % (field.encode(), text)


def field_value(value: Any) -> bytes:
    """Write a claim so that it can stand in a header: as it is if it is plain text, else as JSON."""
    if isinstance(value, str) and value.isascii() and value.isprintable() and value == value.strip():
        return value.encode()
    return json.dumps(value, separators=(",", ":")).replace("\x7f", "\\u007f").encode()


def printable(name: str) -> str:
    """Return a name of the operator's so that it can stand in the quotes of a challenge."""
    return re.sub(r'[^ -~]|["\\]', "?", name)
