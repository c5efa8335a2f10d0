"""The conditions of a status mapping."""

import pytest

from kairos.config.conditions import MOST_CLAUSES, parse_condition


@pytest.mark.parametrize(
    ("text", "what", "field", "operator", "value"),
    [
        ("method == GET", "method", b"", "==", b"GET"),
        ("  path != '/a b' ", "path", b"", "!=", b"/a b"),
        ('request.X-A == "it\'s"', "request", b"x-a", "==", b"it's"),
        ("response.Content-Type == text/html", "response", b"content-type", "==", b"text/html"),
        ("request.x exists", "request", b"x", "exists", b""),
        ("response.x absent", "response", b"x", "absent", b""),
        ("method == and", "method", b"", "==", b"and"),
        ("request.x == ''", "request", b"x", "==", b""),
    ],
)
def test_a_clause_says_what_is_looked_at_and_how(
    text: str, what: str, field: bytes, operator: str, value: bytes
) -> None:
    (clause,) = parse_condition(text)
    assert (clause.what, clause.field, clause.operator, clause.text) == (what, field, operator, value)


def test_clauses_are_joined_by_and() -> None:
    clauses = parse_condition("method == GET and path matches ^/api and request.x exists")
    assert [clause.operator for clause in clauses] == ["==", "matches", "exists"]


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("request.x == a", b"a", True),
        ("request.x == a", b"ab", False),
        ("request.x == a", None, False),
        ("request.x != a", b"b", True),
        ("request.x != a", None, True),
        ("request.x matches b+", b"abbc", True),
        ("request.x matches ^b", b"ab", False),
        ("request.x matches .*", None, False),
        ("request.x exists", b"", True),
        ("request.x exists", None, False),
        ("request.x absent", None, True),
        ("request.x absent", b"", False),
    ],
)
def test_a_clause_holds_for_a_value_or_not(text: str, value: bytes | None, expected: bool) -> None:
    assert parse_condition(text)[0].holds(value) is expected


@pytest.mark.parametrize(
    "text",
    [
        "", "and", "method", "method ==", "method = GET", "GET", "method == GET and", "method == GET or path == /",
        "method == GET path == /", "method exists", "path absent", "status == 200", "request. == 1", "request.a:b == 1",
        "path matches (", "path == 'a", "path == 'a'b", " and ".join(["method == GET"] * (MOST_CLAUSES + 1)),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        parse_condition(text)
