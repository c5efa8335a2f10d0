"""The next generation shares what did not change, and is the same as one built from nothing."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos._speedups.matcher import Entry, Leaf, Matcher, Node
from kairos.routing.tables import Construction, no_routes

PATTERNS = [
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/{x}",
    "/{x}/",
    "/a/{x}",
    "/a/{x}/c",
    "/a/{x}/d",
    "/a/{x}.{y}",
    "/a/{x}-{y}",
    "/a/v{x}/c",
    "/a/{rest...}",
    "/{rest...}",
    "/{x}/{y}/{rest...}",
]
HOSTS: list[tuple[str, ...]] = [(), ("h.example",), ("*.example",), ("g.example", "*.g.example")]


def entry(pattern: str, hosts: tuple[str, ...] = (), methods: str = "GET", **rest: Any) -> Entry:
    return Entry(pattern, "/", tuple(methods.split()), f"{methods} {pattern}", hosts, **rest)


def built(entries: list[Entry], before: Matcher | None = None) -> Matcher:
    construction = Construction(before if before is not None else no_routes())
    for one in entries:
        construction.add(one)
    return construction.matcher


ALL = [entry(pattern, hosts) for pattern in PATTERNS for hosts in HOSTS]
ALL += [entry(pattern, methods="PUT", trailing_slash="ignore") for pattern in PATTERNS]
ALL += [entry(path, builtin=True) for path in ("/health", "/a")]


def shape(matcher: Matcher) -> Any:
    """Write out all that a matcher holds."""
    groups = {"": matcher.any_host}
    groups |= {f"={name!r}": group for name, group in matcher.exact.items()}
    groups |= {f"*{name!r}": group for name, group in matcher.wildcards.items()}
    return (
        {path: leaf_shape(leaf) for path, leaf in matcher.builtins.items()},
        {
            name: (
                {path: leaf_shape(leaf) for path, leaf in group.literals.items()},
                node_shape(group.root),
            )
            for name, group in groups.items()
        },
    )


def node_shape(node: Node | None) -> Any:
    if node is None:
        return None
    return (
        {text: node_shape(branch) for text, branch in node.literals.items()},
        [(mixed.pieces, node_shape(mixed.node)) for mixed in node.mixed],
        node_shape(node.parameter),
        leaf_shape(node.leaf),
        leaf_shape(node.tail),
    )


def leaf_shape(leaf: Leaf | None) -> Any:
    return leaf and sorted((endpoint.rank, endpoint.entry.destination) for endpoint in leaf.endpoints)


def nodes(node: Node | None) -> Iterator[Node]:
    if node is not None:
        yield node
        for branch in (*node.literals.values(), *(mixed.node for mixed in node.mixed), node.parameter):
            yield from nodes(branch)


@settings(max_examples=60)
@given(st.randoms())
def test_generations_are_as_if_built_from_nothing_and_leave_their_ancestors_alone(chance: random.Random) -> None:
    present: list[Entry] = []
    matcher = no_routes()
    history = [(matcher, shape(matcher))]
    for _ in range(6):
        removed = chance.sample(present, chance.randint(0, len(present)))
        absent = [one for one in ALL if one not in present or one in removed]
        added = chance.sample(absent, chance.randint(0, min(8, len(absent))))
        construction = Construction(matcher)
        for one in removed:
            construction.remove(one)
        for one in added:
            construction.add(one)
        present = [one for one in present if one not in removed] + added
        matcher = construction.matcher
        history.append((matcher, shape(matcher)))

    assert shape(matcher) == shape(built(chance.sample(present, len(present))))
    for generation, was in history:
        assert shape(generation) == was


def test_taking_everything_out_leaves_nothing() -> None:
    matcher = built(ALL)

    construction = Construction(matcher)
    for one in ALL:
        construction.remove(one)

    assert shape(construction.matcher) == shape(no_routes())


def test_a_change_copies_only_what_lies_on_its_way() -> None:
    before = built([entry(f"/api/{area}/{{x}}/part{part}") for area in "abcdefgh" for part in range(8)])

    after = built([entry("/api/a/{x}/new")], before)

    old = set(map(id, nodes(before.any_host.root)))
    copied = [node for node in nodes(after.any_host.root) if id(node) not in old]
    assert len(old) == 1 + 1 + 8 + 8 + 64
    assert len(copied) == 5


def test_a_group_of_another_host_is_shared_whole() -> None:
    before = built([entry("/a/{x}"), entry("/a/{x}", ("h.example",))])

    after = built([entry("/b/{x}", ("h.example",))], before)

    assert after.any_host is before.any_host
    assert after.exact[b"h.example"] is not before.exact[b"h.example"]


def test_a_construction_copies_nothing_twice() -> None:
    construction = Construction(built([entry("/a/{x}")]))
    construction.add(entry("/a/{x}/1"))
    first = list(map(id, nodes(construction.matcher.any_host.root)))

    construction.add(entry("/a/{x}/2"))

    assert list(map(id, nodes(construction.matcher.any_host.root)))[: len(first)] == first


def test_mixed_branches_are_kept_in_the_order_of_specificity() -> None:
    patterns = ["/{a}-{b}", "/long-{a}", "/{a}.{b}", "/x{a}", "/{a}-mid-{b}"]
    orders = {
        tuple(mixed.pieces for mixed in root.mixed)
        for rotation in range(len(patterns))
        for root in [built([entry(one) for one in patterns[rotation:] + patterns[:rotation]]).any_host.root]
        if root is not None
    }

    assert orders == {
        (
            (b"", b"-mid-", b""),
            (b"long-", b""),
            (b"", b"-", b""),
            (b"", b".", b""),
            (b"x", b""),
        )
    }


@pytest.mark.parametrize("bad", [entry("/a/{x}", builtin=True), entry("/a", ("h.example",), builtin=True)])
def test_a_builtin_route_is_one_path_for_all_hosts(bad: Entry) -> None:
    with pytest.raises(ValueError, match="built-in"):
        built([bad])


def test_a_place_and_method_belong_to_one_route() -> None:
    with pytest.raises(ValueError, match="GET"):
        built([entry("/a/{x}", methods="PUT GET"), entry("/a/{y}", methods="GET")])


def test_a_host_that_is_listed_twice_counts_once() -> None:
    matcher = built([entry("/a", ("h.example", "H.example."))])

    assert list(matcher.exact) == [b"h.example"]
