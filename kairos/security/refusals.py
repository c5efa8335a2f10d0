"""Why somebody may not pass, and how the answer says so (RFC 9110 section 11.6, RFC 6750 section 3)."""

from kairos.errors import KairosError, Side

REALM = "kairos"


class Unauthenticated(KairosError):
    """The request carries no credential that this gateway accepts.

    `code` is that of RFC 6750 section 3.1, for the scheme whose credential was not accepted; empty if there was none.
    """

    kind = "authentication_error"
    side = Side.DOWNSTREAM
    status = 401

    def __init__(self, message: str, *, reason: str, code: str = "", description: str = "") -> None:
        super().__init__(message, reason=reason)
        self.code = code
        self.description = description


class Forbidden(KairosError):
    """Who has authenticated may not do this."""

    kind = "authorization_error"
    side = Side.DOWNSTREAM
    status = 403

    def __init__(self, message: str, *, reason: str, code: str = "") -> None:
        super().__init__(message, reason=reason)
        self.code = code


class Unverifiable(KairosError):
    """The gateway cannot tell whether the credential is good, and may be able to soon."""

    kind = "authentication_unavailable"
    status = 503


def bad_token(reason: str, description: str) -> Unauthenticated:
    """Make the refusal of a token; what it says to people is the same for all."""
    message = "Invalid or expired token"
    return Unauthenticated(message, reason=reason, code="invalid_token", description=description)


def bearer_challenge(error: KairosError | None = None, scopes: str = "") -> bytes:
    """Return the challenge for tokens; with what was wrong with the one that came."""
    code = getattr(error, "code", "")
    parts = [f'Bearer realm="{REALM}"']
    if code:
        parts.append(f'error="{code}"')
        if description := getattr(error, "description", ""):
            parts.append(f'error_description="{description}"')
    if code == "insufficient_scope" and scopes:
        parts.append(f'scope="{scopes}"')
    return challenge_line(", ".join(parts))


def challenge_line(challenge: str) -> bytes:
    """Return a whole header line."""
    return b"WWW-Authenticate: %b\r\n" % challenge.encode()
