"""Which routes match common paths, while nothing but the order of the alphabet prefers one of them."""

from collections.abc import Iterator

from kairos._speedups.matcher import Leaf, Mixed, Node
from kairos.routing.pattern import PARAMETER


def ambiguities(node: Node) -> Iterator[tuple[Leaf, Leaf]]:
    """Yield pairs of places below a node that one path leads to alike; the first of a pair gets it.

    Only segments that mix literals and parameters can be equally specific. All pairs are found, and they may be as many
    as the square of the number of places: stop when it is enough.
    """
    yield from _rivals(node.mixed)
    for branch in (*node.literals.values(), *(mixed.node for mixed in _parameters(node))):
        yield from ambiguities(branch)


def _rivals(branches: tuple[Mixed, ...]) -> Iterator[tuple[Leaf, Leaf]]:
    """Pair branches that may take the same segment.

    Sorted by the end that tells more, those that agree there follow one another, and the others are never compared.
    """
    ranked = list(enumerate(branches))
    starts = [mixed.pieces[0] for mixed in branches]
    ends = [mixed.pieces[-1][::-1] for mixed in branches]
    keys = starts if len(set(starts)) >= len(set(ends)) else ends
    ranked.sort(key=lambda item: (_literal_size(item[1]), keys[item[0]]))
    for position, (rank, mixed) in enumerate(ranked):
        for other_rank, other in ranked[position + 1 :]:
            if _literal_size(other) != _literal_size(mixed) or not keys[other_rank].startswith(keys[rank]):
                break
            if _overlap(mixed.pieces, other.pieces):
                first, second = sorted((rank, other_rank))
                yield from _common(branches[first].node, branches[second].node)


def _common(one: Node, other: Node) -> Iterator[tuple[Leaf, Leaf]]:
    """Yield pairs of places that some path leads to from both nodes."""
    if one.leaf is not None and other.leaf is not None:
        yield one.leaf, other.leaf
    if one.tail is not None:
        yield from ((one.tail, leaf) for leaf in _places_after(other))
    if other.tail is not None:
        yield from ((leaf, other.tail) for leaf in _places_after(one) if leaf is not one.tail)
    for pair in _common_branches(one, other):
        yield from _common(*pair)


def _common_branches(one: Node, other: Node) -> Iterator[tuple[Node, Node]]:
    """Yield the branches of two nodes that some segment leads into alike."""
    mine, theirs = _parameters(one), _parameters(other)
    for text, node in one.literals.items():
        if text in other.literals:
            yield node, other.literals[text]
        yield from ((node, rival.node) for rival in theirs if text and rival.values(text) is not None)
    for parameter in mine:
        for text, node in other.literals.items():
            if text and parameter.values(text) is not None:
                yield parameter.node, node
        yield from ((parameter.node, rival.node) for rival in theirs if _overlap(parameter.pieces, rival.pieces))


def _places_after(node: Node) -> Iterator[Leaf]:
    """Yield the places that take at least one segment more."""
    if node.tail is not None:
        yield node.tail
    for branch in (*node.literals.values(), *(mixed.node for mixed in _parameters(node))):
        if branch.leaf is not None:
            yield branch.leaf
        yield from _places_after(branch)


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
