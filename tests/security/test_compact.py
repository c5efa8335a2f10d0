"""Tokens in their compact form: one way to write each, and no other."""

import json
from contextlib import suppress
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from kairos.security.compact import MAX_TOKEN_BYTES, Malformed, decode, json_object, read_header, split
from tests.security.asking import segment, token

# RFC 7515 appendix A.1.1.
EXAMPLE = (
    b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
    b".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    b".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)


def test_the_example_of_the_standard_is_read() -> None:
    parts = split(EXAMPLE)

    assert (parts.header.algorithm, parts.header.kid) == ("HS256", None)
    assert json_object(decode(parts.payload)) == {
        "iss": "joe",
        "exp": 1300819380,
        "http://example.com/is_root": True,
    }
    assert len(parts.signature) == 32


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b".",
        b"..",
        b"...",
        b"a.b",
        EXAMPLE + b".",
        b"." + EXAMPLE,
        EXAMPLE + b".x.y",  # encrypted tokens have five parts
        EXAMPLE[:-1],
        EXAMPLE + b"=",
        EXAMPLE + b"\n",
        EXAMPLE.replace(b"-", b"+"),
        EXAMPLE.replace(b"_", b"/"),
        EXAMPLE.partition(b".")[2],
        EXAMPLE.rpartition(b".")[0],
        b"{}." + EXAMPLE.partition(b".")[2],
        b"A" * MAX_TOKEN_BYTES + EXAMPLE,
    ],
)
def test_what_is_not_such_a_token_is_refused(text: bytes) -> None:
    with pytest.raises(Malformed):
        split(text)


def test_a_signature_can_be_written_in_one_way_only() -> None:
    assert EXAMPLE.endswith(b"k")
    for last in b"lmn":  # these differ in bits that do not count
        with pytest.raises(Malformed):
            split(EXAMPLE[:-1] + bytes((last,)))


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b'"HS256"',
        b"{}",
        b'{"alg":1}',
        b'{"alg":null}',
        b'{"alg":"HS256","alg":"none"}',
        b'{"alg":"HS256","\\u0061lg":"none"}',
        b'{"alg":"HS256","kid":1}',
        b'{"alg":"HS256","kid":null}',
        b'{"alg":"HS256","kid":["a"]}',
        b'{"alg":"HS256","kid":"' + b"x" * 513 + b'"}',
        b'{"alg":"HS256","crit":["exp"],"exp":1}',
        b'{"alg":"HS256","crit":[]}',
        b'{"alg":"HS256","b64":false,"crit":["b64"]}',
        b'{"alg":"HS256"} x',
        b'{"alg":"HS256"',
        b'{"alg":NaN}',
        b"\xff",
        b"[" * 2000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
    ],
)
def test_a_header_that_says_too_much_or_too_little_is_refused(header: bytes) -> None:
    with pytest.raises(Malformed):
        read_header(segment(header))


def test_a_header_may_have_more_than_we_read() -> None:
    text = b'{ "typ" : "at+jwt", "alg":"ES256", "kid":"\\u00e4", "x5t":"x", "jku":"http://evil" }'
    header = read_header(segment(text))
    assert (header.algorithm, header.kid) == ("ES256", "ä")


@pytest.mark.parametrize("text", [b'{"a":1,"a":1}', b'{"a":{"b":1,"b":2}}', b'[{"a":1}]', b'{"a":[{"b":1,"b":1}]}'])
def test_a_name_stands_once(text: bytes) -> None:
    with pytest.raises(Malformed):
        json_object(text)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@hypothesis.given(st.dictionaries(st.text(max_size=5), values, max_size=5), st.booleans(), st.sampled_from([None, 1]))
def test_an_object_is_read_however_it_is_written(found: dict[str, Any], ascii_only: bool, indent: int | None) -> None:
    assert json_object(json.dumps(found, ensure_ascii=ascii_only, indent=indent).encode()) == found


@hypothesis.given(st.binary())
def test_what_was_written_is_read(data: bytes) -> None:
    assert decode(segment(data)) == data


@hypothesis.given(st.text("ABab01-_", max_size=12).map(str.encode))
def test_what_is_read_would_be_written_like_that(text: bytes) -> None:
    try:
        data = decode(text)
    except Malformed:
        return
    assert segment(data) == text


@hypothesis.given(st.binary(max_size=60) | st.text(".eyJ0", max_size=40).map(str.encode))
def test_whatever_comes_is_read_or_refused(text: bytes) -> None:
    with suppress(Malformed):
        split(text)


def test_a_token_of_the_tests_is_one() -> None:
    assert split(token()).header.algorithm == "HS256"
