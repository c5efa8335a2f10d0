"""The filter that lets in only who shows a credential, and has the rights that the route demands."""

from collections.abc import Callable, Sequence
from typing import Protocol

from kairos.errors import KairosError
from kairos.filters import Asked, LocalReply
from kairos.security.basic import BasicCheck
from kairos.security.bearer import Bearer
from kairos.security.grant import Grant
from kairos.security.refusals import Unauthenticated
from kairos.security.rights import Rights


class Scheme(Protocol):
    """One way to say who one is."""

    def take(self, asked: Asked, wall: float) -> Grant | None:
        """Return whose credential the request carries; None if it carries none. Raises KairosError for a bad one."""

    def look(self, asked: Asked, wall: float) -> Grant | None:
        """Do the same, and change nothing."""

    def challenge(self, error: KairosError | None, scopes: str) -> bytes:
        """Return the line that tells how to authenticate."""


class Authentication:
    """Let in who comes with a credential of one of the schemes; `clock` tells the Unix time.

    The first credential that is found decides: a bad one is not made good by another.
    """

    __slots__ = ("_clock", "_rights", "_schemes")

    def __init__(self, schemes: Sequence[Scheme], rights: Rights, clock: Callable[[], float]) -> None:
        self._schemes = tuple(schemes)
        self._rights = rights
        self._clock = clock

    def take(self, asked: Asked) -> LocalReply | None:
        """Answer 401, 403, or 503 while keys are missing; or note who it is, and tell the backend."""
        wall = self._clock()
        for scheme in self._schemes:
            try:
                grant = scheme.take(asked, wall)
            except KairosError as error:
                return self.refusal(error, scheme)
            if grant is not None:
                forbidden = self._rights.missing(grant)
                if forbidden is not None:
                    return self.refusal(forbidden, scheme)
                asked.identity = grant.identity
                if grant.lines:
                    asked.request_lines += grant.lines
                return None
        return self.refusal(self._no_credential(asked), None)

    def look(self, asked: Asked) -> LocalReply | None:
        """Answer the same, and note nothing."""
        wall = self._clock()
        for scheme in self._schemes:
            try:
                grant = scheme.look(asked, wall)
            except KairosError as error:
                return self.refusal(error, scheme)
            if grant is not None:
                forbidden = self._rights.missing(grant)
                return None if forbidden is None else self.refusal(forbidden, scheme)
        return self.refusal(self._no_credential(asked), None)

    def refusal(self, error: KairosError, at: Scheme | None) -> LocalReply:
        """Answer with an error; `at` is the scheme whose credential came. RFC 9110 section 15.5.2: 401 tells all."""
        scopes = self._rights.scopes
        if error.status == 401:
            lines = b"".join(scheme.challenge(error if scheme is at else None, scopes) for scheme in self._schemes)
        elif error.status == 403 and isinstance(at, Bearer):
            lines = at.challenge(error, scopes)
        else:
            lines = b""
        return LocalReply(error.status, error=error, lines=lines)

    def _no_credential(self, asked: Asked) -> Unauthenticated:
        only = self._schemes[0] if len(self._schemes) == 1 else None
        if not isinstance(only, Bearer) or only.is_elsewhere:
            return Unauthenticated("A credential is needed here", reason="credential_missing")
        if b"\nauthorization:" in asked.head.raw.lower():
            message = "Authorization header must start with 'Bearer '"
            return Unauthenticated(message, reason="authorization_not_bearer")
        return Unauthenticated("Missing Authorization header", reason="authorization_missing")


class PasswordAuthentication:
    """Do that where passwords may have to be checked, which takes a while."""

    __slots__ = ("_authentication", "_clock", "_passwords")

    def __init__(self, authentication: Authentication, passwords: BasicCheck, clock: Callable[[], float]) -> None:
        self._authentication = authentication
        self._passwords = passwords
        self._clock = clock

    def take(self, asked: Asked) -> LocalReply | None:
        """Answer as `Authentication` does, where nothing `must_wait`."""
        return self._authentication.take(asked)

    def look(self, asked: Asked) -> LocalReply | None:
        """Answer the same, and change nothing. Of passwords only those are known that were used lately."""
        return self._authentication.look(asked)

    def must_wait(self, asked: Asked) -> bool:
        """Say whether there is a password that has to be checked first."""
        return self._passwords.is_new(asked, self._clock())

    async def wait(self, asked: Asked) -> LocalReply | None:
        """Check the password, and answer."""
        try:
            await self._passwords.check(asked)
        except KairosError as error:
            return self._authentication.refusal(error, self._passwords)
        return self._authentication.take(asked)
