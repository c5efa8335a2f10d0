"""A pair of places is ambiguous if, and only if, some path leads to both and neither is more specific."""

import re
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos.routing.ambiguity import ambiguities
from kairos.routing.router import Entry
from kairos.routing.tables import Construction, no_routes
from tests.routing.reference import regex, specificity

SEGMENTS = ["a", "{}", "{}-{}", "{}.{}", "a{}", "{}b", "a{}b"]
WORDS = ["a", "ab", "a-b", "a.b", "a-a.b", "a.b-b", "x"]
PATHS = ["/" + "/".join(words) for size in (1, 2) for words in product(WORDS, repeat=size)]
PATHS += [path + "/" for path in PATHS]


def pattern(segments: list[str], tail: list[str]) -> str:
    names = iter("pqrstuv")
    return re.sub(r"\{\}", lambda _: f"{{{next(names)}}}", "/" + "/".join(segments + tail))


patterns = st.builds(
    pattern, st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=2), st.sampled_from([[], [], [""], ["{rest...}"]])
)


def found(*texts: str) -> set[tuple[str, str]]:
    """Return the pairs of patterns that are told, each with the one that is preferred first."""
    construction = Construction(no_routes())
    for text in texts:
        construction.add(Entry(text, "/", ("GET",), text))
    root = construction.matcher.any_host.root
    pairs = list(ambiguities(root)) if root is not None else []
    told = {(first.endpoints[0].entry.pattern, second.endpoints[0].entry.pattern) for first, second in pairs}
    assert len(told) == len(pairs)
    return told


def decided_by_the_alphabet(one: str, other: str) -> bool:
    """Say whether the first segments that differ are equally specific mixes."""
    for mine, theirs in zip(specificity(one), specificity(other), strict=False):
        if mine != theirs:
            return bool(mine[:2] == theirs[:2] and mine[0] == 1)
    return False


def in_common(one: str, other: str) -> bool:
    return any(re.fullmatch(regex(one), path) and re.fullmatch(regex(other), path) for path in PATHS)


@settings(max_examples=300)
@given(st.lists(patterns, min_size=2, max_size=6, unique_by=specificity))
def test_ambiguous_is_what_shares_a_path_and_is_decided_by_the_alphabet(texts: list[str]) -> None:
    assert found(*texts) == {
        (one, other)
        for one, other in combinations(sorted(texts, key=specificity), 2)
        if decided_by_the_alphabet(one, other) and in_common(one, other)
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/x-{a}/{rest...}", "/{a}-y/b/{c}"),
        ("/{a}-y/b/{c}", "/x-{a}/{rest...}"),
        ("/x-{a}/{rest...}", "/{a}-y/{rest...}"),
        ("/x-{a}/{b}/{rest...}", "/{a}-y/b/c/d"),
        ("/x-{a}/{b}.{c}", "/{a}-y/b.c"),
        ("/x-{a}/b.c", "/{a}-y/{b}.{c}"),
        ("/p/{q}/x-{a}", "/p/{q}/{a}-y"),
        ("/x-{a}/b", "/{a}-y/b"),
    ],
)
def test_the_rest_of_the_patterns_may_meet_in_many_ways(one: str, other: str) -> None:
    assert found(one, other) == {tuple(sorted((one, other), key=specificity))}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/x-{a}/{rest...}", "/{a}-y"),
        ("/{a}-y", "/x-{a}/{rest...}"),
        ("/x-{a}/b/", "/{a}-y/{b}.{c}"),
        ("/x-{a}/", "/{a}-y/{b}"),
        ("/x-{a}/{b}", "/{a}-y/"),
        ("/x-{a}/{b}/c", "/{a}-y/{b}/d"),
        ("/x-{a}/v{b}", "/{a}-y/w{b}"),
    ],
)
def test_the_rest_of_the_patterns_may_have_nothing_in_common(one: str, other: str) -> None:
    assert not found(one, other)


def test_every_pair_of_many_branches_at_one_point_is_found() -> None:
    texts = [f"/{{a}}-{number:02}-{{b}}" for number in range(50)]

    assert found(*texts) == set(combinations(texts, 2))


def test_a_tail_is_ambiguous_with_every_place_below_its_rival() -> None:
    below = ["/{a}-y/", "/{a}-y/b", "/{a}-y/{c}", "/{a}-y/b/{c}.{d}", "/{a}-y/{rest...}"]

    assert found("/x-{a}/{rest...}", "/{a}-y", *below) == {(one, "/x-{a}/{rest...}") for one in below}


def test_branches_that_differ_at_either_end_are_no_rivals() -> None:
    for text in ("/{{a}}.ext{:03}", "/x{:03}-{{a}}"):
        construction = Construction(no_routes())
        for number in range(300):
            construction.add(Entry(text.format(number), "/", ("GET",), number))
        assert construction.matcher.any_host.root is not None

        assert not list(ambiguities(construction.matcher.any_host.root))
