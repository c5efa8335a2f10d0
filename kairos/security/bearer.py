"""Authentication by a token (RFC 6750)."""

from kairos._speedups import FieldSet
from kairos.config.credentials import Jwt
from kairos.errors import KairosError
from kairos.filters import Asked
from kairos.security.grant import Grant
from kairos.security.places import cookie, parameter
from kairos.security.refusals import Unauthenticated, bearer_challenge
from kairos.security.tokens import TokenVerifier

_FIELDS = FieldSet((b"authorization",))
_FIELDS_AND_COOKIE = FieldSet((b"authorization", b"cookie"))


class Bearer:
    """Find the token of a request, and ask whose it is."""

    __slots__ = ("_cookie", "_query", "_verifier", "is_elsewhere")

    def __init__(self, verifier: TokenVerifier, settings: Jwt) -> None:
        self._verifier = verifier
        self._cookie = settings.cookie.encode() if settings.cookie else b""
        self._query = settings.query.encode() if settings.query else b""
        self.is_elsewhere = bool(self._cookie or self._query)  # a token may come in other places than its header

    def take(self, asked: Asked, wall: float) -> Grant | None:
        """Return whose token the request carries; None if it carries none. Raises KairosError for a bad one."""
        token = self._token(asked)
        return None if token is None else self._verifier.take(token, asked.now, wall)

    def look(self, asked: Asked, wall: float) -> Grant | None:
        """Do the same, and change nothing."""
        token = self._token(asked)
        return None if token is None else self._verifier.look(token, wall)

    def challenge(self, error: KairosError | None, scopes: str) -> bytes:
        """Return the line that tells how to authenticate."""
        return bearer_challenge(error, scopes)

    def _token(self, asked: Asked) -> bytes | None:
        if not self.is_elsewhere:
            (value,) = _FIELDS.values(asked.head.raw)
            return None if value is None else bearer_token(value)
        value, cookies = _FIELDS_AND_COOKIE.values(asked.head.raw)
        token = None if value is None else bearer_token(value)
        if token is None and self._cookie:
            token = cookie(cookies, self._cookie)
        if token is None and self._query:
            token = parameter(asked.head.target, self._query)
        return token


def bearer_token(value: bytes) -> bytes | None:
    """Return the token in an Authorization field; None if it is of another scheme (RFC 9110 section 11.4)."""
    scheme = value[:7]
    if scheme != b"Bearer " and scheme.lower() != b"bearer ":
        if scheme.lower() == b"bearer":
            raise malformed()
        return None
    token = value[7:].lstrip(b" ")
    if not token or b" " in token or b"," in token:
        raise malformed()
    return token


def malformed() -> Unauthenticated:
    """Make the refusal of a field that is no token, or several."""
    message = "Invalid Authorization header format"
    return Unauthenticated(message, reason="authorization_malformed", code="invalid_request")
