"""Rules that change JSON bodies."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos.config.transformations import JsonBody, JsonRule
from kairos.protocols.http1.head import ResponseHead
from kairos.traffic.transform_json import JsonChange, JsonRules, UnfitBody, dumps, is_json, loads, with_length


def put(pointer: str, value: Any) -> JsonRule:
    return JsonRule("set", pointer, value)


def remove(pointer: str) -> JsonRule:
    return JsonRule("remove", pointer)


def rename(pointer: str, to: str) -> JsonRule:
    return JsonRule("rename", pointer, to=to)


def change(*rules: JsonRule, max_bytes: int = 1000, passes: bool = True) -> JsonChange:
    return JsonRules(JsonBody(rules, max_bytes, passes)).change()


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        (put("/a", 1), {}, {"a": 1}),
        (put("/a/b", None), {}, {"a": {"b": None}}),
        (put("/a/b", 1), {"a": 7}, {"a": 7}),
        (put("/a/0", 1), {"a": [5, 6]}, {"a": [1, 6]}),
        (put("/a/-", 1), {"a": [5]}, {"a": [5, 1]}),
        (put("/a/1", 1), {"a": [5]}, {"a": [5, 1]}),
        (put("/a/3", 1), {"a": [5]}, {"a": [5]}),
        (put("/a/00", 1), {"a": [5]}, {"a": [5]}),
        (put("/a", 1), [], []),
        (put("/a", 1), 7, 7),
        (put("/", 1), {}, {"": 1}),
        (put("/~1~0", 1), {}, {"/~": 1}),
        (JsonRule("add", "/a", 1), {"a": 0}, {"a": 0}),
        (JsonRule("add", "/b", 1), {"a": 0}, {"a": 0, "b": 1}),
        (remove("/a"), {"a": 1, "b": 2}, {"b": 2}),
        (remove("/a/0"), {"a": [1, 2]}, {"a": [2]}),
        (remove("/a/b"), {"a": 1}, {"a": 1}),
        (remove("/-"), [1], [1]),
        (rename("/a", "/b"), {"a": 1}, {"b": 1}),
        (rename("/a", "/b"), {"c": 1}, {"c": 1}),
        (rename("/a", "/x/y"), {"a": 1}, {"x": {"y": 1}}),
        (rename("/a", "/b/c"), {"a": 1, "b": 2}, {"a": 1, "b": 2}),
        (rename("/a/b", "/a"), {"a": {"b": {"b": 1}}}, {"a": {"b": 1}}),
        (rename("/0", "/-"), [1, 2], [2, 1]),
    ],
)
def test_a_rule_changes_what_its_pointer_leads_to(rule: JsonRule, before: Any, after: Any) -> None:
    subject = change(rule)

    assert subject.feed(json.dumps(before).encode()) == b""
    assert json.loads(subject.finish()) == after
    assert subject.is_changed


def test_a_body_may_come_in_pieces() -> None:
    subject = change(put("/b", 2), remove("/a"))

    assert [subject.feed(piece) for piece in (b'{"a"', b"", b": 1}")] == [b"", b"", b""]
    assert subject.finish() == b'{"b":2}'


def test_rules_are_not_spoilt_by_one_body_for_the_next() -> None:
    rules = JsonRules(JsonBody((put("/a", {}), put("/a/b", 1), JsonRule("add", "/c", []), put("/c/-", 1)), 100))
    for _ in range(2):
        subject = rules.change()
        subject.feed(b"{}")
        assert json.loads(subject.finish()) == {"a": {"b": 1}, "c": [1]}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[1e999]", b"[NaN, 12345678901234567890]", b"[1e999, 12345678901234567890]", b"[" * 5000,
     b'["\\ud800"]', b'["\\ud800", 12345678901234567890]', b"[" * 900 + b"12345678901234567890" + b"]" * 900 + b"}"],
)  # fmt: skip
def test_what_is_no_json_passes_or_fails(body: bytes) -> None:
    subject = change(put("/a", 1), max_bytes=10_000)
    assert subject.feed(body) == b""
    assert subject.finish() == body
    assert not subject.is_changed

    subject = change(put("/a", 1), max_bytes=10_000, passes=False)
    subject.feed(body)
    with pytest.raises(UnfitBody) as caught:
        subject.finish()
    assert (caught.value.as_request().status, caught.value.as_request().reason) == (400, "json_invalid")
    assert (caught.value.as_response().status, caught.value.as_response().reason) == (502, "json_invalid")


def test_what_is_too_long_passes_from_the_first_byte_on_or_fails() -> None:
    subject = change(put("/a", 1), max_bytes=5)
    assert [subject.feed(piece) for piece in (b"12345", b"6", b"7")] == [b"", b"123456", b"7"]
    assert subject.finish() == b""
    assert not subject.is_changed

    subject = change(put("/a", 1), max_bytes=5, passes=False)
    subject.feed(b"12345")
    with pytest.raises(UnfitBody) as caught:
        subject.feed(b"6")
    assert (caught.value.as_request().status, caught.value.as_request().reason) == (413, "json_too_large")


def test_integers_keep_their_digits() -> None:
    subject = change(put("/b", 1))
    subject.feed(b'{"a": 123456789012345678901234567890, "c": 18446744073709551616}')
    assert subject.finish() == b'{"a":123456789012345678901234567890,"c":18446744073709551616,"b":1}'


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(json_values)
def test_what_is_read_is_written_again(value: Any) -> None:
    body = json.dumps(value).encode()
    try:
        assert loads(dumps(loads(body))) == json.loads(body)
    except UnicodeEncodeError:
        pytest.fail("a text that cannot be written")


@settings(deadline=None)
@given(json_values, st.lists(st.sampled_from(["", "a", "b", "0", "1", "-"]), min_size=1, max_size=3), json_values)
def test_what_was_set_is_found_and_what_was_removed_is_not(value: Any, tokens: list[str], new: Any) -> None:
    pointer = "".join(f"/{token}" for token in tokens)
    for rule in (put(pointer, new), remove(pointer), rename(pointer, "/moved"), JsonRule("add", pointer, new)):
        subject = change(rule, max_bytes=10_000)
        subject.feed(json.dumps(value).encode())
        json.loads(subject.finish())
        assert subject.is_changed


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"Content-Type: application/json\r\n", True),
        (b"content-type: Application/Problem+JSON; charset=utf-8\r\n", True),
        (b"Content-Type: application/json\r\nContent-Encoding: identity\r\n", True),
        (b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n", False),
        (b"Content-Type: application/json\r\nContent-Range: bytes 0-1/2\r\n", False),
        (b"Content-Type: application/jsonp\r\n", False),
        (b"Content-Type: application/x-ndjson\r\n", False),
        (b"Content-Type: text/json\r\n", False),
        (b"", False),
    ],
)
def test_a_head_tells_whether_its_body_can_be_changed(lines: bytes, expected: bool) -> None:
    assert is_json(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n") == expected


def test_a_changed_body_has_another_length_and_no_old_validators() -> None:
    head = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: 1\r\nETag: a\r\nContent-MD5: x\r\n"
        b"Last-Modified: x\r\nAccept-Ranges: bytes\r\n\r\n"
    )
    after = with_length(head, 12)

    assert after == b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 12\r\n\r\n"
    assert ResponseHead(after, False).body_length == 12
