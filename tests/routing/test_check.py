"""The check tells the operator what is wrong with paths and hosts, with a fix, before a request finds out."""

from typing import Any

import pytest

from kairos.config.document import Route
from kairos.config.findings import Problem
from kairos.routing.check import MOST_AMBIGUITIES, problems
from kairos.routing.pattern import PatternError


def route(path: str, methods: str = "GET", internal: str = "/", **rest: Any) -> Route:
    return Route(path, internal, tuple(methods.split()), (), **rest)


def told(*routes: Route, **rest: Any) -> list[tuple[str, int, str]]:
    """Return level, route and field of each problem."""
    return [(one.level, one.route_index, one.field) for one in problems(routes, **rest)]


def only_problem(*routes: Route) -> Problem:
    (problem,) = problems(routes)
    return problem


def test_a_good_config_has_no_problems() -> None:
    assert not told(
        route("/"),
        route("/users/{id}", internal="/u/{id}?src=gw"),
        route("/users/{name}", "POST"),
        route("/users/me"),
        route("/users/{id}", hosts=("example.com",)),
        route("/users/{id}", hosts=("*.example.com",)),
        route("/files/{rest...}", internal="/{rest...}"),
        route("/v{a}.{b}"),
        route("/{name}.html"),
        route("/{name}.{suffix}/x"),
    )


def test_what_cannot_be_understood_is_an_error_in_its_field() -> None:
    bad = route("/a/{x", internal="b", hosts=("[::g]", "ok.example", "a b"))

    assert told(route("/ok"), bad) == [("error", 1, "external_path"), ("error", 1, "hosts"), ("error", 1, "hosts")]


def test_an_error_comes_with_its_fix() -> None:
    problem = only_problem(route("/users/{id}", internal="/{user}"))

    assert problem.field == "internal_path"
    assert problem.message == "{user} is no parameter of '/users/{id}'"
    assert problem.fix == "use one of its parameters: {id}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (route("/a"), route("/a")),
        (route("/a/{x}"), route("/a/{y}")),
        (route("/a/{x}.{y}"), route("/a/{v}.{w}")),
        (route("/a/{x...}"), route("/a/{y...}")),
        (route("/caf%c3%a9"), route("/café")),
        (route("/a", "PUT GET"), route("/a", "GET POST")),
        (route("/a", hosts=("A.example", "b.example")), route("/a", hosts=("b.example.", "c.example"))),
        (route("/a", trailing_slash="ignore"), route("/a")),
    ],
)
def test_two_routes_with_the_same_paths_host_and_method_are_an_error(one: Route, other: Route) -> None:
    problem = only_problem(one, other)

    assert (problem.level, problem.route_index, problem.field) == ("error", 1, "external_path")
    assert problem.message == f"Duplicate route path detected: {other.external_path}"
    assert problem.fix == (
        f"router 0 has the same path, host and method (GET {one.external_path}); "
        "remove one, or change its methods or hosts"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (route("/a"), route("/a", "POST")),
        (route("/a"), route("/a/")),
        (route("/a"), route("/A")),
        (route("/a", hosts=("a.example",)), route("/a", hosts=("b.example",))),
        (route("/a", hosts=("a.example",)), route("/a")),
        (route("/a", hosts=("a.example",)), route("/a", hosts=("*.a.example",))),
        (route("/a", trailing_slash="ignore"), route("/a/", trailing_slash="ignore")),
    ],
)
def test_routes_that_differ_in_path_host_or_method_are_no_duplicates(one: Route, other: Route) -> None:
    assert not told(one, other)


def test_a_duplicate_names_every_route_that_it_repeats() -> None:
    first, second, third = problems([route("/a"), route("/a", "PUT"), route("/a", "GET PUT"), route("/a", "GET")])

    assert (first.route_index, second.route_index, third.route_index) == (2, 2, 3)
    assert "router 0 has the same path, host and method (GET /a)" in first.fix
    assert "router 1 has the same path, host and method (PUT /a)" in second.fix
    assert "router 0 has the same path, host and method (GET /a)" in third.fix


def test_a_route_in_the_place_of_a_builtin_endpoint_is_a_warning() -> None:
    assert told(route("/health"), route("/ready/", trailing_slash="ignore"), route("/live/"), route("/{x}")) == [
        ("warning", 0, "external_path"),
        ("warning", 1, "external_path"),
    ]
    assert "the built-in endpoint /health" in only_problem(route("/health")).message


def test_builtin_endpoints_may_be_elsewhere_or_nowhere() -> None:
    assert not told(route("/health"), builtin_paths=())
    assert told(route("/health"), route("/-/health"), builtin_paths=("/-/health",)) == [("warning", 1, "external_path")]


@pytest.mark.parametrize(
    ("prefix", "path"), [("/%61", "/a/health"), ("/ü", "/%c3%bc/health"), ("/a;b", "/%61;b/health")]
)
def test_builtin_paths_are_compared_in_normal_form(prefix: str, path: str) -> None:
    assert told(route(path), builtin_paths=(f"{prefix}/health",)) == [("warning", 0, "external_path")]


@pytest.mark.parametrize("path", ["/a b/../health", "/a//health", "/a/../health", "/a%zz", "/a/./health"])
def test_a_builtin_path_that_no_router_takes_is_refused_even_without_routes(path: str) -> None:
    with pytest.raises(PatternError):
        told(builtin_paths=(path,))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/{a}.{b}", "/{a}-{b}"),
        ("/x-{a}", "/{a}-y"),
        ("/x-{a}/{rest...}", "/{a}-y/b/{c}"),
        ("/p/{a}.{b}/{c}/d", "/p/{a}-{b}/e/{f}"),
        ("/{a}.{b}/{c}.{d}", "/{a}-{b}/{c}.{d}"),
        ("/{a}.{b}/lit.x", "/{a}-{b}/{c}.{d}"),
    ],
)
def test_routes_of_which_neither_is_more_specific_are_a_warning(one: str, other: str) -> None:
    forwards, backwards = list(problems([route(one), route(other)])), list(problems([route(other), route(one)]))

    for found in (forwards, backwards):
        (problem,) = found
        assert problem.level == "warning"
        assert one in problem.message
        assert other in problem.message
        assert problem.message.endswith("neither is more specific: the latter gets them")


def test_each_pair_of_ambiguous_routes_is_told() -> None:
    found = problems([route("/{a}.{b}"), route("/{a}-{b}"), route("/{a}~{b}")])

    assert len({problem.message for problem in found}) == 3


@pytest.mark.parametrize(
    ("count", "told_of"), [(14, 14 * 13 // 2), (15, MOST_AMBIGUITIES + 1), (200, MOST_AMBIGUITIES + 1)]
)
def test_of_very_many_ambiguities_the_first_are_told_and_that_there_are_more(count: int, told_of: int) -> None:
    found = list(problems([route(f"/{{a}}-{number:03}-{{b}}") for number in range(count)]))

    assert len(found) == told_of
    assert found[-1].message.startswith("More than 100 pairs") == (told_of > MOST_AMBIGUITIES)


def test_an_ambiguity_is_told_once_for_several_hosts() -> None:
    hosts = ("a.example", "b.example", "*.c.example")

    assert told(route("/{a}.{b}", hosts=hosts), route("/{a}-{b}", hosts=hosts)) == [("warning", 0, "external_path")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/{a}.{b}", "/{a}--{b}"),
        ("/x-{a}", "/y-{a}"),
        ("/{a}.js", "/{a}.ts"),
        ("/{a}.{b}/c", "/{a}-{b}/d"),
        ("/{a}.{b}", "/{a}-{b}/"),
        ("/{a}.{b}/{c}", "/{a}-{b}/{c}/{d}"),
        ("/{a}.{b}/{c}/", "/{a}-{b}/x"),
        ("/{a}/b", "/a/{b}"),
    ],
)
def test_routes_without_a_common_path_or_with_a_more_specific_one_are_no_problem(one: str, other: str) -> None:
    assert not told(route(one), route(other))


def test_a_route_with_an_error_is_left_out_of_what_concerns_several() -> None:
    assert told(route("/{a}.{b}"), route("/{a}-{b}", internal="/{c}")) == [("error", 1, "internal_path")]
