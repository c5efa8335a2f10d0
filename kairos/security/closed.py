"""What protects fails closed: a route that needs a policy which this version lacks lets nobody through."""

from kairos.errors import KairosError, Side
from kairos.filters import Asked, LocalReply


class Unauthenticated(KairosError):
    """The request carries no credential that this gateway accepts."""

    kind = "authentication_error"
    side = Side.DOWNSTREAM
    status = 401


class NotServed(KairosError):
    """The route speaks a protocol that this version does not serve."""

    kind = "not_active"
    status = 501


class AuthenticationClosed:
    """Refuse every request of a route with `auth_required`, because this version can verify no credential."""

    def take(self, asked: Asked) -> LocalReply:
        """Answer 401."""
        error = Unauthenticated("Authentication is not active in this version", reason="auth_not_active")
        return LocalReply.refusal(error)

    look = take


class ProtocolClosed:
    """Refuse every request of a route whose protocol is not served yet."""

    def __init__(self, protocol: str) -> None:
        self._protocol = protocol

    def take(self, asked: Asked) -> LocalReply:
        """Answer 501."""
        return LocalReply.refusal(NotServed(f"Routes with protocol '{self._protocol}' are not active in this version"))

    look = take
