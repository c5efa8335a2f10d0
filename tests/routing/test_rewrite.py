"""What the client sent becomes what the backend sees, and never climbs out of the internal path."""

from itertools import product
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.errors import BadRequest, RouteNotFound
from kairos.routing.pattern import PatternError, parse_pattern
from kairos.routing.rewrite import parse_rewrite
from kairos.routing.router import Entry, Router


def upstream_target(external: str, internal: str, target: bytes) -> bytes:
    router = Router.of([Entry(external, internal, ("GET",), None)])
    return router.match(b"GET", b"gateway", target).upstream_target


@pytest.mark.parametrize(
    ("external", "internal", "target", "expected"),
    [
        ("/cats/{id}", "/{id}", b"/cats/200", b"/200"),
        ("/cats/{id}", "/{id}", b"/cats/test%20space", b"/test%20space"),
        (
            "/api/orders/{order_id}/items/{item_id}",
            "/orders/{order_id}/items/{item_id}",
            b"/api/orders/7/items/9",
            b"/orders/7/items/9",
        ),
        ("/{a}/{b}", "/{b}/{a}/{b}", b"/1/2", b"/2/1/2"),
        ("/{a}/{b}", "/fixed", b"/1/2", b"/fixed"),
        ("/{a}/{b}", "/{a}/{b}", b"/%7Bb%7D/2", b"/%7Bb%7D/2"),
        ("/{a}/{b}", "/x/{a}/{b}", b"/{b}/2", b"/x/%7Bb%7D/2"),
        ("/f/{name}.{suffix}", "/{suffix}/{name}", b"/f/a.b.gz", b"/gz/a.b"),
        ("/files/{rest...}", "/data/{rest}", b"/files/a/b/", b"/data/a/b/"),
        ("/files/{rest...}", "/data/{rest...}", b"/files/", b"/data/"),
        ("/files/{rest...}", "/data", b"/files/a", b"/data"),
        ("/files/{rest...}", "/data?under={rest}&all=no", b"/files/a/", b"/data?under=a/&all=no"),
        ("/café/{x}", "/thé/{x}", b"/caf\xc3\xa9/1", b"/th%C3%A9/1"),
        ("/a", "/", b"/a", b"/"),
        ("/same/{x}", "/same/{x}", b"/same//%61", b"/same/a"),
    ],
)
def test_captured_values_fill_the_internal_path(external: str, internal: str, target: bytes, expected: bytes) -> None:
    assert upstream_target(external, internal, target) == expected


@pytest.mark.parametrize(
    ("external", "internal", "target", "expected"),
    [
        ("/a", "/b", b"/a?x=1&y", b"/b?x=1&y"),
        ("/a", "/b", b"/a?", b"/b?"),
        ("/a", "/a", b"/a?x=%zz/../", b"/a?x=%zz/../"),
        ("/a", "/b?", b"/a?x", b"/b?x"),
        ("/a", "/internal?src=gw", b"/a?a=1", b"/internal?src=gw&a=1"),
        ("/a", "/internal?src=gw", b"/a", b"/internal?src=gw"),
        ("/a", "/internal?src=gw", b"/a?", b"/internal?src=gw"),
        ("/u/{id}", "/user?id={id}", b"/u/7?a=1", b"/user?id=7&a=1"),
        ("/u/{id}", "/u/{id}?v=2", b"/u/7?a=1", b"/u/7?v=2&a=1"),
        ("/u/{id}/{x}", "/{x}?id={id}&{id}", b"/u/7/y", b"/y?id=7&7"),
        ("/a", "/b?q=ö", b"/a", b"/b?q=%C3%B6"),
    ],
)
def test_the_query_of_the_client_is_kept_and_merged(
    external: str, internal: str, target: bytes, expected: bytes
) -> None:
    assert upstream_target(external, internal, target) == expected


def test_a_value_cannot_add_parameters_to_the_query() -> None:
    target = upstream_target("/u/{id}", "/user?id={id}", b"/u/7&admin=1;a+b")

    assert target == b"/user?id=7%26admin%3D1%3Ba%2Bb"
    assert parse_qsl(target.partition(b"?")[2]) == [(b"id", b"7&admin=1;a+b")]


CLIMBERS = [
    b"..%2Fadmin",
    b"..%2fadmin",
    b"%2e%2e%2fadmin",
    b"..%5Cadmin",
    b"..\\admin",
    b"a%2F..%2F..%2Fadmin",
    b"a%5c..",
    b"a%2F.",
    b".%2Fa",
    b"%2F..",
    b"..%2F..%2F..%2Fetc%2Fpasswd",
    b"a%2F..;x%2Fb",
]


@pytest.mark.parametrize("value", CLIMBERS)
@pytest.mark.parametrize(
    ("external", "internal"),
    [
        *product(["/files/{x}", "/files/{x...}"], ["/data/{x}", "/files/{x}", "/data/{x}?y={x}"]),
        ("/files/{x}", "/data/{x}/end"),
    ],
)
def test_a_value_that_climbs_is_refused(external: str, internal: str, value: bytes) -> None:
    with pytest.raises(BadRequest) as refusal:
        upstream_target(external, internal, b"/files/" + value)

    assert refusal.value.status == 400
    assert refusal.value.reason == "path_climbs"


@pytest.mark.parametrize("value", CLIMBERS)
def test_a_value_that_is_not_forwarded_in_the_path_climbs_nowhere(value: bytes) -> None:
    assert upstream_target("/files/{x}", "/data", b"/files/" + value) == b"/data"
    assert upstream_target("/files/{x}", "/data?x={x}", b"/files/" + value).startswith(b"/data?x=")


@pytest.mark.parametrize(
    ("external", "internal", "target"),
    [
        ("/{a}-{b}", "/x/{a}{a}/y", b"/.-b"),
        ("/{a}-{b}", "/x/.{a}", b"/.-b"),
        ("/{a}-{b}", "/x/{a}", b"/..-b"),
        ("/{a}-{b}", "/x/{a};v=1", b"/..-b"),
        ("/{a}.{b}", "/x/{a}/{b}", b"/...b"),
        ("/{a}-{b}", "/x/{a}?y={b}", b"/..-b"),
    ],
)
def test_a_dot_segment_that_arises_from_parts_is_refused(external: str, internal: str, target: bytes) -> None:
    with pytest.raises(BadRequest, match="climbs"):
        upstream_target(external, internal, target)


@pytest.mark.parametrize(
    "value", [b"http%3A%2F%2Fexample.com%2F", b"a%2Fb", b"a%5C%5Cb", b"..a", b"a..%2F", b"%252e%252e%252f"]
)
def test_an_escaped_slash_that_climbs_nowhere_stays_as_it_is(value: bytes) -> None:
    assert upstream_target("/files/{x}", "/data/{x}", b"/files/" + value) == b"/data/" + value


nasty = st.lists(
    st.sampled_from([b"/", b".", b"..", b"%2e", b"%2F", b"%2f", b"%5c", b"\\", b";", b"-", b"a", b"%61", b"%25"]),
    max_size=10,
).map(b"".join)


@given(
    nasty,
    st.sampled_from(["/data/{x}/{y}", "/data/{x}{y}", "/data/.{x}/{y}.", "/data/{y};{x}"]),
    st.sampled_from(["/data/{x}/{y}", "/data/{x}{y}", "/data/.{x}/.{y}", "/data/{x};{y}"]),
)
def test_no_backend_is_led_out_of_the_internal_path(path: bytes, internal: str, internal_with_tail: str) -> None:
    router = Router.of(
        [
            Entry("/m/{x}-{y}", internal, ("GET",), None),
            Entry("/s/{x}/{y}", internal, ("GET",), None),
            Entry("/t/{x}/{y...}", internal_with_tail, ("GET",), None),
        ]
    )
    for prefix in (b"/m/", b"/s/", b"/t/"):
        try:
            target = router.match(b"GET", b"", prefix + path).upstream_target
        except (BadRequest, RouteNotFound):
            continue
        assert as_a_lenient_backend_reads_it(target)[:1] == [b"data"]


@given(
    st.sampled_from(["/in/{x}{r...}", "/{r}", "/{x}/in/{r...}", "/in{r...}", "/in?a={r}/y"]),
    st.lists(st.sampled_from([b"", b"a", b"b"]), max_size=4).map(b"/".join),
)
def test_what_is_forwarded_has_no_empty_segment(internal: str, rest: bytes) -> None:
    target = b"/a/" + rest

    assert b"//" not in upstream_target("/{x}/{r...}", internal, target).partition(b"?")[0]


def as_a_lenient_backend_reads_it(path: bytes) -> list[bytes]:
    for escape, text in ((b"%2F", b"/"), (b"%5C", b"/"), (b"%2E", b"."), (b"\\", b"/")):
        path = path.replace(escape, text).replace(escape.lower(), text)
    segments: list[bytes] = []
    for segment in path.split(b"/"):
        name = segment.partition(b";")[0]
        if name == b"..":
            del segments[-1:]
        elif name not in (b"", b"."):
            segments.append(name)
    return segments


@pytest.mark.parametrize(
    ("external", "internal", "complaint", "advice"),
    [
        ("/a", "b", "must start with '/'", "'/b'"),
        ("/a/{x}", "/{y}", "{y} is no parameter of '/a/{x}'", "{x}"),
        ("/a", "/{y}", "{y} is no parameter", "none"),
        ("/a", "/b?c={y}", "{y} is no parameter", "none"),
        ("/a/{x}", "/{x...}", "{x...} is no parameter", "{x}"),
        ("/a/{x}", "/{x", "never closed", "{name}"),
        ("/a", "/b?c=}", "closes nothing", "{name}"),
        ("/a", "//evil.example/x", "empty segment", "one '/'"),
        ("/a/{x}", "/b//{x}", "empty segment", "one '/'"),
        ("/{r...}", "/{r...}/y", "tail is not at the end", "{r...}"),
        ("/{r...}", "/v/{r}.html", "tail is not at the end", "{r...}"),
        ("/{x}/{r...}", "/{r...}{x}", "tail is not at the end", "{r...}"),
        ("/{r...}", "/{r...}{r...}", "tail is not at the end", "{r...}"),
        ("/a", "/../b", "Path traversal", "leads to"),
        ("/a", "/b/%2e%2e/c", "Path traversal", "leads to"),
        ("/a", "/b%2F..%2Fc", "Path traversal", "leads to"),
        ("/a", "/b/.", "Path traversal", "leads to"),
        ("/a", "/b#c", "fragment", "'#'"),
        ("/a", "/b?c#d", "fragment", "'#'"),
        ("/a", "/b?c d", "space", "spaces"),
        ("/a", "/%zz", "hexadecimal", "'%'"),
    ],
)
def test_an_internal_path_that_cannot_work_is_refused_with_a_fix(
    external: str, internal: str, complaint: str, advice: str
) -> None:
    with pytest.raises(PatternError) as refusal:
        parse_rewrite(internal, parse_pattern(external), path_is_whole=True)

    assert complaint in refusal.value.message
    assert advice in refusal.value.fix
