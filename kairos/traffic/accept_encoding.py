"""Which content coding a client likes best (RFC 9110 section 12.5.3)."""

import re
from collections.abc import Sequence

# RFC 9110 section 12.4.2, in lower case.
_WEIGHT = re.compile(rb"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_MOST_BYTES, _MOST_REMEMBERED = 256, 1024
_ANY, _IDENTITY = b"*", b"identity"


class Negotiation:
    """Choose for each client one of `offered`, of which the first is preferred where the client has no preference."""

    __slots__ = ("_known", "_offered")

    def __init__(self, offered: Sequence[bytes]) -> None:
        self._offered = tuple(offered)
        self._known: dict[bytes, bytes | None] = {}

    def choice(self, accepted: bytes | None) -> bytes | None:
        """Return the coding for an Accept-Encoding field; None is to send the answer as it is.

        Without the field any coding would do, but who takes one says so. A client that takes nothing of what there is,
        and not even the answer as it is, gets it nevertheless: the backend was not told to make another.
        """
        if accepted is None:
            return None
        if accepted in self._known:
            return self._known[accepted]
        found = best(self._offered, weights(accepted))
        if len(accepted) <= _MOST_BYTES:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[accepted] = found
        return found


def weights(accepted: bytes) -> dict[bytes, int]:
    """Read the field: the weight of each name in thousandths, the lowest one if it is there twice.

    A name whose weight is malformed has none: better an answer as it is than one that nobody can read.
    """
    found: dict[bytes, int] = {}
    for member in accepted.lower().split(b","):
        name, semicolon, parameter = member.partition(b";")
        name = name.strip(b" \t")  # a token, but whatever is none is not offered either
        if name:
            weight = _thousandths(parameter.strip(b" \t")) if semicolon else 1000
            found[name] = min(weight, found.get(name, weight))
    if b"x-gzip" in found:
        found.setdefault(b"gzip", found[b"x-gzip"])  # RFC 9110 section 8.4.1.3
    return found


def best(offered: Sequence[bytes], weights: dict[bytes, int]) -> bytes | None:
    """Return the first of those with the greatest weight; None if there is none, or if less than that of identity."""
    others = weights.get(_ANY, 0)
    found, most = None, max(weights.get(_IDENTITY, 0) - 1, 0)
    for coding in offered:
        weight = weights.get(coding, others)
        if weight > most:
            found, most = coding, weight
    return found


def _thousandths(parameter: bytes) -> int:
    match = _WEIGHT.fullmatch(parameter)
    return round(float(match[1]) * 1000) if match else 0
