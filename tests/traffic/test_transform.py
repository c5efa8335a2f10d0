"""Rules that change heads: fields, target and status."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos._speedups import normal_path
from kairos.config.transformations import FieldRule, PathRule, StatusRule, Transformation
from kairos.errors import BadRequest
from kairos.protocols.http1.head import RequestHead, ResponseHead
from kairos.traffic.transform import RequestChange, ResponseChange
from tests.asking import question

REQUEST = b"GET /a HTTP/1.1\r\nHost: a\r\n"
ASKED = question(b"X-Debug: 1", target=b"/api/users?x=1").head


def add(name: str, value: str) -> FieldRule:
    return FieldRule("add", name, value)


def put(name: str, value: str) -> FieldRule:
    return FieldRule("set", name, value)


def remove(name: str) -> FieldRule:
    return FieldRule("remove", name)


def replace(name: str, pattern: str, replacement: str) -> FieldRule:
    return FieldRule("replace", name, pattern=pattern, replacement=replacement)


def changed(rules: tuple[FieldRule, ...], *lines: bytes) -> list[bytes]:
    """Return the fields of a request after the rules, without Host."""
    head = REQUEST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    after = RequestChange(Transformation(headers=rules)).head(head)
    assert after.startswith(REQUEST)
    assert after.endswith(b"\r\n\r\n")
    return after[len(REQUEST) : -2].split(b"\r\n")[:-1]


@pytest.mark.parametrize(
    ("rules", "lines", "expected"),
    [
        ((add("X-A", "1"),), (), [b"X-A: 1"]),
        ((add("X-A", "1"),), (b"x-a: 0", b"B: 2"), [b"x-a: 0", b"B: 2"]),
        ((put("X-A", "1"),), (), [b"X-A: 1"]),
        ((put("X-A", "1"),), (b"x-a: 0", b"B: 2", b"X-A: 9"), [b"B: 2", b"X-A: 1"]),
        ((remove("cookie"),), (b"Cookie: a", b"B: 2", b"Cookie: b"), [b"B: 2"]),
        ((remove("cookie"),), (b"B: 2",), [b"B: 2"]),
        ((replace("X", "a", "b"),), (), []),
        ((replace("X", "a", "b"),), (b"x: aa", b"X:ac"), [b"X: bb", b"X: bc"]),
        (
            (replace("User-Agent", "Mozilla/5.0", "KairosGateway/5.0"),),
            (b"User-Agent: Mozilla/5.0 (compatible)",),
            [b"User-Agent: KairosGateway/5.0 (compatible)"],
        ),
        ((put("X", "a"), replace("X", "a", "b"), add("X", "c")), (b"X: 0",), [b"X: b"]),
        ((remove("X"), add("X", "c")), (b"X: 0",), [b"X: c"]),
        ((add("X", "a"), replace("x", "a", "b")), (), [b"X: b"]),
        ((add("X", "a"), replace("x", "a", "b")), (b"X: aaa",), [b"X: bbb"]),
        ((replace("X", "a", "b"), replace("X", "b", "c")), (b"X: ab",), [b"X: cc"]),
        ((put("X", ""),), (), [b"X: "]),
        ((add("X", "1"), put("Y", "2"), remove("Z")), (b"Z: 3", b"B: 4"), [b"B: 4", b"Y: 2", b"X: 1"]),
    ],
)
def test_fields_are_changed_by_the_rules_in_their_order(
    rules: tuple[FieldRule, ...], lines: tuple[bytes, ...], expected: list[bytes]
) -> None:
    assert changed(rules, *lines) == expected


def target(path: tuple[str, str] | None, query: tuple[FieldRule, ...], given: bytes) -> bytes:
    rules = Transformation(path=PathRule(*path) if path is not None else None, query=query)
    return RequestChange(rules).target(given)


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (("^/api/v1/(.+)$", "/v2/$1"), b"/api/v1/users", b"/v2/users"),
        (("^/api/v1/(.+)$", "/v2/$1"), b"/other?api=/api/v1/x", b"/other?api=/api/v1/x"),
        (("^/api(/.*)", "/v2/$1"), b"/api/x?y=1", b"/v2/x?y=1"),
        (("^/api", ""), b"/api", b"/"),
        (("a", "b"), b"/a/a", b"/b/a"),
    ],
)
def test_the_first_match_in_the_path_is_replaced(path: tuple[str, str], before: bytes, after: bytes) -> None:
    assert target(path, (), before) == after


@pytest.mark.parametrize(
    ("path", "before"),
    [
        (("^/a/x", ""), b"/a/x../b"),
        (("x", "."), b"/a/.x/secret"),
        (("x", ""), b"/a/.x./secret"),
        (("x", ""), b"/a/.x.%2Fsecret"),
        (("x", ""), b"/a/x..%5Csecret"),
        (("2", ""), b"/%2Fa"),
        (("^/", ""), b"/a"),
        (("F", "E"), b"/a/%2F%2F"),
        (("x", ""), b"/a/.x.;v=1/b"),
        (("(a+)", "$1$1$1"), b"/" + b"a" * 6000),
    ],
)
def test_a_path_that_leads_nowhere_or_climbs_is_refused(path: tuple[str, str], before: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        target(path, (), before)
    assert (caught.value.status, caught.value.reason) == (400, "path_climbs")


@pytest.mark.parametrize(
    ("query", "before", "after"),
    [
        ((put("format", "json"),), b"/a", b"/a?format=json"),
        ((put("format", "json"),), b"/a?x=1&format=xml&y&format=csv", b"/a?x=1&format=json&y"),
        ((add("format", "json"),), b"/a?format=xml", b"/a?format=xml"),
        ((add("format", "json"),), b"/a?", b"/a?format=json"),
        ((remove("debug"),), b"/a?debug", b"/a"),
        ((remove("debug"),), b"/a?%64ebug=1&x=2&debug=3", b"/a?x=2"),
        ((FieldRule("replace", "q", "2"),), b"/a?q=1", b"/a?q=2"),
        ((FieldRule("replace", "q", "2"),), b"/a?p=1", b"/a?p=1"),
        ((put("a b", "c&d=e#\u00e4"),), b"/a?a+b=1&a%20b=2", b"/a?a%20b=c%26d%3De%23%C3%A4"),
        ((remove("x"), add("x", "1")), b"/a?x=0", b"/a?x=1"),
        ((), b"/a?", b"/a?"),
    ],
)
def test_the_query_is_changed_by_the_rules(query: tuple[FieldRule, ...], before: bytes, after: bytes) -> None:
    assert target(None, query, before) == after


RESPONSE = b"HTTP/1.1 404 Not Found\r\nServer: x\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("rules", "line"),
    [
        ((StatusRule(404, 200),), b"HTTP/1.1 200 OK"),
        ((StatusRule(502, 503),), b"HTTP/1.1 404 Not Found"),
        ((StatusRule(404, 410), StatusRule(404, 200)), b"HTTP/1.1 410 Gone"),
        ((StatusRule(404, 299),), b"HTTP/1.1 299 "),
        ((StatusRule(404, 200, "method == POST"), StatusRule(404, 410)), b"HTTP/1.1 410 Gone"),
        ((StatusRule(404, 200, "method == GET and path matches '^/api/'"),), b"HTTP/1.1 200 OK"),
        ((StatusRule(404, 200, "response.content-type matches ^text/html"),), b"HTTP/1.1 200 OK"),
        ((StatusRule(404, 200, "request.X-Debug exists and request.X-None absent"),), b"HTTP/1.1 200 OK"),
        ((StatusRule(404, 200, "request.X-None == 1"),), b"HTTP/1.1 404 Not Found"),
        ((StatusRule(404, 200, 'response.server != "x"'),), b"HTTP/1.1 404 Not Found"),
    ],
)
def test_the_first_status_rule_that_fits_is_taken(rules: tuple[StatusRule, ...], line: bytes) -> None:
    after = ResponseChange(Transformation(statuses=rules)).apply(RESPONSE, ASKED)
    assert after == line + RESPONSE[RESPONSE.find(b"\r\n") :]


def test_conditions_look_at_what_the_backend_said_before_the_rules() -> None:
    rules = Transformation(headers=(remove("Server"),), statuses=(StatusRule(404, 200, "response.server exists"),))
    after = ResponseChange(rules).apply(RESPONSE, ASKED)

    assert after.startswith(b"HTTP/1.1 200 OK\r\nContent-Type")
    assert ResponseHead(after, False).status == 200


def test_without_rules_nothing_changes() -> None:
    assert RequestChange(Transformation()).apply(REQUEST + b"\r\n", b"/a?b") == (REQUEST + b"\r\n", b"/a?b")
    assert ResponseChange(Transformation()).apply(RESPONSE, ASKED) == RESPONSE


names = st.sampled_from(["X-A", "x-a", "X-B", "Cookie"])
values = st.text("ab ;", max_size=4).map(str.strip)
field_rules = st.one_of(
    st.builds(FieldRule, st.sampled_from(["add", "set", "remove"]), names, values),
    st.builds(lambda name, one, other: replace(name, one, other), names, st.sampled_from("ab"), values),
)


def one_by_one(rules: list[FieldRule], fields: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Apply the rules as they read; the order among fields of different names is left out."""
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name.lower(), []).append(value)
    for rule in rules:
        key = rule.name.lower()
        if rule.action == "remove":
            found.pop(key, None)
        elif rule.action == "set" or (rule.action == "add" and key not in found):
            found[key] = [rule.value or ""]
        elif rule.action == "replace" and key in found:
            found[key] = [value.replace(rule.pattern or "", rule.replacement or "").strip() for value in found[key]]
    return found


@settings(deadline=None)
@given(st.lists(field_rules, max_size=6), st.lists(st.tuples(names, values), max_size=5))
def test_the_rules_at_once_do_what_they_do_one_by_one(rules: list[FieldRule], fields: list[tuple[str, str]]) -> None:
    lines = [f"{name}: {value}".encode() for name, value in fields]

    found: dict[str, list[str]] = {}
    for line in changed(tuple(rules), *lines):
        name, _, value = line.partition(b":")
        found.setdefault(name.decode().lower(), []).append(value.strip().decode())

    assert found == one_by_one(rules, fields)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["a", "..", ".", "%2F", "%5C", ";", "%C3%A4", "x", "/", "/"]), max_size=8),
    st.sampled_from(["x", "a", "%", "/", "[a-z]", "C3", "^/", "$"]),
    st.sampled_from(["", ".", "..", "/", "$0$0", "%2F", "2", "/.."]),
)
def test_what_comes_out_is_in_normal_form_and_never_climbs(parts: list[str], pattern: str, replacement: str) -> None:
    given_path = ("/" + "".join(parts)).encode()
    if normal_path(given_path) is None:
        return
    try:
        path = target((pattern, replacement), (), given_path + b"?q=1").removesuffix(b"?q=1")
    except BadRequest:
        return
    assert normal_path(path) == path
    if path != given_path:
        assert not re.search(rb"(?i)(?:/|%2f|%5c)\.\.?(?:/|%2f|%5c|;|$)", path)


def test_a_changed_request_is_still_one() -> None:
    rules = Transformation(headers=(put("X-A", "1"), add("Accept", "*/*"), remove("Cookie")))
    head = RequestHead(
        RequestChange(rules).head(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nCookie: a\r\n\r\n")
    )
    assert head.body_length == 3
