"""Cache-Control: what is read of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.traffic.caching.control import MOST_SECONDS, directives, fields_named, seconds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, {}),
        (b"", {}),
        (b"no-store", {b"no-store": None}),
        (b"Max-Age=60, PUBLIC", {b"max-age": b"60", b"public": None}),
        (b'max-age="60"', {b"max-age": b"60"}),
        (b'private="a, b" , no-cache="x\\"y"', {b"private": b"a, b", b"no-cache": b'x"y'}),
        (b",, ,no-cache,", {b"no-cache": None}),
        (b"max-age=1, max-age=2", {b"max-age": None}),
        (b"max-age=1, max-age=1", {b"max-age": b"1"}),
        (b'private="a", private', {b"private": None}),
        (b'private="a, no-store', {b"private": None, b"no-store": None}),
        (b"max-age = 60", {b"max-age": None}),
        (b"max-age=60;public", {b"max-age": None}),
        (b"=5, ()", {}),
    ],
)
def test_directives(value: bytes | None, expected: dict[bytes, bytes | None]) -> None:
    assert directives(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", None),
        (b"max-age=0", 0),
        (b"max-age=60", 60),
        (b"max-age=-1", 0),
        (b"max-age=1.5", 0),
        (b"max-age", 0),
        (b"max-age=99999999999999999999999999", MOST_SECONDS),
        (b"max-age=4294967296", MOST_SECONDS),
    ],
)
def test_seconds(value: bytes, expected: int | None) -> None:
    assert seconds(directives(value), b"max-age") == expected


def test_fields_are_named_in_lower_case() -> None:
    assert fields_named(directives(b'no-cache="Set-Cookie, X-A"'), b"no-cache") == (b"set-cookie", b"x-a")
    assert fields_named(directives(b"no-cache"), b"no-cache") is None


@given(st.binary(max_size=200))
def test_anything_can_be_read(value: bytes) -> None:
    found = directives(value)

    assert all(name and name == name.lower() for name in found)
    assert b"no-store" in directives(value.replace(b'"', b"") + b", no-store")


@given(st.dictionaries(st.sampled_from([b"no-store", b"public", b"max-age", b"x"]), st.none() | st.just(b"7")))
def test_what_is_written_is_read(said: dict[bytes, bytes | None]) -> None:
    text = b", ".join(name if value is None else name + b"=" + value for name, value in said.items())

    assert directives(text) == said
