"""The header kernel: both twins read and copy the same."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos import _speedups
from kairos._speedups import _head_py

TWINS = [_head_py.FieldSet]
if _speedups.COMPILED:
    from kairos._speedups import head

    TWINS.append(head.FieldSet)

LONG_NAME = b"x-" + b"very-" * 20 + b"long-name"

HEAD = (
    b"GET /path?a: b HTTP/1.1\r\n"
    b"Host: example.com:8080\r\n"
    b"ACCEPT:text/html\r\n"
    b"Cookie: a=1\r\n"
    b"X-Empty:\r\n"
    b"X-Blank: \t \r\n"
    b"cookie: \t b=2; c=3 \t\r\n"
    b"X_Under: score\r\n"
    b"Hosting: not the host\r\n"
    b"\r\n"
)


@pytest.fixture(params=TWINS, ids=lambda twin: twin.__module__.rpartition(".")[2])
def field_set(request: pytest.FixtureRequest) -> Any:
    return request.param


def head_of(*lines: bytes) -> bytes:
    return b"\r\n".join((b"GET / HTTP/1.1", *lines, b"", b""))


def test_values_come_in_the_order_of_the_names(field_set: Any) -> None:
    assert field_set((b"accept", b"host", b"via")).values(HEAD) == (b"text/html", b"example.com:8080", None)


def test_values_of_a_repeated_field_are_joined_and_stripped(field_set: Any) -> None:
    assert field_set((b"cookie",)).values(HEAD) == (b"a=1, b=2; c=3",)


def test_an_empty_value_is_there(field_set: Any) -> None:
    assert field_set((b"x-empty", b"x-blank")).values(HEAD) == (b"", b"")


def test_a_repeated_field_keeps_its_empty_members(field_set: Any) -> None:
    assert field_set((b"a",)).values(head_of(b"A:", b"a: 1", b"A:")) == (b", 1, ",)


def test_a_name_in_a_target_or_value_is_no_field(field_set: Any) -> None:
    raw = b"GET /x?a:1 HTTP/1.1\r\nB: a: 2\r\n\r\n"

    assert field_set((b"get /x?a", b"a")).values(raw) == (None, None)


def test_a_head_may_have_no_fields(field_set: Any) -> None:
    assert field_set((b"host",)).values(head_of()) == (None,)
    assert field_set((b"host",)).copy_without(head_of(), (b"<",), (b">",)) == b"<>"


def test_a_set_may_be_empty(field_set: Any) -> None:
    raw = head_of(b"Host: a", b"B_c: d")

    assert field_set(()).values(raw) == ()
    assert field_set(()).copy_without(raw, (), (b"\r\n",)) == b"Host: a\r\nB_c: d\r\n\r\n"


def test_a_copy_leaves_out_what_is_in_the_set_and_keeps_the_rest_as_it_is(field_set: Any) -> None:
    copied = field_set((b"host", b"cookie")).copy_without(HEAD, (b"first line\r\n",), (b"X-Added: 1\r\n\r\n",))

    assert copied == (
        b"first line\r\n"
        b"ACCEPT:text/html\r\n"
        b"X-Empty:\r\n"
        b"X-Blank: \t \r\n"
        b"X_Under: score\r\n"
        b"Hosting: not the host\r\n"
        b"X-Added: 1\r\n\r\n"
    )


def test_names_with_underscores_can_be_dropped(field_set: Any) -> None:
    raw = head_of(b"X_Under: 1", b"_: 2", b"a_b_c: 3", b"X-Value: with_under: score", b"Host: a_b")

    copied = field_set((), True).copy_without(raw, (), ())

    assert copied == b"X-Value: with_under: score\r\nHost: a_b\r\n"


@pytest.mark.parametrize("length", [1, 31, 32, 33, 255, 5000])
def test_names_may_have_any_length(field_set: Any, length: int) -> None:
    name = b"n" * length
    raw = head_of(name.upper() + b": 1", name + b"n: 2")

    assert field_set((name,)).values(raw) == (b"1",)
    assert field_set((name,)).copy_without(raw, (), ()) == name + b"n: 2\r\n"


def test_names_of_the_same_length_are_kept_apart(field_set: Any) -> None:
    raw = head_of(b"Age: 1", b"Via: 2", b"Foo: 3")

    assert field_set((b"via", b"age")).values(raw) == (b"2", b"1")
    assert field_set((b"via", b"age")).copy_without(raw, (), ()) == b"Foo: 3\r\n"


def test_bytes_beyond_ascii_pass_unchanged(field_set: Any) -> None:
    value = bytes(range(0x80, 0x100))
    raw = head_of(b"X-Obs: " + value, b"B: " + value)

    assert field_set((b"x-obs",)).values(raw) == (value,)
    assert field_set((b"x-obs",)).copy_without(raw, (), ()) == b"B: " + value + b"\r\n"


@pytest.mark.parametrize("name", [b"", b"Host", b"hosT"])
def test_a_name_must_be_lower_case_and_not_empty(field_set: Any, name: bytes) -> None:
    with pytest.raises(ValueError, match="not a lower-case field name"):
        field_set((b"date", name))


def test_a_set_tells_its_names(field_set: Any) -> None:
    assert field_set((b"host", b"date")).names == (b"host", b"date")


@pytest.mark.parametrize("blank", [b" ", b"\t", b" \t"])
def test_a_long_run_of_blanks_costs_no_more_than_its_length(field_set: Any, blank: bytes) -> None:
    """A search that goes back over the blanks again and again would run into the time limit of the test."""
    value = b"a" + blank * 1_000_000 + b"b"

    assert field_set((b"host",)).values(head_of(b"Host: " + value)) == (value,)


NAMES = st.sampled_from(
    [b"host", b"cookie", b"date", b"x", b"x-y", b"x_y", b"_", b"connection", b"n" * 31, b"n" * 32, LONG_NAME]
)
VALUES = st.binary(max_size=20).map(lambda value: value.translate(None, b"\r\n\0"))
OWS = st.text(" \t", max_size=3).map(str.encode)
FIELDS = st.builds(
    lambda name, upper, before, value, after: (name.upper() if upper else name) + b":" + before + value + after,
    NAMES,
    st.booleans(),
    OWS,
    VALUES,
    OWS,
)


@pytest.mark.skipif(len(TWINS) < 2, reason="the extensions are not in use")
@given(st.lists(FIELDS, max_size=8), st.lists(NAMES, unique=True).map(tuple), st.booleans())
def test_both_twins_do_the_same(lines: list[bytes], names: tuple[bytes, ...], drops_underscores: bool) -> None:
    raw = head_of(*lines)
    python, compiled = (twin(names, drops_underscores) for twin in TWINS)

    assert compiled.values(raw) == python.values(raw)
    assert compiled.copy_without(raw, (b"before",), (b"after",)) == python.copy_without(raw, (b"before",), (b"after",))


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), st.lists(NAMES, unique=True).map(tuple))
def test_nothing_is_lost_and_nothing_is_made_up(fields: list[tuple[bytes, bytes]], names: tuple[bytes, ...]) -> None:
    raw = head_of(*(name + b": " + value for name, value in fields))
    subject = _speedups.FieldSet(names)

    assert subject.copy_without(raw, (), ()) == b"".join(
        name + b": " + value + b"\r\n" for name, value in fields if name not in names
    )
    for name, found in zip(names, subject.values(raw), strict=True):
        values = [value.strip(b" \t") for other, value in fields if other == name]
        assert found == (b", ".join(values) if values else None)
