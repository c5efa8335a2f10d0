"""What is wrong with the routes of a config, before any request meets them."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import cast

from kairos._speedups.matcher import Leaf, Matcher
from kairos.config.document import Route
from kairos.config.findings import Problem
from kairos.routing.ambiguity import ambiguities
from kairos.routing.hosts import parse_host
from kairos.routing.pattern import PatternError, literal_path, parse_pattern
from kairos.routing.rewrite import parse_rewrite
from kairos.routing.router import entry_of
from kairos.routing.tables import Construction, no_routes

BUILTIN_PATHS = ("/health", "/ready", "/live")

MOST_AMBIGUITIES = 100  # a config that has more is told so


def problems(routes: Sequence[Route], builtin_paths: Collection[str] = BUILTIN_PATHS) -> Iterator[Problem]:
    """Yield what is wrong with the paths and hosts of routes: first route by route, then what concerns several.

    The cost grows with the number of routes, not with its square: duplicates are found by key, ambiguities in the tree
    that the matcher would use. Only what mixes literals and parameters at one and the same point is compared pair by
    pair. Raises `PatternError` for a built-in path that no router takes.
    """
    builtins = frozenset(literal_path(parse_pattern(path).segments) for path in builtin_paths)
    claims: dict[object, int] = {}
    construction = Construction(no_routes())
    for index, route in enumerate(routes):
        errors = list(_misspellings(index, route)) or list(_duplicates(index, routes, claims))
        yield from errors
        if not errors:
            yield from _overridden(index, route, builtins)
            construction.add(entry_of(route, index))
    yield from _ambiguities(construction.matcher, routes)


def _misspellings(index: int, route: Route) -> Iterator[Problem]:
    """Find what cannot be understood, in each field for itself."""
    try:
        pattern = parse_pattern(route.external_path)
    except PatternError as exc:
        yield Problem("error", index, "external_path", exc.message, exc.fix)
    else:
        try:
            parse_rewrite(route.internal_path, pattern, path_is_whole=True)
        except PatternError as exc:
            yield Problem("error", index, "internal_path", exc.message, exc.fix)
    for host in route.hosts:
        try:
            parse_host(host)
        except PatternError as exc:
            yield Problem("error", index, "hosts", exc.message, exc.fix)


def _duplicates(index: int, routes: Sequence[Route], claims: dict[object, int]) -> Iterator[Problem]:
    """Find the earlier routes with the same paths, host and method, and note what this one claims."""
    route = routes[index]
    segments = parse_pattern(route.external_path).segments
    others: dict[int, set[str]] = defaultdict(set)
    hosts: set[object] = set(map(parse_host, route.hosts))
    for host in hosts or {"any"}:
        for method in route.methods:
            holder = claims.setdefault((host, segments, method), index)
            if holder != index:
                others[holder].add(method)
    for other, methods in others.items():
        message = f"Duplicate route path detected: {route.external_path}"
        claimed = f"{', '.join(sorted(methods))} {routes[other].external_path}"
        fix = (
            f"router {other} has the same path, host and method ({claimed}); remove one, or change its methods or hosts"
        )
        yield Problem("error", index, "external_path", message, fix)


def _overridden(index: int, route: Route, builtins: Collection[bytes | None]) -> Iterator[Problem]:
    """Find the built-in endpoints that a route takes the place of; they are compared as the matcher keeps them."""
    for segments, _ in parse_pattern(route.external_path).places(route.trailing_slash):
        path = literal_path(segments)
        if path is not None and path in builtins:
            message = f"{route.external_path} takes the place of the built-in endpoint {path.decode()}"
            yield Problem("warning", index, "external_path", message, "choose another path, or move the built-in ones")


def _ambiguities(matcher: Matcher, routes: Sequence[Route]) -> Iterator[Problem]:
    """Find the routes that share paths with another one although neither is more specific."""
    pairs = _ambiguous_pairs(matcher)
    for preferred, other in islice(pairs, MOST_AMBIGUITIES):
        message = (
            f"{routes[other].external_path} and {routes[preferred].external_path} (route {preferred}) have "
            f"paths in common, and neither is more specific: the latter gets them"
        )
        yield Problem("warning", other, "external_path", message, "give one of them more literal text")
    for _, other in islice(pairs, 1):
        message = f"More than {MOST_AMBIGUITIES} pairs of routes have paths in common, and neither is more specific"
        yield Problem("warning", other, "external_path", message, "mend those that are told, then check again")


def _ambiguous_pairs(matcher: Matcher) -> Iterator[tuple[int, int]]:
    """Yield each pair of routes once, whatever the number of hosts on which they meet; the first gets the paths."""
    seen: set[tuple[int, int]] = set()
    for group in (matcher.any_host, *matcher.exact.values(), *matcher.wildcards.values()):
        for preferred, other in ambiguities(group.root) if group.root is not None else ():
            pair = _route_index(preferred), _route_index(other)
            if pair not in seen:
                seen.add(pair)
                yield pair


def _route_index(leaf: Leaf) -> int:
    return cast(int, leaf.endpoints[0].entry.destination)
