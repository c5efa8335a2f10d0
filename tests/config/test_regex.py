"""Regular expressions of the operator."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos.config.regex import MOST_GROWTH, Regex, Substitution


@pytest.mark.parametrize(
    "pattern", ["(", "(?=x)", r"(a)\1", "a{1001}", "x" * 1001, "[[:nothing:]]", "((((x{50}){50}){50}){50})"]
)
def test_what_cannot_be_used_is_refused_with_a_reason(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        Regex(pattern)


@pytest.mark.parametrize(
    ("pattern", "replacement", "text", "expected"),
    [
        ("Mozilla/5.0", "KairosGateway/5.0", b"Mozilla/5.0 (compatible)", b"KairosGateway/5.0 (compatible)"),
        (r"Mozilla/(\d+\.\d+)", "Kairos/$1", b"Mozilla/5.0 Mozilla/4.1", b"Kairos/5.0 Kairos/4.1"),
        (".*", "x", b"abc", b"x"),
        ("b*", "-", b"abc", b"-a-c-"),
        ("(?P<first>a)(b)?", "$first$2${2}$$1", b"ac", b"a$1c"),
        ("no", "yes", b"abc", b"abc"),
        ("$", "!", b"abc", b"abc!"),
        ("ü", "ue", "grün".encode(), b"gruen"),
        (".", "$0$0", b"\xff", b"\xff\xff"),
        ("(?i)ABC", "${0}1", b"abc", b"abc1"),
    ],
)
def test_every_match_is_replaced(pattern: str, replacement: str, text: bytes, expected: bytes) -> None:
    assert Substitution(pattern, replacement).all(text) == expected


@pytest.mark.parametrize(
    ("pattern", "replacement", "text", "expected"),
    [
        ("^/api/v1/(.+)$", "/v2/$1", b"/api/v1/users", b"/v2/users"),
        ("^/api/v1/(.+)$", "/v2/$1", b"/other", b"/other"),
        ("a", "b", b"aaa", b"baa"),
    ],
)
def test_the_first_match_is_replaced(pattern: str, replacement: str, text: bytes, expected: bytes) -> None:
    assert Substitution(pattern, replacement).first(text) == expected


@pytest.mark.parametrize("replacement", ["$1", "${2}", "$name", "${name}", "a$", "$ 1", "${", "x" * 1001])
def test_a_replacement_names_groups_that_there_are(replacement: str) -> None:
    with pytest.raises(ValueError, match="replacement"):
        Substitution("x", replacement)


def test_what_would_become_too_long_stays_as_it_is() -> None:
    text = b"a" * 1000
    assert Substitution("a", "b" * 1000).all(text) == text
    assert len(Substitution("a", "b" * 10).all(text)) == 10_000 < MOST_GROWTH


@settings(deadline=None)
@given(st.binary(max_size=50), st.text("ab.*()|?\\d", max_size=8))
def test_a_match_that_is_replaced_by_itself_changes_nothing(text: bytes, pattern: str) -> None:
    try:
        subject = Substitution(pattern, "$0")
    except ValueError:
        return
    assert subject.all(text) == text == subject.first(text)
