"""Rules that change the path and the query that a backend gets."""

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote_to_bytes

from kairos._speedups import normal_path
from kairos._speedups.matcher import CLIMBS
from kairos.config.regex import MOST_GROWTH, Substitution
from kairos.config.transformations import FieldRule, PathRule
from kairos.errors import BadRequest
from kairos.traffic.transform_fields import Outcome, by_name, outcome

_SLASHES = re.compile(rb"//+")


class TargetChange:
    """Change a request target that is in normal form: what comes out is in normal form too, and climbs nowhere."""

    __slots__ = ("_path", "_query")

    def __init__(self, path: PathRule | None, query: Sequence[FieldRule]) -> None:
        self._path = Substitution(path.pattern, path.replacement) if path is not None else None
        self._query = {
            name.encode(): (_Parameter(name, outcome(group, is_present=True)), outcome(group, is_present=False))
            for name, group in by_name(query, folds=False).items()
        }

    def apply(self, target: bytes) -> bytes:
        """Return the target for the backend. Raises BadRequest if the rule for the path makes no path of it."""
        path, mark, query = target.partition(b"?")
        if self._path is not None:
            path = _checked(self._path.first(path), path)
        if not self._query:
            return path + mark + query
        query = self._asked(query)
        return b"%b?%b" % (path, query) if query else path

    def _asked(self, query: bytes) -> bytes:
        """Change the query in one pass: of several parameters with a new value the first one stays."""
        pieces: list[bytes] = []
        seen: set[bytes] = set()
        for piece in query.split(b"&") if query else ():
            name = unquote_to_bytes(piece.partition(b"=")[0].replace(b"+", b" "))
            rule = self._query.get(name)
            if rule is None or rule[0].outcome.is_kept:
                pieces.append(piece)
            elif rule[0].outcome.value is not None and name not in seen:
                pieces.append(rule[0].text(rule[0].outcome.value))
            seen.add(name)
        for name, (parameter, absent) in self._query.items():
            if name not in seen and absent.value is not None:
                pieces.append(parameter.text(absent.value))
        return b"&".join(pieces)


class _Parameter:
    """A query parameter with what becomes of it where it is there."""

    __slots__ = ("_name", "outcome")

    def __init__(self, name: str, present: Outcome) -> None:
        self._name = quote(name, safe="")
        self.outcome = present

    def text(self, value: bytes) -> bytes:
        """Write the parameter with a value, escaped."""
        return f"{self._name}={quote(value, safe='')}".encode("ascii")


def _checked(path: bytes, before: bytes) -> bytes:
    """Return a path in normal form, or refuse it; `before` is in this form."""
    if path == before:
        return path
    path = _SLASHES.sub(b"/", path) or b"/"
    is_path = len(path) <= MOST_GROWTH and b"?" not in path and normal_path(path) is not None
    if not is_path or CLIMBS.search(path) is not None:
        raise BadRequest("The path leads nowhere after it has been rewritten", reason="path_climbs")
    return path
