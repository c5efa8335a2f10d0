"""Authentication by name and password (RFC 7617).

To check a password takes long, on purpose. So that is done elsewhere, and what was right is remembered: not the
password itself, but a digest of it with a key that only this process has.
"""

from binascii import Error, a2b_base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from math import inf
from typing import Protocol

from kairos._speedups import FieldSet
from kairos.config.credentials import BasicAuth, User
from kairos.config.passwords import Hash, read_hash
from kairos.errors import KairosError
from kairos.filters import Asked, Identity
from kairos.security.cache import Remembered
from kairos.security.grant import Grant
from kairos.security.refusals import Unauthenticated, challenge_line

_FIELDS = FieldSet((b"authorization",))
MAX_REMEMBERED = 4096


class Pool(Protocol):
    """Where passwords are checked."""

    def run(self, key: bytes, check: Callable[[], bool]) -> Awaitable[bool]:
        """Return what `check` says, which may take a while. Two with the same key are one. Raises KairosError."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody with a password."""

    password: Hash
    grant: Grant


class BasicCheck:
    """Find name and password of a request, and tell whose they are."""

    __slots__ = ("_accounts", "_challenge", "_key", "_nobody", "_pool", "_remembered")

    def __init__(self, settings: BasicAuth, pool: Pool, key: bytes) -> None:
        """Begin with nothing remembered; `key` is random."""
        self._accounts = {user.name.encode(): account(user) for user in settings.users}
        known = next(iter(self._accounts.values()), None)
        self._nobody = known.password if known is not None else None
        self._pool = pool
        self._key = key
        self._remembered: Remembered[Grant] = Remembered(MAX_REMEMBERED)
        self._challenge = challenge_line(f'Basic realm="{settings.realm}", charset="UTF-8"')

    def take(self, asked: Asked, wall: float) -> Grant | None:
        """Return whose password the request carries, if it is remembered; None if it carries none.

        Raises Unauthenticated for a bad one. `check` comes first where `is_new` says so.
        """
        value = field_of(asked)
        if value is None:
            return None
        grant = self._remembered.get(self._digest(value), wall)
        if grant is None:
            raise Unauthenticated("Invalid user name or password", reason="password_wrong")
        return grant

    look = take

    def is_new(self, asked: Asked, wall: float) -> bool:
        """Say whether the request carries a password that has to be checked."""
        value = field_of(asked)
        return (
            value is not None
            and credentials(value) is not None
            and self._remembered.get(self._digest(value), wall) is None
        )

    async def check(self, asked: Asked) -> None:
        """Check the password of a request, and remember it if it is right."""
        value = field_of(asked)
        found = None if value is None else credentials(value)
        if value is None or found is None:
            return
        name, password = found
        known, digest = self._accounts.get(name), self._digest(value)
        expected = known.password if known is not None else self._nobody  # a stranger takes as long as anybody
        if expected is None:
            return
        is_right = await self._pool.run(digest, lambda: expected.fits(password))
        if is_right and known is not None:
            self._remembered.add(digest, inf, known.grant)

    def challenge(self, error: KairosError | None, scopes: str) -> bytes:
        """Return the line that tells how to authenticate."""
        return self._challenge

    def _digest(self, value: bytes) -> bytes:
        return blake2b(value, key=self._key, digest_size=32).digest()


def account(user: User) -> Account:
    """Make an account of the config."""
    grant = Grant(Identity(user.name, "basic"), frozenset(user.scopes), frozenset(user.roles))
    return Account(read_hash(user.password), grant)


def field_of(asked: Asked) -> bytes | None:
    """Return what follows the scheme in the Authorization of a request; None if it is of another scheme."""
    (value,) = _FIELDS.values(asked.head.raw)
    return value[6:].strip(b" ") if value is not None and value[:6].lower() == b"basic " else None


def credentials(value: bytes) -> tuple[bytes, bytes] | None:
    """Return name and password; None if these are none (RFC 7617 section 2)."""
    try:
        name, colon, password = a2b_base64(value, strict_mode=True).partition(b":")
    except Error:
        return None
    return (name, password) if colon else None
