"""Make the filters that authenticate, from a document. What they remember is kept while the settings stay."""

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kairos.config.document import Route, Settings
from kairos.filters import Filter
from kairos.security.closed import AuthenticationClosed

if TYPE_CHECKING:
    from kairos.proxy.passwords import PasswordPool
    from kairos.proxy.plane import DataPlane
    from kairos.proxy.published_keys import KeyFetcher
    from kairos.security.authentication import Scheme
    from kairos.security.basic import BasicCheck

NOTHING = Settings()


class Authenticators:
    """The schemes of one worker. What checks signatures or passwords is loaded when a route first asks for it."""

    __slots__ = ("_fetcher", "_plane", "_pool", "_schemes", "_settings")

    def __init__(self, plane: "DataPlane") -> None:
        self._plane = plane
        self._fetcher: KeyFetcher | None = None
        self._pool: PasswordPool | None = None
        self._settings = NOTHING
        self._schemes: dict[str, Scheme] = {}

    def use(self, settings: Settings) -> None:
        """Make filters by these settings from now on. Nothing that was verified by other ones is remembered."""
        if not is_alike(settings, self._settings):
            self._schemes = {}
        self._settings = settings

    def filter(self, route: Route) -> Filter:
        """Return the filter for a route that needs authentication; where nothing says how, nobody passes."""
        if route.auth is None:
            return AuthenticationClosed()
        from kairos.security.authentication import Authentication, PasswordAuthentication
        from kairos.security.rights import Rights

        schemes = [scheme for name in route.auth.schemes if (scheme := self._scheme(name)) is not None]
        if not schemes:
            return AuthenticationClosed()
        found = Authentication(schemes, Rights(route.auth), time.time)
        passwords = password_check(schemes)
        return found if passwords is None else PasswordAuthentication(found, passwords, time.time)

    def _scheme(self, name: str) -> "Scheme | None":
        if name not in self._schemes:
            made = {"jwt": self._bearer, "api_key": self._api_keys, "basic": self._basic}[name]()
            if made is None:
                return None
            self._schemes[name] = made
        return self._schemes[name]

    def _bearer(self) -> "Scheme | None":
        settings = self._settings.jwt
        if settings is None:
            return None
        from kairos.security.bearer import Bearer
        from kairos.security.tokens import TokenVerifier

        if settings.key_source is None:
            return Bearer(TokenVerifier.of(settings), settings)
        from kairos.proxy.published_keys import KeyFetcher

        if self._fetcher is None:
            self._fetcher = KeyFetcher(self._plane)
        keys = self._fetcher.keys(settings, settings.key_source)
        return Bearer(TokenVerifier.of(settings, keys), settings)

    def _api_keys(self) -> "Scheme | None":
        settings = self._settings.api_keys
        if settings is None:
            return None
        from kairos.security.api_keys import ApiKeyCheck

        return ApiKeyCheck(settings)

    def _basic(self) -> "Scheme | None":
        settings = self._settings.basic_auth
        if settings is None:
            return None
        from kairos.proxy.passwords import PasswordPool
        from kairos.security.basic import BasicCheck

        if self._pool is None:
            self._pool = PasswordPool(self._plane.loop)
        return BasicCheck(settings, self._pool, os.urandom(32))


def is_alike(one: Settings, other: Settings) -> bool:
    """Say whether two settings let in the same, so that what was built by one serves the other."""
    return (one.jwt, one.api_keys, one.basic_auth) == (other.jwt, other.api_keys, other.basic_auth)


def password_check(schemes: "Sequence[Scheme]") -> "BasicCheck | None":
    """Return the scheme that has to wait, if there is one."""
    from kairos.security.basic import BasicCheck

    return next((scheme for scheme in schemes if isinstance(scheme, BasicCheck)), None)
