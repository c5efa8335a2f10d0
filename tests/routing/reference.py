"""The obvious router: try every route, and take the best by the rules of docs/routing.md. Slow, and easy to believe."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kairos.routing.router import Entry

CHARACTER = r"(?:%[0-9A-F]{2}|[^/%])"
PLACEHOLDER = re.compile(r"\{(\w+)(\.\.\.)?\}")


@dataclass(frozen=True)
class Hit:
    """A pattern that matches: the smaller `rank`, the more specific."""

    rank: tuple[Any, ...]
    entry: Entry
    params: tuple[bytes, ...]


def decide(entries: Sequence[Entry], method: str, host: str, path: str) -> tuple[Any, ...]:
    """Return ("found", destination, params), ("no method", allow) or ("no route",)."""
    users = [entry for entry in entries if not entry.builtin]
    builtins = [entry for entry in entries if entry.builtin and hits_of(entry, path)]
    for group in by_host(users, host):
        hits = [hit for entry in group for hit in hits_of(entry, path)]
        if builtins:
            hits = [hit for hit in hits if all(kind == 0 for kind, *_ in hit.rank[0])]
        if hits:
            return by_method(hits, method)
    return by_method([hit for entry in builtins for hit in hits_of(entry, path)], method) if builtins else ("no route",)


def by_host(entries: Sequence[Entry], host: str) -> Iterable[list[Entry]]:
    """Yield the routes of each host pattern that fits, the most specific first."""
    name = host.lower().rpartition(":")[0] if re.search(r":\d+$", host) else host.lower()
    patterns = {pattern.lower() for entry in entries for pattern in entry.hosts}
    fitting = [
        pattern
        for pattern in patterns
        if pattern.startswith("*") and name.endswith(pattern[1:]) and name != pattern[1:]
    ]
    for pattern in [name, *sorted(fitting, key=len, reverse=True)]:
        yield [entry for entry in entries if pattern in (one.lower() for one in entry.hosts)]
    yield [entry for entry in entries if not entry.hosts]


def by_method(hits: list[Hit], method: str) -> tuple[Any, ...]:
    """Decide among the routes with the best pattern, and of these among those that state the form that came."""
    best = min(hit.rank for hit in hits)
    equal = [hit for hit in hits if hit.rank == best]
    allowed = {name for hit in equal for name in hit.entry.methods}
    allowed |= {"HEAD"} if "GET" in allowed else set()
    for wanted in (method, "GET") if method == "HEAD" else (method,):
        for hit in equal:
            if wanted in hit.entry.methods:
                return "found", hit.entry.destination, hit.params
    return "no method", ", ".join(sorted(allowed))


def hits_of(entry: Entry, path: str) -> list[Hit]:
    """Return how a route matches a path: as its pattern stands, or with another end."""
    found = []
    for pattern, detour, missing in forms(entry):
        match = re.fullmatch(regex(pattern), path)
        if match is not None:
            values = tuple(value.encode() for value in (*match.groups(), *missing))
            found.append(Hit((specificity(pattern), detour), entry, values))
    return found


def forms(entry: Entry) -> Iterable[tuple[str, int, tuple[str, ...]]]:
    """Yield the patterns that a route stands for, with what they lack."""
    yield entry.pattern, 0, ()
    if entry.trailing_slash == "ignore" and entry.pattern != "/":
        head, _, last = entry.pattern.rpartition("/")
        if last.endswith("...}"):
            if head:
                yield head, 2, ("",)
        elif last == "":
            yield head, 1, ()
        else:
            yield entry.pattern + "/", 1, ()


def regex(pattern: str) -> str:
    """Write a pattern as a regular expression."""
    pieces = re.split(r"(\{\w+(?:\.\.\.)?\})", pattern)
    return "".join(
        ("(.*)" if piece.endswith("...}") else f"({CHARACTER}+)") if piece.startswith("{") else re.escape(piece)
        for piece in pieces
    )


def specificity(pattern: str) -> tuple[Any, ...]:
    """Rank each segment: literal 0, mixed 1 (more literal bytes first, then by text), parameter 2, tail 3."""
    ranks: list[tuple[Any, ...]] = []
    for segment in pattern[1:].split("/"):
        literals = re.split(r"\{\w+(?:\.\.\.)?\}", segment)
        if len(literals) == 1:
            ranks.append((0,))
        elif segment.endswith("...}"):
            ranks.append((3,))
        elif not any(literals):
            ranks.append((2,))
        else:
            ranks.append((1, -len("".join(literals)), tuple(literals)))
    return tuple(ranks)
