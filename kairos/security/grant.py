"""Who has been let in, and with which rights."""

from collections.abc import Set as AbstractSet

from kairos.filters import Identity

NONE: frozenset[str] = frozenset()


class Grant:
    """What a credential that was found good stands for. `lines` are header lines that tell the backend."""

    __slots__ = ("identity", "lines", "roles", "scopes")

    def __init__(
        self,
        identity: Identity,
        scopes: AbstractSet[str] = NONE,
        roles: AbstractSet[str] = NONE,
        lines: bytes = b"",
    ) -> None:
        self.identity = identity
        self.scopes = scopes
        self.roles = roles
        self.lines = lines
