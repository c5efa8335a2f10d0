"""What protects fails closed: a route that needs a policy which this version lacks lets nobody through."""

from kairos.errors import KairosError
from kairos.filters import Asked, LocalReply
from kairos.security.refusals import Unauthenticated, bearer_challenge


class NotServed(KairosError):
    """The route speaks a protocol that this version does not serve."""

    kind = "not_active"
    status = 501


class AuthenticationClosed:
    """Refuse every request of a route with `auth_required`, where nothing says how."""

    def take(self, asked: Asked) -> LocalReply:
        """Answer 401."""
        error = Unauthenticated("Authentication is not configured here", reason="auth_not_configured")
        return LocalReply(error.status, error=error, lines=bearer_challenge())

    look = take


class ProtocolClosed:
    """Refuse every request of a route whose protocol is not served yet."""

    def __init__(self, protocol: str) -> None:
        self._protocol = protocol

    def take(self, asked: Asked) -> LocalReply:
        """Answer 501."""
        return LocalReply.refusal(NotServed(f"Routes with protocol '{self._protocol}' are not active in this version"))

    look = take
