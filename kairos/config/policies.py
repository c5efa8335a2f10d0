"""What workers read of the policies that say who may pass, and in which form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class AccessList:
    """Networks in CIDR notation. `deny` wins; an empty `allow` lets in all others."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    @classmethod
    def decode(cls, fields: Mapping[str, Any]) -> Self:
        """Make it from JSON values."""
        return cls(tuple(fields["allow"]), tuple(fields["deny"]))
