"""Patterns are read as the operator means them, or refused with what to write instead."""

import pytest

from kairos._speedups.matcher import NO_TAIL, OTHER_SLASH, STATED
from kairos.routing.pattern import MAX_SEGMENTS, PARAMETER, TAIL, PatternError, literal_path, parse_pattern


@pytest.mark.parametrize(
    ("text", "segments", "names"),
    [
        ("/", (b"",), ()),
        ("/users", (b"users",), ()),
        ("/users/", (b"users", b""), ()),
        ("/users/{id}", (b"users", PARAMETER), ("id",)),
        ("/{a}/{_b2}", (PARAMETER, PARAMETER), ("a", "_b2")),
        ("/f/{name}.{suffix}", (b"f", (b"", b".", b"")), ("name", "suffix")),
        ("/v{major}-x", ((b"v", b"-x"),), ("major",)),
        ("/files/{rest...}", (b"files", TAIL), ("rest",)),
        ("/{rest...}", (TAIL,), ("rest",)),
        ("/café/{größe}", (b"caf%C3%A9", PARAMETER), ("größe",)),
        ("/%7Euser/a%2fb", (b"~user", b"a%2Fb"), ()),
        ("/a|b", (b"a%7Cb",), ()),
    ],
)
def test_a_pattern_is_taken_apart_in_the_form_that_requests_have(
    text: str, segments: tuple[object, ...], names: tuple[str, ...]
) -> None:
    pattern = parse_pattern(text)

    assert (pattern.segments, pattern.names) == (segments, names)


@pytest.mark.parametrize(
    ("text", "complaint", "advice"),
    [
        ("users", "must start with '/'", "'/users'"),
        ("/users/{user_id", "never closed", "{name}"),
        ("/users/user_id}", "closes nothing", "{name}"),
        ("/a/{x/y}", "never closed", "{name}"),
        ("/users/{{id}}", "never closed", "{name}"),
        ("/users/{user id}", "not a parameter", "{user_id}"),
        ("/users/{}", "not a parameter", "{user_id}"),
        ("/users/{...}", "not a parameter", "{rest...}"),
        ("/users/{a-b}", "not a parameter", "{user_id}"),
        ("/{id}/x/{id}", "{id} is there twice", "name of its own"),
        ("/{id}/{id...}", "{id} is there twice", "name of its own"),
        ("/{rest...}/x", "not the whole last segment", "/{rest...}"),
        ("/files/x{rest...}", "not the whole last segment", "/{rest...}"),
        ("/files/{a}{rest...}", "not the whole last segment", "/{rest...}"),
        ("/{a}{b}", "touch", "literal between"),
        ("/a//b", "empty segment", "one '/'"),
        ("//", "empty segment", "one '/'"),
        ("/a/../b", "dot segment", "without"),
        ("/a/%2e", "dot segment", "without"),
        ("/a/..;x/b", "dot segment", "without"),
        ("/a?b=c", "query", "only the path"),
        ("/a#b", "fragment", "only the path"),
        ("/100%", "hexadecimal", "'%'"),
        ("/a%00", "NUL", "control"),
        ("/a\tb", "control", "control"),
        ("/a b", "space", "spaces"),
        ("/a" * (MAX_SEGMENTS + 1), "more than 64 segments", "{rest...}"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused_with_a_fix(text: str, complaint: str, advice: str) -> None:
    with pytest.raises(PatternError) as refusal:
        parse_pattern(text)

    assert complaint in refusal.value.message
    assert advice in refusal.value.fix


def test_patterns_that_differ_in_names_only_have_equal_segments() -> None:
    assert parse_pattern("/users/{id}").segments == parse_pattern("/users/{name}").segments


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("/", []),
        ("/users", [((b"users", b""), OTHER_SLASH)]),
        ("/users/", [((b"users",), OTHER_SLASH)]),
        ("/users/{id}", [((b"users", PARAMETER, b""), OTHER_SLASH)]),
        ("/files/{rest...}", [((b"files",), NO_TAIL)]),
        ("/{rest...}", []),
    ],
)
def test_a_route_that_ignores_the_trailing_slash_stands_at_two_places(text: str, others: list[object]) -> None:
    pattern = parse_pattern(text)

    assert list(pattern.places("strict")) == [(pattern.segments, STATED)]
    assert list(pattern.places("ignore")) == [(pattern.segments, STATED), *others]


def test_only_a_pattern_without_parameters_is_one_path() -> None:
    assert literal_path(parse_pattern("/a/b/").segments) == b"/a/b/"
    assert literal_path(parse_pattern("/").segments) == b"/"
    assert literal_path(parse_pattern("/a/{b}").segments) is None
    assert literal_path(parse_pattern("/{rest...}").segments) is None
