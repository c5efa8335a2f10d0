"""The router: which route a request takes, for one generation of the config."""

from collections.abc import Generator, Iterable
from typing import Self

from kairos._speedups.matcher import Entry, Match, Matcher
from kairos.config.document import Route
from kairos.routing.tables import Construction, no_routes

__all__ = ["Entry", "Match", "Router", "entry_of"]


def entry_of(route: Route, destination: object) -> Entry:
    """Make the entry of a route of the config."""
    return Entry(
        route.external_path,
        route.internal_path,
        route.methods,
        destination,
        route.hosts,
        route.trailing_slash,
        route.empty_segments,
    )


class Router:
    """Find the route of a request. A router never changes; `changed` makes the next one, which shares what is equal."""

    __slots__ = ("match", "matcher")

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self.match = matcher.match  # bound once: each request comes through here

    @classmethod
    def empty(cls) -> Self:
        """Make a router without routes."""
        return cls(no_routes())

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        """Make a router at one go."""
        construction = Construction(no_routes())
        for entry in entries:
            construction.add(entry)
        return cls(construction.matcher)

    def changed(self, removed: Iterable[Entry], added: Iterable[Entry]) -> Generator[None, None, "Router"]:
        """Make the next router; it is the value that the generator returns.

        It yields after each entry, so that the caller can do other work meanwhile. `removed` are entries that this
        router was made of, the very same objects. Raises `PatternError`, or `ValueError` for an entry that is not there
        or whose place and method another has. This router stays as it is, whatever happens.
        """
        construction = Construction(self.matcher)
        for entry in removed:
            construction.remove(entry)
            yield
        for entry in added:
            construction.add(entry)
            yield
        return Router(construction.matcher)
