# cython: annotation_typing=False, boundscheck=False, wraparound=False
"""Find the route of a request: host first, then path, then method.

How it works
------------
A `Matcher` holds a `Group` of patterns for each host name, for each wildcard, and for requests to any host. The first
group in which some pattern matches the path decides; within it the most specific pattern, segment by segment from the
left: a literal before a mix of literals and parameters, that before a parameter, and a tail last. A pattern that states
the slash at the end as it came goes before one that ignores it. Methods are looked at only then: a wrong method never
falls through to a less specific pattern, which might be less protected.

A pattern without parameters beats every other that matches the same path, so these are in a plain dict. The others make
a tree with one level per segment; the search goes back to the next best branch when one leads nowhere. No branch is
entered twice, so a search is bounded by the size of the tree, whatever the path.

`kairos.routing` builds all this; once a matcher is in use, nothing in it changes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

from kairos._speedups import normal_path
from kairos.errors import BadRequest, MethodNotAllowed, RouteNotFound

# Ranks: a pattern matches what it states, and with `trailing_slash: ignore` also without the slash or tail at its end,
# or with a slash more.
STATED, OTHER_SLASH, NO_TAIL = range(3)

MAX_HOST_BYTES = 255  # RFC 1035 section 2.3.4; it also bounds the search for a wildcard

# C integers when compiled, and then not seen from outside.
_NO_TAIL = NO_TAIL
_PERCENT = ord("%")
_SLASH = ord("/")

# A segment that some backend may read as "." or "..": an escaped slash or a backslash may separate, a ";" may end it.
CLIMBS = re.compile(rb"(?:/|%2F|%5C)\.\.?(?:/|%2F|%5C|;|\Z)")
SEPARATES_IN_QUERY = re.compile(rb"[&=+;]")


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One route as the router sees it. `destination` is handed back by a match and never looked into."""

    pattern: str
    internal: str
    methods: tuple[str, ...]
    destination: object
    hosts: tuple[str, ...] = ()
    trailing_slash: str = "strict"
    empty_segments: str = "collapse"
    builtin: bool = False
    """Whether the gateway brings it along: it loses to a route of equal path, and wins over parameters and tails."""


class Template:
    """A text with gaps. `literals` has one piece more than `gaps`; a gap is the number of the value that fills it."""

    __slots__ = ("_gaps", "_parts")

    def __init__(self, literals: tuple[bytes, ...], gaps: tuple[int, ...]) -> None:
        self._gaps = gaps
        self._parts = literals[:1]
        for literal in literals[1:]:
            self._parts += (b"", literal)

    def filled(self, values: list[bytes]) -> bytes:
        """Put the values in, in one pass: a value that looks like a placeholder stays what it is."""
        parts = list(self._parts)
        position = 1
        for gap in self._gaps:
            parts[position] = values[gap]
            position += 2
        return b"".join(parts)


@dataclass(frozen=True, slots=True, eq=False)
class Rewrite:
    """How the upstream target is made of what the client sent and what the pattern captured."""

    path: Template
    query: Template | None
    keeps_path: bool
    """Whether the internal path is the external one."""
    may_climb: bool
    """Whether a value makes up only a part of a segment, so that ".." may arise from harmless values."""


class Endpoint:
    """One route at one place of the tables, where the whole pattern stands or a short form of it (see the ranks)."""

    __slots__ = (
        "_fixed",
        "_keeps_path",
        "_may_climb",
        "_path",
        "_query",
        "destination",
        "entry",
        "rank",
        "refuses_empty",
    )

    def __init__(self, entry: Entry, rewrite: Rewrite, rank: int, literal: bytes | None) -> None:
        self.entry = entry
        self.rank = rank
        self.destination = entry.destination
        self.refuses_empty = entry.empty_segments == "refuse"
        self._path = rewrite.path
        self._query = rewrite.query
        self._keeps_path = rewrite.keeps_path
        self._may_climb = rewrite.may_climb
        self._fixed: bytes | None = None  # without parameters and query the upstream target is always the same
        if literal is not None:
            self._fixed = self.upstream_target(literal, literal, [b""])  # all that can be captured here is no tail

    def upstream_target(self, target: bytes, path: bytes, captured: list[bytes]) -> bytes:
        """Return path and query to forward; `target` is in normal form and begins with `path`."""
        size = len(path)
        if self._fixed is not None and size == len(target):
            return self._fixed
        internal = path if self._keeps_path else self._path.filled(captured)
        if (self._may_climb or _PERCENT in path) and CLIMBS.search(internal) is not None:
            raise BadRequest("A path parameter climbs out of the internal path", reason="path_climbs")
        text = target  # a pointer when compiled: a slice of it is a plain copy
        if self._query is None:
            if size == len(target):
                return internal
            return target if self._keeps_path else internal + text[size : len(target)]
        internal = internal + b"?" + self._query.filled([quoted_for_query(value) for value in captured])
        return internal + b"&" + text[size + 1 : len(target)] if size + 1 < len(target) else internal


class Match:
    """Where a request goes. `params` are the captured values in the order of the pattern, escaped as they came."""

    __slots__ = ("endpoint", "params", "upstream_target")

    endpoint: Endpoint
    params: tuple[bytes, ...]
    upstream_target: bytes

    @property
    def destination(self) -> object:
        """The destination of the route."""
        return self.endpoint.destination

    @property
    def pattern(self) -> str:
        """The external path of the route."""
        return self.endpoint.entry.pattern


class Leaf:
    """All routes at one place. Those of the best rank have it to themselves, and share it by method."""

    __slots__ = ("_by_method", "_first", "allow", "endpoints")

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        self.endpoints = tuple(sorted(endpoints, key=attrgetter("rank")))
        self._first = self.endpoints[0]
        best = tuple(one.entry.methods for one in self.endpoints if one.rank == self._first.rank)
        self._by_method, self.allow = method_table(best)

    def endpoint(self, method: bytes) -> Endpoint | None:
        """Return the route for a method."""
        index = self._by_method.get(method, -1)
        if index <= 0:
            return self._first if index == 0 else None
        return self.endpoints[index]


class Mixed:
    """A branch for segments like `{name}.{suffix}`: `pieces` are the literals before, between and after parameters."""

    __slots__ = ("_between", "_first", "_last", "node", "pieces")

    def __init__(self, pieces: tuple[bytes, ...], node: "Node") -> None:
        self.pieces = pieces
        self.node = node
        self._first, *between, self._last = pieces
        self._between = tuple(reversed(between))

    def values(self, segment: bytes) -> list[bytes] | None:
        """Return what the parameters capture, the first one as much as it can, then the next; None if nothing fits."""
        start = len(self._first)
        end = len(segment) - len(self._last)
        if start >= end or not segment.startswith(self._first) or not segment.endswith(self._last):
            return None
        if cuts_escape(segment, end):
            return None
        values = []
        for piece in self._between:
            # As far right as it fits, which leaves most to the parameters before it.
            at = segment.rfind(piece, start + 1, end - 1)
            while at >= 0 and cuts_escape(segment, at):
                at = segment.rfind(piece, start + 1, at + len(piece) - 1)
            if at < 0:
                return None
            values.append(segment[at + len(piece) : end])
            end = at
        values.append(segment[start:end])
        values.reverse()
        return values


class Node:
    """What may follow at one point of the tree. `owner` is the construction that may still change it."""

    __slots__ = ("_literal", "_only", "leaf", "literals", "mixed", "owner", "parameter", "tail")

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.leaf: Leaf | None = None
        self.set_literals(NO_LITERALS)
        self.mixed: tuple[Mixed, ...] = ()
        self.parameter: Node | None = None
        self.tail: Leaf | None = None

    def set_literals(self, literals: "dict[bytes, Node]") -> None:
        """Take the branches for literal segments. A single one is compared in place, which spares a copy and a hash."""
        self.literals = literals or NO_LITERALS
        self._literal = b""
        self._only: Node | None = None
        if len(literals) == 1:
            self._literal, self._only = next(iter(literals.items()))

    def find(self, path: bytes, start: int, captured: list[bytes]) -> Leaf | None:
        """Find the most specific pattern for `path[start:]`, and append what its parameters capture to `captured`."""
        if start > len(path):
            return self.leaf
        leaf = self._find_literal(path, start, captured)
        if leaf is None and (self.parameter is not None or self.mixed):
            leaf = self._find_parameter(path, start, captured)
        if leaf is None and self.tail is not None:
            captured.append(path[start:])
            leaf = self.tail
        return leaf

    def _find_literal(self, path: bytes, start: int, captured: list[bytes]) -> Leaf | None:
        if self._only is not None:
            end = start + len(self._literal)
            if path.startswith(self._literal, start) and (end == len(path) or path[end] == _SLASH):
                return self._only.find(path, end + 1, captured)
        elif self.literals:
            segment = segment_at(path, start)
            node = self.literals.get(segment)
            if node is not None:
                return node.find(path, start + len(segment) + 1, captured)
        return None

    def _find_parameter(self, path: bytes, start: int, captured: list[bytes]) -> Leaf | None:
        segment = segment_at(path, start)
        if not segment:
            return None  # a parameter takes one character or more
        after = start + len(segment) + 1
        for mixed in self.mixed:
            values = mixed.values(segment)
            if values is not None:
                captured.extend(values)
                leaf = mixed.node.find(path, after, captured)
                if leaf is not None:
                    return leaf
                del captured[len(captured) - len(values) :]
        if self.parameter is None:
            return None
        captured.append(segment)
        leaf = self.parameter.find(path, after, captured)
        if leaf is None:
            captured.pop()
        return leaf


NO_LITERALS: dict[bytes, Node] = {}  # one for all nodes without: a large tree is smaller, and touches less memory


class Group:
    """The patterns for one host, one wildcard, or any host: those without parameters by path, the others as a tree."""

    __slots__ = ("literals", "owner", "root")

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.literals: dict[bytes, Leaf] = {}
        self.root: Node | None = None

    def find(self, path: bytes, is_builtin: bool, captured: list[bytes]) -> Leaf | None:
        """Find the most specific pattern for a path; where a built-in route waits, only one that is the path itself."""
        leaf = self.literals.get(path)
        if leaf is None and not is_builtin and self.root is not None:
            leaf = self.root.find(path, 1, captured)
        return leaf


class Matcher:
    """The tables of one generation. `exact` is keyed by host name, `wildcards` by what follows the asterisk."""

    __slots__ = ("_normalize", "any_host", "builtins", "exact", "wildcards")

    def __init__(self, normalize: Callable[[bytes], tuple[bytes, bytes]], any_host: Group) -> None:
        self._normalize = normalize
        self.any_host = any_host
        self.exact: dict[bytes, Group] = {}
        self.wildcards: dict[bytes, Group] = {}
        self.builtins: dict[bytes, Leaf] = {}

    def match(self, method: bytes, host: bytes, target: bytes) -> Match:
        """Find the route of a request and what to forward.

        `host` is the value of the Host field, `target` the path and query as received. Raises `RouteNotFound`,
        `MethodNotAllowed`, or `BadRequest` for a target that no route may see.
        """
        received = target
        path = normal_path(target)
        if path is None:
            path, target = self._normalize(received)
        captured: list[bytes] = []
        leaf = self._find(host, path, captured)
        if leaf is None:
            raise RouteNotFound(f"No route found for path: {shown(raw_path(received))}")
        endpoint = leaf.endpoint(method)
        if endpoint is None:
            message = f"Method {shown(method)} not allowed for path: {shown(raw_path(received))}"
            raise MethodNotAllowed(message, allow=leaf.allow)
        if endpoint.refuses_empty and received is not target and b"//" in raw_path(received):
            raise BadRequest("The path has an empty segment", reason="empty_segment")
        if endpoint.rank == _NO_TAIL:
            captured.append(b"")
        match = Match.__new__(Match)
        match.endpoint = endpoint
        match.params = tuple(captured)
        match.upstream_target = endpoint.upstream_target(target, path, captured)
        return match

    def _find(self, host: bytes, path: bytes, captured: list[bytes]) -> Leaf | None:
        builtin = self.builtins.get(path) if self.builtins else None
        if self.exact or self.wildcards:
            leaf = self._find_on_host(host, path, builtin is not None, captured)
            if leaf is not None:
                return leaf
        leaf = self.any_host.find(path, builtin is not None, captured)
        return leaf if leaf is not None else builtin

    def _find_on_host(self, host: bytes, path: bytes, is_builtin: bool, captured: list[bytes]) -> Leaf | None:
        """Look among the routes for this host, then among those for wildcards, the longest one first."""
        leaf = None
        name = host
        group = self.exact.get(name)  # most clients write a host in the form that is kept here
        if group is None:
            name = host_name(host)
            group = self.exact.get(name)
        if group is not None:
            leaf = group.find(path, is_builtin, captured)
        if leaf is not None or not self.wildcards or len(name) > MAX_HOST_BYTES:
            return leaf
        dot = name.find(b".", 1)
        while dot >= 0 and leaf is None:
            group = self.wildcards.get(name[dot:])
            if group is not None:
                leaf = group.find(path, is_builtin, captured)
            dot = name.find(b".", dot + 1)
        return leaf


@lru_cache
def method_table(claims: tuple[tuple[str, ...], ...]) -> tuple[dict[bytes, int], str]:
    """Say which of several routes takes which method, and list all methods. A route comes as its methods.

    HEAD is allowed where GET is (RFC 9110 section 9.3.2). Places with the same methods share one table, which stays in
    the processor's cache so.
    """
    table: dict[bytes, int] = {}
    for index, methods in enumerate(claims):
        for method in methods:
            if table.setdefault(method.encode(), index) != index:
                raise ValueError(f"two routes claim {method} at the same place")
    if b"GET" in table:
        table.setdefault(b"HEAD", table[b"GET"])
    return table, b", ".join(sorted(table)).decode()


def host_name(host: bytes) -> bytes:
    """Return the name in a Host field: lower case, without port and without the dot of a fully qualified name."""
    if host.startswith(b"["):  # an IPv6 address, RFC 3986 section 3.2.2
        return host[: host.find(b"]") + 1].lower()
    return host.partition(b":")[0].removesuffix(b".").lower()


def segment_at(path: bytes, start: int) -> bytes:
    """Return the segment that begins at `start`."""
    text = path  # a pointer when compiled: a slice of it is a plain copy
    end = start
    while end < len(path) and text[end] != _SLASH:
        end += 1
    return text[start:end]


def cuts_escape(text: bytes, at: int) -> bool:
    """Say whether `at` lies within a percent escape."""
    return (at >= 1 and text[at - 1] == _PERCENT) or (at >= 2 and text[at - 2] == _PERCENT)


def quoted_for_query(value: bytes) -> bytes:
    """Escape what would let a value from the path add parameters to a query."""
    return SEPARATES_IN_QUERY.sub(lambda found: b"%%%02X" % found[0][0], value)


def raw_path(target: bytes) -> bytes:
    """Return the path of a target as received."""
    return target.partition(b"?")[0]


def shown(text: bytes) -> str:
    """Return bytes from the wire for a message."""
    return text.decode("ascii", "backslashreplace")
