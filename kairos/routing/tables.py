"""The tables of a matcher, changed without touching those in use.

What a construction made or copied itself, it owns and changes in place; everything else it shares with the generation
before, and copies when a change comes to it. So a change costs what lies on its way, and both generations stay whole.
"""

from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from kairos._speedups.matcher import STATED, Endpoint, Entry, Group, Leaf, Matcher, Mixed, Node
from kairos.routing.hosts import parse_host
from kairos.routing.normalize import normalize
from kairos.routing.pattern import PARAMETER, TAIL, Segment, literal_path, parse_pattern
from kairos.routing.rewrite import parse_rewrite

Key = TypeVar("Key")
Value = TypeVar("Value")

Change = Callable[[Leaf | None], Leaf | None]
"""What happens at one place: from the leaf that is there to the leaf that shall be there."""


class Construction:
    """The next generation of a matcher, under way: `matcher` is whole after each step."""

    __slots__ = ("_owner", "matcher")

    def __init__(self, before: Matcher) -> None:
        self._owner = object()
        self.matcher = Matcher(normalize, before.any_host)
        self.matcher.exact = before.exact.copy()
        self.matcher.wildcards = before.wildcards.copy()
        self.matcher.builtins = before.builtins.copy()

    def add(self, entry: Entry) -> None:
        """Put a route in. Raises `PatternError`, or `ValueError` if another route has its place and method."""
        pattern = parse_pattern(entry.pattern)
        for segments, rank in pattern.places(entry.trailing_slash):
            rewrite = parse_rewrite(entry.internal, pattern, path_is_whole=rank == STATED)
            endpoint = Endpoint(entry, rewrite, rank, literal_path(segments))
            self._change(entry, segments, partial(_with, endpoint))

    def remove(self, entry: Entry) -> None:
        """Take a route out: the very entry that was put in. Raises `ValueError` if it is not there."""
        for segments, _ in parse_pattern(entry.pattern).places(entry.trailing_slash):
            self._change(entry, segments, partial(_without, entry))

    def _change(self, entry: Entry, segments: tuple[Segment, ...], change: Change) -> None:
        path = literal_path(segments)
        if entry.builtin:
            if path is None or entry.hosts:
                raise ValueError(f"the built-in route {entry.pattern} has parameters or hosts")
            _put(self.matcher.builtins, path, change(self.matcher.builtins.get(path)))
            return
        if not entry.hosts:
            self.matcher.any_host = self._changed_group(self.matcher.any_host, path, segments, change)
        for name, is_wildcard in set(map(parse_host, entry.hosts)):
            table = self.matcher.wildcards if is_wildcard else self.matcher.exact
            group = self._changed_group(table.get(name), path, segments, change)
            _put(table, name, group if group.literals or group.root is not None else None)

    def _changed_group(
        self, group: Group | None, path: bytes | None, segments: tuple[Segment, ...], change: Change
    ) -> Group:
        group = self._own_group(group)
        if path is None:
            group.root = self._changed_node(group.root, segments, change)
        else:
            _put(group.literals, path, change(group.literals.get(path)))
        return group

    def _changed_node(self, node: Node | None, segments: tuple[Segment, ...], change: Change) -> Node | None:
        """Change the place that `segments` lead to from here; return the node, or None if nothing is left in it."""
        node = self._own_node(node)
        if not segments:
            node.leaf = change(node.leaf)
        else:
            segment, rest = segments[0], segments[1:]
            if segment == TAIL:
                node.tail = change(node.tail)
            elif segment == PARAMETER:
                node.parameter = self._changed_node(node.parameter, rest, change)
            elif isinstance(segment, bytes):
                literals = node.literals or {}
                _put(literals, segment, self._changed_node(literals.get(segment), rest, change))
                node.set_literals(literals)
            else:
                node.mixed = self._changed_mixed(node.mixed, segment, rest, change)
        is_empty = not (node.literals or node.mixed or node.parameter or node.leaf or node.tail)
        return None if is_empty else node

    def _changed_mixed(
        self, branches: tuple[Mixed, ...], pieces: tuple[bytes, ...], rest: tuple[Segment, ...], change: Change
    ) -> tuple[Mixed, ...]:
        at = bisect_left(branches, _specificity(pieces), key=lambda mixed: _specificity(mixed.pieces))
        found = branches[at : at + 1] if at < len(branches) and branches[at].pieces == pieces else ()
        node = self._changed_node(found[0].node if found else None, rest, change)
        changed = (Mixed(pieces, node),) if node is not None else ()
        return branches[:at] + changed + branches[at + len(found) :]

    def _own_group(self, group: Group | None) -> Group:
        if group is not None and group.owner is self._owner:
            return group
        own = Group(self._owner)
        if group is not None:
            own.literals = group.literals.copy()
            own.root = group.root
        return own

    def _own_node(self, node: Node | None) -> Node:
        if node is not None and node.owner is self._owner:
            return node
        own = Node(self._owner)
        if node is not None:
            own.leaf = node.leaf
            own.set_literals(node.literals.copy())
            own.mixed = node.mixed
            own.parameter = node.parameter
            own.tail = node.tail
        return own


def no_routes() -> Matcher:
    """Make the tables of a router without routes."""
    return Matcher(normalize, Group(None))


def _with(endpoint: Endpoint, leaf: Leaf | None) -> Leaf:
    return Leaf((endpoint,) if leaf is None else (*leaf.endpoints, endpoint))


def _without(entry: Entry, leaf: Leaf | None) -> Leaf | None:
    endpoints = leaf.endpoints if leaf is not None else ()
    kept = tuple(endpoint for endpoint in endpoints if endpoint.entry is not entry)
    if len(kept) == len(endpoints):
        raise ValueError(f"{entry.pattern} is not there")
    return Leaf(kept) if kept else None


def _put(table: dict[Key, Value], key: Key, value: Value | None) -> None:
    """Set a key, or delete it if there is nothing to set."""
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


def _specificity(pieces: tuple[bytes, ...]) -> tuple[int, tuple[bytes, ...]]:
    """Order mixed segments: the one with more literal bytes comes first; the text makes the order total."""
    return -len(b"".join(pieces)), pieces
