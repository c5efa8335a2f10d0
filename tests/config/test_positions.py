"""The position scanner agrees with the JSON parser."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kairos.config.findings import pointer
from kairos.config.positions import scan

TEXT = """\
{
  "version": 1,
  "routers": [
    {"port": 0, "methods": []}
  ]
}
"""

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def place(text: str, pointer: str, *, at_key: bool = False) -> tuple[int, int]:
    positions = scan(text)
    return positions.line_and_column(positions.offset(pointer, at_key=at_key))


def every_value(value: Any, path: tuple[str | int, ...] = ()) -> dict[str, Any]:
    found = {pointer(path): value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        found |= every_value(inner, (*path, step))
    return found


def test_a_value_is_found_where_an_editor_shows_it() -> None:
    assert place(TEXT, "") == (1, 1)
    assert place(TEXT, "/version") == (2, 14)
    assert place(TEXT, "/routers/0") == (4, 5)
    assert place(TEXT, "/routers/0/port") == (4, 14)


def test_a_key_is_found_before_its_value() -> None:
    assert place(TEXT, "/routers/0/port", at_key=True) == (4, 6)


def test_what_is_missing_is_shown_at_the_object_that_lacks_it() -> None:
    assert place(TEXT, "/routers/0/internal_path") == place(TEXT, "/routers/0")
    assert place(TEXT, "/routers/7/port") == place(TEXT, "/routers")
    assert place(TEXT, "/jwt/secret") == (1, 1)


def test_a_repeated_key_is_reported_with_both_places_and_stands_for_its_last_value() -> None:
    text = '{"a": {"x": 1},\n "b": 2, "a": {"y": 3}}'
    positions = scan(text)

    assert [name for name, _, _ in positions.repeated] == ["/a"]
    _, first, again = positions.repeated[0]
    assert (positions.line_and_column(first), positions.line_and_column(again)) == ((1, 2), (2, 10))
    assert positions.offset("/a/y") == text.index("3")
    assert "/a/x" not in positions.values


def test_columns_count_characters_and_not_bytes() -> None:
    assert place('{"ä😀": 1}', "/ä😀") == (1, 8)


@given(values, st.sampled_from([None, 2]), st.booleans())
def test_every_value_stands_where_the_scanner_says(value: Any, indent: int | None, ensure_ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ensure_ascii)
    positions = scan(text)

    expected = every_value(value)
    assert positions.values.keys() == expected.keys()
    for name, inner in expected.items():
        found, _ = json.JSONDecoder().raw_decode(text, positions.values[name])
        assert found == inner
    assert not positions.repeated


@given(values)
def test_every_key_stands_where_the_scanner_says(value: Any) -> None:
    text = json.dumps(value, indent=1)
    positions = scan(text)

    for name, offset in positions.keys.items():
        key, _ = json.JSONDecoder().raw_decode(text, offset)
        assert pointer((key,)) == "/" + name.rpartition("/")[2]
        assert offset < positions.values[name]


def test_a_key_that_is_repeated_within_a_repeated_object_is_told_once() -> None:
    positions = scan('{"a": {"x": 1, "x": 2}, "a": {"x": {"y": 3}}, "b": [{"c": 1}, {"c": 2}]}')

    assert [name for name, _, _ in positions.repeated] == ["/a/x", "/a"]
    assert positions.keys.keys() == {"/a", "/a/x", "/a/x/y", "/b", "/b/0/c", "/b/1/c"}


def test_what_stood_below_a_repeated_key_is_forgotten_at_every_level() -> None:
    positions = scan('{"a": {"b": {"c": [1]}, "b": 2}, "ab": {"c": 3}, "a": {}}')
    assert positions.values.keys() == {"", "/a", "/ab", "/ab/c"}
