"""The router finds the most specific route, whatever the order of the config, and says why it found none."""

import gc
import random
import re
import weakref
from collections.abc import Generator, Sequence
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos.config.document import Route
from kairos.errors import BadRequest, MethodNotAllowed, RouteNotFound
from kairos.routing.router import Entry, Match, Router, entry_of
from tests.routing.reference import decide


def route(pattern: str, methods: str = "GET", **rest: Any) -> Entry:
    """Make a route whose destination is its own pattern and methods."""
    return Entry(pattern, rest.pop("internal", "/x"), tuple(methods.split()), f"{methods} {pattern}", **rest)


def find(router: Router, path: str, method: str = "GET", host: str = "gateway") -> Match:
    return router.match(method.encode(), host.encode(), path.encode())


def found(router: Router, path: str, method: str = "GET", host: str = "gateway") -> object:
    return find(router, path, method, host).destination


def finish(generator: Generator[None, None, Router]) -> Router:
    while True:
        try:
            next(generator)
        except StopIteration as done:
            router: Router = done.value
            return router


# What a match tells


def test_a_match_tells_where_to_go_and_with_what() -> None:
    destination = object()
    router = Router.of([Entry("/api/users/{user_id}", "/users/{user_id}", ("GET",), destination)])

    match = router.match(b"GET", b"example.com", b"/api/users/test%20space?full=1")

    assert match.destination is destination
    assert match.pattern == "/api/users/{user_id}"
    assert match.params == (b"test%20space",)
    assert match.upstream_target == b"/users/test%20space?full=1"


def test_a_route_of_the_config_becomes_an_entry() -> None:
    configured = Route(
        "/a/{x}", "/b/{x}", ("GET", "PUT"), (), hosts=("a.example",), trailing_slash="ignore", empty_segments="refuse"
    )

    entry = entry_of(configured, "there")

    assert (entry.pattern, entry.internal, entry.methods, entry.destination) == (
        "/a/{x}",
        "/b/{x}",
        ("GET", "PUT"),
        "there",
    )
    assert (entry.hosts, entry.trailing_slash, entry.empty_segments) == (("a.example",), "ignore", "refuse")
    assert not entry.builtin


# Paths


@pytest.mark.parametrize(
    "path", ["/api/users", "/api/users/", "/api/users/123/extra", "/api/users/123/", "/", "/API/users/1"]
)
def test_a_parameter_takes_one_segment_and_the_whole_path_must_match(path: str) -> None:
    router = Router.of([route("/api/users/{user_id}")])

    with pytest.raises(RouteNotFound, match=rf"^No route found for path: {path}$"):
        find(router, path)


def test_an_empty_router_finds_nothing() -> None:
    with pytest.raises(RouteNotFound, match=r"^No route found for path: /a$"):
        find(Router.empty(), "/a?secret=1")


def test_the_most_specific_pattern_wins_segment_by_segment_from_the_left() -> None:
    router = Router.of(
        [
            route("/{rest...}"),
            route("/{a}/{b}"),
            route("/{a}/edit"),
            route("/users/{id}"),
            route("/users/me"),
            route("/users/u-{id}"),
            route("/users/u-{id}-x"),
            route("/users/{rest...}"),
        ]
    )

    assert found(router, "/users/me") == "GET /users/me"
    assert found(router, "/users/u-1-x") == "GET /users/u-{id}-x"
    assert found(router, "/users/u-1") == "GET /users/u-{id}"
    assert found(router, "/users/7") == "GET /users/{id}"
    assert found(router, "/users/edit") == "GET /users/{id}"
    assert found(router, "/users/") == "GET /users/{rest...}"
    assert found(router, "/users/7/posts") == "GET /users/{rest...}"
    assert found(router, "/posts/edit") == "GET /{a}/edit"
    assert found(router, "/posts/7") == "GET /{a}/{b}"
    assert found(router, "/posts") == "GET /{rest...}"
    assert found(router, "/") == "GET /{rest...}"


def test_a_branch_that_leads_nowhere_is_left_for_the_next_best() -> None:
    router = Router.of([route("/a/b/{x}/c"), route("/a/{y}-{z}/d/{w}"), route("/{p}/{q}/d/e/{r...}")])

    assert find(router, "/a/b/1/c").params == (b"1",)
    assert find(router, "/a/b-2/d/3").params == (b"b", b"2", b"3")
    assert find(router, "/a/b/d/e/").params == (b"a", b"b", b"")
    assert find(router, "/a/b-2/d/e/f/g").params == (b"a", b"b-2", b"f/g")


def test_mixed_segments_capture_as_much_as_they_can_from_the_left() -> None:
    router = Router.of([route("/f/{name}.{suffix}"), route("/v{major}/{x}"), route("/d/{a}2{b}"), route("/e/{a}F")])

    assert find(router, "/f/archive.tar.gz").params == (b"archive.tar", b"gz")
    assert find(router, "/f/..x").params == (b".", b"x")
    assert find(router, "/v1/y").params == (b"1", b"y")
    assert find(router, "/d/x2y").params == (b"x", b"y")
    for path in ("/f/plain", "/f/.x", "/f/x.", "/f/.", "/v/y", "/d/2y", "/d/x%2Fy", "/e/x%2F"):
        with pytest.raises(RouteNotFound):
            find(router, path)


def test_a_tail_may_be_empty_but_needs_its_slash() -> None:
    router = Router.of([route("/files/{rest...}")])

    assert find(router, "/files/").params == (b"",)
    assert find(router, "/files/a/b/").params == (b"a/b/",)
    with pytest.raises(RouteNotFound):
        find(router, "/files")


def test_a_path_with_very_many_segments_is_no_more_than_a_tail() -> None:
    router = Router.of([route("/{a}/{b}/{rest...}")])

    assert len(find(router, "/x" * 10_000).params[2]) == 2 * 9_998 - 1


@pytest.mark.parametrize(
    "target", ["/users/%61dmin", "//users/admin", "/users/./admin", "/x/../users/%61%64min", "/users//admin?a"]
)
def test_every_spelling_of_a_path_meets_the_same_route(target: str) -> None:
    router = Router.of([route("/users/{id}", internal="/{id}"), route("/users/admin", internal="/guarded")])

    assert found(router, target) == "GET /users/admin"
    assert find(router, target).upstream_target.startswith(b"/guarded")


def test_an_escaped_slash_separates_nothing() -> None:
    router = Router.of([route("/users/{id}", internal="/u/{id}"), route("/users/{id}/keys")])

    match = find(router, "/users/7%2fkeys")

    assert match.destination == "GET /users/{id}"
    assert match.upstream_target == b"/u/7%2Fkeys"


@pytest.mark.parametrize("target", ["/../a", "/a%00", "/a#b", "/a%", "*", "http://gateway/a", "/a\\..\\b%00"])
def test_a_target_that_no_route_may_see_is_a_bad_request(target: str) -> None:
    router = Router.of([route("/{rest...}")])

    with pytest.raises(BadRequest) as refusal:
        find(router, target)

    assert refusal.value.status == 400


def test_a_route_may_refuse_empty_segments() -> None:
    router = Router.of([route("/a/{x}", empty_segments="refuse"), route("/b/{x}")])

    assert found(router, "/a/%62") == "GET /a/{x}"
    assert found(router, "/b//c") == "GET /b/{x}"
    assert found(router, "/a/c?d=//") == "GET /a/{x}"
    with pytest.raises(BadRequest, match="empty segment"):
        find(router, "/a//c")


# Trailing slashes


def test_a_trailing_slash_matters() -> None:
    router = Router.of([route("/a"), route("/b/"), route("/c/{x}"), route("/d/{x}/")])

    for path in ("/a/", "/b", "/c/1/", "/d/1"):
        with pytest.raises(RouteNotFound):
            find(router, path)
    assert found(router, "/d/1/") == "GET /d/{x}/"


def test_a_trailing_slash_does_not_matter_to_a_route_that_ignores_it() -> None:
    patterns = ["/", "/a", "/b/", "/c/{x}", "/d/{x}/", "/files/{rest...}", "/e/{x}/{rest...}"]
    router = Router.of([route(pattern, trailing_slash="ignore", internal="/in" + pattern) for pattern in patterns])

    assert find(router, "/a/?q").upstream_target == find(router, "/a?q").upstream_target == b"/in/a?q"
    assert find(router, "/b").upstream_target == find(router, "/b/").upstream_target == b"/in/b/"
    assert find(router, "/c/1/").upstream_target == b"/in/c/1"
    assert find(router, "/d/1").upstream_target == b"/in/d/1/"
    assert find(router, "/files").upstream_target == find(router, "/files/").upstream_target == b"/in/files/"
    assert find(router, "/files?q").upstream_target == b"/in/files/?q"
    assert find(router, "/files").params == find(router, "/files?q").params == (b"",)
    assert find(router, "/e/1").params == (b"1", b"")
    assert find(router, "/").upstream_target == b"/in/"


def test_ignoring_the_slash_forwards_the_internal_path_as_it_stands() -> None:
    router = Router.of([route("/a/{x}", trailing_slash="ignore", internal="/a/{x}")])

    assert find(router, "/a/1/?q").upstream_target == b"/a/1?q"


def test_the_route_that_states_the_slash_comes_before_one_that_ignores_it() -> None:
    router = Router.of(
        [
            route("/a", "GET PUT", trailing_slash="ignore"),
            route("/a/"),
            route("/b/{rest...}", "GET PUT DELETE", trailing_slash="ignore"),
            route("/b/", "GET PUT", trailing_slash="ignore"),
            route("/b", "GET"),
        ]
    )

    assert found(router, "/a") == "GET PUT /a"
    assert found(router, "/a/") == "GET /a/"
    assert found(router, "/b") == "GET /b"
    assert found(router, "/b/") == "GET PUT /b/"
    assert found(router, "/b/c") == "GET PUT DELETE /b/{rest...}"


def test_a_wrong_method_never_falls_through_to_a_route_that_ignores_the_slash() -> None:
    router = Router.of(
        [
            route("/a/", "POST"),
            route("/a", "GET", trailing_slash="ignore"),
            route("/b/{x}", "GET"),
            route("/b/{x}/", "HEAD GET", trailing_slash="ignore"),
            route("/c/", "POST", trailing_slash="ignore"),
            route("/c/{rest...}", "GET", trailing_slash="ignore"),
        ]
    )

    for path, method, allow in (("/a/", "GET", "POST"), ("/a/", "HEAD", "POST"), ("/c", "GET", "POST")):
        with pytest.raises(MethodNotAllowed) as refusal:
            find(router, path, method)
        assert refusal.value.allow == allow
    assert found(router, "/b/1", "HEAD") == found(router, "/b/1") == "GET /b/{x}"


def test_the_form_that_a_route_stated_goes_to_the_next_one_when_it_leaves() -> None:
    stated, other = route("/a/", "POST"), route("/a", trailing_slash="ignore")

    router = finish(Router.of([stated, other]).changed([stated], []))

    assert found(router, "/a/") == other.destination


# Methods


def test_routes_may_share_a_path_with_different_methods() -> None:
    router = Router.of([route("/a/{x}", "GET"), route("/a/{y}", "POST PUT")])

    assert found(router, "/a/1") == "GET /a/{x}"
    assert found(router, "/a/1", "PUT") == "POST PUT /a/{y}"


def test_a_method_that_no_route_has_is_answered_with_those_that_some_have() -> None:
    router = Router.of([route("/a/{x}", "GET"), route("/a/{y}", "POST PUT")])

    with pytest.raises(MethodNotAllowed, match=r"^Method DELETE not allowed for path: /a/1$") as refusal:
        find(router, "/a/1?q", "DELETE")

    assert refusal.value.allow == "GET, HEAD, POST, PUT"


def test_head_is_allowed_where_get_is_unless_a_route_has_it_itself() -> None:
    router = Router.of([route("/a"), route("/b"), route("/b", "HEAD"), route("/c", "POST")])

    assert found(router, "/a", "HEAD") == "GET /a"
    assert found(router, "/b", "HEAD") == "HEAD /b"
    with pytest.raises(MethodNotAllowed):
        find(router, "/c", "HEAD")


def test_a_wrong_method_never_falls_through_to_a_less_specific_pattern() -> None:
    guarded = route("/users/admin", "PATCH")
    router = Router.of([guarded, route("/users/{id}", "GET PATCH"), route("/{rest...}", "GET PATCH")])

    assert found(router, "/users/admin", "PATCH") == guarded.destination
    with pytest.raises(MethodNotAllowed) as refusal:
        find(router, "/users/admin", "GET")

    assert refusal.value.allow == "PATCH"


def test_a_method_is_compared_exactly() -> None:
    with pytest.raises(MethodNotAllowed, match=r"^Method get not"):
        find(Router.of([route("/a")]), "/a", "get")


# Hosts


def test_the_host_comes_before_the_path() -> None:
    router = Router.of(
        [
            route("/a", hosts=("www.example.com",), internal="/exact"),
            route("/{x}", hosts=("*.example.com",), internal="/wild"),
            route("/{x}", hosts=("*.www.example.com",), internal="/wilder"),
            route("/a", internal="/any"),
            route("/b", internal="/any"),
        ]
    )

    def internal(host: str, path: str) -> bytes:
        return find(router, path, host=host).upstream_target

    assert internal("www.example.com", "/a") == b"/exact"
    assert internal("www.example.com", "/b") == b"/wild"
    assert internal("x.example.com", "/a") == b"/wild"
    assert internal("y.x.example.com", "/a") == b"/wild"
    assert internal("x.www.example.com", "/a") == b"/wilder"
    assert internal("example.com", "/a") == b"/any"
    assert internal("badexample.com", "/a") == b"/any"
    assert internal("", "/b") == b"/any"


def test_a_host_is_compared_without_case_port_and_final_dot() -> None:
    router = Router.of([route("/a", hosts=("Example.com", "[2001:DB8::0:1]")), route("/w", hosts=("*.Example.com",))])

    for host in (
        "example.com",
        "EXAMPLE.com:8080",
        "example.com.",
        "example.com.:80",
        "[2001:db8::1]",
        "[2001:DB8::1]:443",
    ):
        assert found(router, "/a", host=host) == "GET /a"
    for host in ("a.EXAMPLE.com:1", "a.example.com."):
        assert found(router, "/w", host=host) == "GET /w"
    for host in ("example.org", "[2001:db8::2]", "[", "", ":80", ".", "." * 10_000):
        with pytest.raises(RouteNotFound):
            find(router, "/a", host=host)


def test_no_wildcard_is_looked_for_behind_a_host_that_is_too_long() -> None:
    router = Router.of([route("/a", hosts=("*.example.com",))])

    assert found(router, "/a", host="a." * 100 + "example.com") == "GET /a"
    with pytest.raises(RouteNotFound):
        find(router, "/a", host="a." * 125 + "example.com")


def test_the_first_host_group_in_which_a_path_matches_decides_the_method() -> None:
    router = Router.of([route("/{x}", "POST", hosts=("a.example",)), route("/b", "GET")])

    with pytest.raises(MethodNotAllowed) as refusal:
        find(router, "/b", "GET", host="a.example")

    assert refusal.value.allow == "POST"


# Built-in routes


def builtin(path: str) -> Entry:
    return Entry(path, path, ("GET",), f"built-in {path}", builtin=True)


def test_a_builtin_route_wins_over_parameters_and_tails_on_every_host() -> None:
    router = Router.of([builtin("/health"), route("/{x}", hosts=("a.example",)), route("/{rest...}", "POST")])

    assert found(router, "/health") == "built-in /health"
    assert found(router, "/health", host="a.example") == "built-in /health"
    assert found(router, "/healthy", host="a.example") == "GET /{x}"
    with pytest.raises(MethodNotAllowed):
        find(router, "/health", "POST")


def test_a_builtin_route_loses_to_a_route_of_the_same_path() -> None:
    router = Router.of(
        [
            builtin("/health"),
            builtin("/live"),
            route("/health", "POST"),
            route("/{x}", hosts=("a.example",)),
            route("/live/", trailing_slash="ignore"),
        ]
    )

    assert found(router, "/health", "POST") == "POST /health"
    assert found(router, "/health", "POST", host="a.example") == "POST /health"
    assert found(router, "/live") == "GET /live/"
    with pytest.raises(MethodNotAllowed):
        find(router, "/health", "GET")


# The same as the obvious router

segments = st.sampled_from(["a", "b", "ab", "a-b", "{}", "{}", "{}-{}", "a{}", "{}b", "{}2{}", ""])
patterns = st.builds(
    lambda parts, tail: "/" + "/".join(parts + tail),
    st.lists(segments, max_size=3),
    st.sampled_from([[], ["{rest...}"]]),
).filter(lambda pattern: "//" not in pattern)
routes = st.builds(
    route,
    patterns.map(lambda pattern: named(pattern)),
    st.sampled_from(["GET", "POST", "GET POST", "HEAD"]),
    hosts=st.sampled_from([(), (), ("h.x",), ("*.x",), ("h.x", "*.h.x")]),
    trailing_slash=st.sampled_from(["strict", "ignore"]),
)
paths = st.lists(
    st.sampled_from(["a", "b", "ab", "a-b", "a-b-a", "a2", "%2F", "-", "x%2Fy"]), min_size=0, max_size=4
).flatmap(lambda parts: st.sampled_from(["/" + "/".join(parts), "/" + "/".join([*parts, ""]) if parts else "/"]))
requests = st.tuples(
    st.sampled_from(["GET", "POST", "HEAD", "PUT"]), st.sampled_from(["h.x", "g.h.x:80", "g.x", "y"]), paths
)


def named(pattern: str) -> str:
    """Give each parameter a name of its own."""
    number = count()
    return re.sub(r"\{\}", lambda _: f"{{p{next(number)}}}", pattern)


def without_twins(entries: Sequence[Entry]) -> list[Entry]:
    """Keep the entries that do not claim the place and method of an earlier one."""
    kept: list[Entry] = []
    for entry in entries:
        try:
            Router.of([*kept, entry])
        except ValueError:
            continue
        kept.append(entry)
    return kept


def outcome(router: Router, method: str, host: str, path: str) -> tuple[Any, ...]:
    try:
        match = find(router, path, method, host)
    except RouteNotFound:
        return ("no route",)
    except MethodNotAllowed as refusal:
        return "no method", refusal.allow
    return "found", match.destination, match.params


builtins = st.sampled_from(["/a", "/b", "/a/b"]).map(builtin)


@settings(max_examples=300)
@given(
    st.lists(routes | builtins, max_size=12).map(without_twins),
    st.lists(requests, min_size=1, max_size=12),
    st.randoms(),
)
def test_the_router_decides_as_the_obvious_one_whatever_the_order(
    entries: list[Entry], wanted: list[tuple[str, str, str]], chance: random.Random
) -> None:
    router = Router.of(entries)
    shuffled = Router.of(chance.sample(entries, len(entries)))

    for method, host, path in wanted:
        expected = decide(entries, method, host, path)
        assert outcome(router, method, host, path) == expected
        assert outcome(shuffled, method, host, path) == expected


# The next generation


def test_a_changed_router_serves_the_new_routes_and_the_old_one_the_old() -> None:
    kept, gone, new = route("/a/{x}"), route("/b/{x}"), route("/b/{y}/c")
    before = Router.of([kept, gone])

    after = finish(before.changed([gone], [new]))

    assert found(after, "/a/1") == found(before, "/a/1") == "GET /a/{x}"
    assert found(after, "/b/1/c") == "GET /b/{y}/c"
    assert found(before, "/b/1") == "GET /b/{x}"
    with pytest.raises(RouteNotFound):
        find(after, "/b/1")
    with pytest.raises(RouteNotFound):
        find(before, "/b/1/c")


def test_building_pauses_after_each_route() -> None:
    old = [route("/a"), route("/{b}")]

    steps = sum(1 for _ in Router.of(old).changed(old, [route("/c"), route("/d"), route("/e")]))

    assert steps == 5


def test_a_change_that_fails_leaves_the_router_as_it_is() -> None:
    old = route("/a/{x}")
    router = Router.of([old])

    with pytest.raises(ValueError, match="GET"):
        finish(router.changed([], [route("/b/{x}"), route("/a/{y}")]))
    with pytest.raises(ValueError, match=r"/a/{x} is not there"):
        finish(router.changed([route("/a/{x}")], []))

    assert found(router, "/a/1") == "GET /a/{x}"
    with pytest.raises(RouteNotFound):
        find(router, "/b/1")


def test_an_old_generation_goes_as_soon_as_nobody_holds_it() -> None:
    class Destination:
        pass

    gc.disable()
    try:
        destination = Destination()
        gone = weakref.ref(destination)
        entry = Entry("/a/{x}-{y}/{z...}", "/{x}?y={y}", ("GET",), destination, hosts=("*.example",))
        router = Router.of([entry, route("/b")])
        router.match(b"GET", b"h.example", b"/a/1-2/3")
        router = finish(router.changed([entry], []))
        del entry, destination

        assert gone() is None
        assert found(router, "/b") == "GET /b"
    finally:
        gc.enable()
