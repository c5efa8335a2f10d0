"""The parts that the matcher is made of."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos._speedups.matcher import (
    NO_TAIL,
    OTHER_SLASH,
    STATED,
    Endpoint,
    Entry,
    Group,
    Leaf,
    Matcher,
    Mixed,
    Node,
    Rewrite,
    Template,
    host_name,
    quoted_for_query,
)
from kairos.errors import BadRequest, MethodNotAllowed, RouteNotFound


def endpoint(methods: str, rank: int = STATED, literal: bytes | None = None) -> Endpoint:
    entry = Entry("/p", "/i", tuple(methods.split()), f"{methods} {rank}")
    rewrite = Rewrite(Template((b"/i",), ()), None, False, False)
    return Endpoint(entry, rewrite, rank, literal)


def refuse(target: bytes) -> tuple[bytes, bytes]:
    raise BadRequest(f"not normal: {target!r}")


# Template


def test_a_template_is_filled_in_one_pass() -> None:
    template = Template((b"/", b"/", b""), (1, 0))

    assert template.filled([b"{1}", b"b"]) == b"/b/{1}"
    assert template.filled([b"c", b"d"]) == b"/d/c"


def test_a_template_without_gaps_is_what_it_is() -> None:
    assert Template((b"/a",), ()).filled([b"x"]) == b"/a"


def test_what_separates_in_a_query_is_quoted() -> None:
    assert quoted_for_query(b"a&b=c+d;e/f%26") == b"a%26b%3Dc%2Bd%3Be/f%26"


# Endpoint


def test_a_path_that_is_kept_is_the_very_object_that_came() -> None:
    target = b"/a/1?x"
    rewrite = Rewrite(Template((b"/a/", b""), (0,)), None, keeps_path=True, may_climb=False)
    kept = Endpoint(Entry("/a/{b}", "/a/{b}", ("GET",), None), rewrite, STATED, None)

    assert kept.upstream_target(target, b"/a/1", [b"1"]) is target


# Mixed

pieces = st.tuples(
    st.sampled_from([b"", b"a"]),
    st.lists(st.sampled_from([b"a", b"b", b"-", b"2", b"2F", b"ab"]), max_size=2),
    st.sampled_from([b"", b"b", b"F"]),
)
texts = st.lists(st.sampled_from([b"a", b"b", b"-", b"2", b"F", b"%2F", b"%22"]), max_size=8).map(b"".join)


@given(pieces, texts)
def test_a_mixed_segment_captures_like_a_greedy_regular_expression(
    parts: tuple[bytes, list[bytes], bytes], text: bytes
) -> None:
    first, between, last = parts
    expression = rb"((?:%[0-9A-F]{2}|[^%])+)".join(map(re.escape, (first, *between, last)))
    found = re.fullmatch(expression, text)

    values = Mixed((first, *between, last), Node(None)).values(text)

    assert values == (list(found.groups()) if found is not None else None)


# Leaf


def test_each_method_has_its_route() -> None:
    get, post = endpoint("GET"), endpoint("POST PUT")
    leaf = Leaf((post, get))

    assert leaf.allow == "GET, HEAD, POST, PUT"
    assert set(leaf.endpoints) == {get, post}


def test_the_pattern_that_stands_at_a_place_comes_before_the_others() -> None:
    leaf = Leaf((endpoint("GET", NO_TAIL), endpoint("GET", STATED), endpoint("GET", OTHER_SLASH)))

    assert [one.rank for one in leaf.endpoints] == [STATED, OTHER_SLASH, NO_TAIL]


def test_the_pattern_that_stands_at_a_place_has_all_methods_of_it() -> None:
    matcher = Matcher(refuse, Group(None))
    matcher.any_host.literals[b"/p"] = Leaf((endpoint("GET PUT", OTHER_SLASH), endpoint("POST")))

    with pytest.raises(MethodNotAllowed) as refusal:
        matcher.match(b"GET", b"", b"/p")

    assert refusal.value.allow == "POST"
    assert matcher.match(b"POST", b"", b"/p").destination == "POST 0"


def test_two_routes_of_the_same_rank_cannot_have_the_same_method() -> None:
    with pytest.raises(ValueError, match="two routes claim GET"):
        Leaf((endpoint("PUT GET"), endpoint("GET")))


# Matcher


def test_what_is_the_same_for_all_requests_is_made_once() -> None:
    matcher = Matcher(refuse, Group(None))
    matcher.any_host.literals[b"/p"] = Leaf((endpoint("GET", literal=b"/p"),))

    first, second, third = (matcher.match(b"GET", b"", target) for target in (b"/p", b"/p", b"/p?q"))

    assert first.upstream_target is second.upstream_target
    assert (first.destination, first.params, first.pattern, first.upstream_target) == ("GET 0", (), "/p", b"/i")
    assert (third.destination, third.params, third.pattern, third.upstream_target) == ("GET 0", (), "/p", b"/i?q")


def test_only_a_target_that_is_not_normal_is_normalised() -> None:
    seen: list[bytes] = []

    def normalize(target: bytes) -> tuple[bytes, bytes]:
        seen.append(target)
        return b"/p", b"/p?q"

    matcher = Matcher(normalize, Group(None))
    matcher.any_host.literals[b"/p"] = Leaf((endpoint("GET", literal=b"/p"),))

    assert matcher.match(b"GET", b"", b"/p?a").upstream_target == b"/i?a"
    assert matcher.match(b"GET", b"", b"/%70?b").upstream_target == b"/i?q"
    assert seen == [b"/%70?b"]


def test_a_target_that_cannot_be_normalised_is_refused() -> None:
    with pytest.raises(BadRequest, match="not normal"):
        Matcher(refuse, Group(None)).match(b"GET", b"", b"/..")


def test_messages_show_the_path_as_it_came() -> None:
    matcher = Matcher(lambda target: (b"/p", b"/p"), Group(None))

    with pytest.raises(RouteNotFound) as lost:
        matcher.match(b"GET", b"", b"//\xc3?secret")
    matcher.any_host.literals[b"/p"] = Leaf((endpoint("GET"),))
    with pytest.raises(MethodNotAllowed) as refused:
        matcher.match(b"P\xd6ST", b"", b"//p?secret")

    assert lost.value.message == "No route found for path: //\\xc3"
    assert refused.value.message == "Method P\\xd6ST not allowed for path: //p"
    assert refused.value.allow == "GET, HEAD"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (b"Example.COM", b"example.com"),
        (b"example.com:8080", b"example.com"),
        (b"example.com.", b"example.com"),
        (b"example.com.:8080", b"example.com"),
        (b"[::1]", b"[::1]"),
        (b"[2001:DB8::1]:443", b"[2001:db8::1]"),
        (b"192.0.2.1:80", b"192.0.2.1"),
        (b"", b""),
        (b":80", b""),
        (b"[", b""),
    ],
)
def test_the_name_of_a_host_is_without_port_and_case(host: bytes, name: bytes) -> None:
    assert host_name(host) == name
