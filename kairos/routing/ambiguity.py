"""Which routes match common paths, while nothing but the order of the alphabet prefers one of them."""

from collections.abc import Iterator

from kairos._speedups.matcher import Leaf, Mixed, Node
from kairos.routing.pattern import PARAMETER


def ambiguities(node: Node) -> Iterator[tuple[Leaf, Leaf]]:
    """Yield pairs of places below a node that one path leads to alike; the first of a pair gets it.

    Only segments that mix literals and parameters can be equally specific. Each of them is paired once at most.
    """
    yield from _rivals(node.mixed)
    for branch in (*node.literals.values(), *(mixed.node for mixed in _parameters(node))):
        yield from ambiguities(branch)


def _rivals(branches: tuple[Mixed, ...]) -> Iterator[tuple[Leaf, Leaf]]:
    """Pair branches that may take the same segment. Compared are neighbours in the order of the end that tells more."""
    ranked = list(enumerate(branches))
    starts = [mixed.pieces[0] for mixed in branches]
    ends = [mixed.pieces[-1][::-1] for mixed in branches]
    keys = starts if len(set(starts)) >= len(set(ends)) else ends
    ranked.sort(key=lambda item: (_literal_size(item[1]), keys[item[0]]))
    for position, (rank, mixed) in enumerate(ranked):
        for other_rank, other in ranked[position + 1 :]:
            if _literal_size(other) != _literal_size(mixed) or not keys[other_rank].startswith(keys[rank]):
                break
            pair = _common(mixed.node, other.node) if _overlap(mixed.pieces, other.pieces) else None
            if pair is not None:
                yield pair if rank < other_rank else pair[::-1]
                break


def _common(one: Node, other: Node) -> tuple[Leaf, Leaf] | None:
    """Return two places that some path leads to from both nodes."""
    if one.leaf is not None and other.leaf is not None:
        return one.leaf, other.leaf
    if one.tail is not None and (leaf := _some_leaf(other)) is not None:
        return one.tail, leaf
    if other.tail is not None and (leaf := _some_leaf(one)) is not None:
        return leaf, other.tail
    for pair in _common_branches(one, other):
        leaves = _common(*pair)
        if leaves is not None:
            return leaves
    return None


def _common_branches(one: Node, other: Node) -> Iterator[tuple[Node, Node]]:
    """Yield the branches of two nodes that some segment leads into alike."""
    for text, node in one.literals.items():
        if text in other.literals:
            yield node, other.literals[text]
        for parameter in _parameters(other):
            if text and parameter.values(text) is not None:
                yield node, parameter.node
    for parameter in _parameters(one):
        for text, node in other.literals.items():
            if text and parameter.values(text) is not None:
                yield parameter.node, node
        for rival in _parameters(other):
            if _overlap(parameter.pieces, rival.pieces):
                yield parameter.node, rival.node


def _some_leaf(node: Node) -> Leaf | None:
    """Return a place that takes at least one segment more; every branch leads to one."""
    if node.tail is not None:
        return node.tail
    branch = next(iter((*node.literals.values(), *(mixed.node for mixed in _parameters(node)))), None)
    return branch.leaf or _some_leaf(branch) if branch is not None else None


def _parameters(node: Node) -> tuple[Mixed, ...]:
    """List the branches of a node with parameters; a whole-segment parameter is one that has no literals."""
    return node.mixed if node.parameter is None else (*node.mixed, Mixed(PARAMETER, node.parameter))


def _overlap(one: tuple[bytes, ...], other: tuple[bytes, ...]) -> bool:
    """Say whether some text fits both: if the ends agree, what is between finds room in a text that is long enough."""
    starts = sorted((one[0], other[0]), key=len)
    ends = sorted((one[-1], other[-1]), key=len)
    return starts[1].startswith(starts[0]) and ends[1].endswith(ends[0])


def _literal_size(mixed: Mixed) -> int:
    return len(b"".join(mixed.pieces))
