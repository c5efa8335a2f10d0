"""What a route demands of those who have been let in."""

from kairos.config.credentials import Auth, Claim
from kairos.security.claims import first_missing
from kairos.security.grant import Grant
from kairos.security.refusals import Forbidden


class Rights:
    """All of the scopes, one of the roles, all of the claims."""

    __slots__ = ("_claims", "_roles", "_scopes", "scopes")

    def __init__(self, settings: Auth) -> None:
        self._scopes = frozenset(settings.scopes)
        self._roles = frozenset(settings.roles)
        self._claims: tuple[Claim, ...] = settings.required
        self.scopes = " ".join(settings.scopes)

    def missing(self, grant: Grant) -> Forbidden | None:
        """Return why somebody may not use the route; None if they may."""
        if not self._scopes <= grant.scopes:
            message = "The credential lacks a scope that is needed here"
            return Forbidden(message, reason="scope_missing", code="insufficient_scope")
        if self._roles and self._roles.isdisjoint(grant.roles):
            return Forbidden("The credential lacks a role that is needed here", reason="role_missing")
        if self._claims and first_missing(grant.identity.claims, self._claims):
            return Forbidden("The token lacks a claim that is needed here", reason="claim_missing")
        return None
