"""Typing errors are found, other unknown keys are mentioned."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.config.findings import JsonPath
from kairos.config.model.router import Router
from kairos.config.unknown_keys import MANY, accepts_null, distance, names, nearest_name, unknown_keys
from tests.config.configs import STRICT, backend, config, router
from tests.config.operators import Operator


def test_every_known_key_is_known() -> None:
    assert list(unknown_keys(STRICT)) == []


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("external_paht", "external_path"),
        ("externalpath", "external_path"),
        ("External_Path", "external_path"),
        ("method", "methods"),
        ("auth_requird", "auth_required"),
        ("retryconfig", "retry_config"),
        ("prot", "port"),
    ],
)
def test_a_typing_error_is_an_error(operator: Operator, key: str, meant: str) -> None:
    errors = operator.errors(config(router("/a", **{key: 1})))
    assert errors == [(f"/routers/0/{key}", f'Unknown key "{key}", which is most like "{meant}"')]


@pytest.mark.parametrize(
    ("block", "key"),
    [
        ("limits", "max_requests_per_worker"),
        ("limits", "max_response_header_bytes"),
        ("timeouts", "request_head_seconds"),
        ("timeouts", "tls_handshake_seconds"),
        ("timeouts", "upstream_idle_seconds"),
    ],
)
def test_what_only_the_gateway_has_is_refused_on_a_route(operator: Operator, block: str, key: str) -> None:
    (finding,) = operator.findings(config(router(**{block: {key: 5}})))

    assert (finding.level, finding.pointer) == ("error", f"/routers/0/{block}/{key}")
    assert finding.message == f'"{key}" holds for the gateway as a whole and cannot be set for a route'
    assert finding.fix == f"move it to /{block}"


def test_an_unknown_key_is_a_warning_with_the_nearest_name(operator: Operator) -> None:
    (finding,) = operator.findings(config(router(owner_of_route="me")))

    assert (finding.level, finding.pointer) == ("warning", "/routers/0/owner_of_route")
    assert finding.message.startswith('Unknown key "owner_of_route" is ignored; the nearest known name is "')
    assert '"_owner_of_route"' in finding.fix


def test_unknown_keys_are_found_at_every_level(operator: Operator) -> None:
    given = config(
        router(
            backends=[backend(comment_on_it=1)],
            request_transformation={"headers": [{"action": "remove", "name": "a", "something_else": 1}]},
            ai_policy={"enabled": False, "strategy": {"content_analysis": {"temperature": 1}}},
        ),
        rate_limit={"requests_per_window": 1, "strategy": {"Composite": [{"requests_per_window": 1, "leaks_out": 1}]}},
        something_new=1,
    )
    unknown = {pointer for pointer, message in operator.warnings(given) if message.startswith("Unknown key")}
    assert unknown == {
        "/something_new",
        "/routers/0/backends/0/comment_on_it",
        "/routers/0/request_transformation/headers/0/something_else",
        "/routers/0/ai_policy/strategy/content_analysis/temperature",
        "/rate_limit/strategy/Composite/0/leaks_out",
    }


def test_unknown_keys_are_told_together_with_other_errors(operator: Operator) -> None:
    given = config(router(methods=[], metods=["GET"]), version="x")
    assert {pointer for pointer, _ in operator.errors(given)} == {
        "/version",
        "/routers/0/methods",
        "/routers/0/metods",
    }


def test_the_value_of_an_unknown_key_is_not_shown(operator: Operator) -> None:
    (finding,) = operator.findings(config(jwt_scret="hunter2"))
    assert "hunter2" not in str(finding)


def test_the_key_itself_is_pointed_at(operator: Operator) -> None:
    (finding,) = operator.findings('{"version": 1,\n "sevrer": {},\n "routers": []}')[:1]
    assert (finding.line, finding.column) == (2, 2)


@pytest.mark.parametrize(
    ("one", "other", "letters"),
    [("", "", 0), ("port", "port", 0), ("prot", "port", 1), ("pot", "port", 1), ("ports", "port", 1), ("", "abc", 3),
     ("kitten", "sitting", 3)],
)  # fmt: skip
def test_letters_are_counted(one: str, other: str, letters: int) -> None:
    assert distance(one, other) == letters


words = st.text("abc", max_size=8)


@given(words, words)
def test_distance_is_the_same_both_ways_and_zero_only_for_equal_names(one: str, other: str) -> None:
    assert distance(one, other) == distance(other, one)
    assert (distance(one, other) == 0) == (one == other)
    assert abs(len(one) - len(other)) <= distance(one, other) <= max(len(one), len(other))


def test_a_typing_error_is_found_among_any_number_of_unknown_keys(operator: Operator) -> None:
    strangers: dict[str, Any] = {f"x_{number}_of_somebody_else": 1 for number in range(MANY + 10)}
    given = config(router("/a", **strangers), acess_list={}, **{f"y{number}_of_mine": 1 for number in range(MANY)})

    assert operator.errors(given) == [("/acess_list", 'Unknown key "acess_list", which is most like "access_list"')]
    hints = [message.partition("; ")[2] for _, message in operator.warnings(given)]
    assert sum(hint.startswith("the nearest known name") for hint in hints) <= MANY
    assert "" in hints


@given(st.text("abcdeports_", max_size=12))
def test_the_nearest_name_is_that_of_the_shortest_distance(key: str) -> None:
    known = [name for name, _ in names(Router)]
    letters, nearest = min((distance(key, name), name) for name in known)

    assert nearest_name(Router, key, 64) == (nearest, letters)
    assert nearest_name(Router, key, 2) == ((nearest, letters) if letters <= 2 else ("", 3))


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (config(jwt={"Secret": "x"}), "/jwt/Secret"),
        (config(router(methods=None, metods=["GET"])), "/routers/0/metods"),
        (config(rate_limit={"requests_per_minut": 1}), "/rate_limit/requests_per_minut"),
        (config(router(response_transformation={"status_code_mappings": [{"form": 1, "to": 200}]})),
         "/routers/0/response_transformation/status_code_mappings/0/form"),
    ],
)  # fmt: skip
def test_a_misspelt_key_is_one_mistake_and_not_two(operator: Operator, given: dict[str, Any], error: str) -> None:
    assert [pointer for pointer, _ in operator.errors(given)] == [error]


def test_a_wrong_value_beside_a_misspelt_key_is_told(operator: Operator) -> None:
    given = config(jwt={"secret": "short", "Secret": "x"})
    assert {pointer for pointer, _ in operator.errors(given)} == {"/jwt/secret", "/jwt/Secret"}


@pytest.mark.parametrize(
    ("path", "may_be_null"),
    [
        (("jwt",), True),
        (("version",), False),
        (("logging", "access_log"), True),
        (("routers", 3, "backends", 0, "health_check_path"), True),
        (("routers", 3, "methods", 0), False),
        (("routers", 3, "methods", 0, "health_check_path"), False),
    ],
)
def test_the_model_knows_what_may_be_null(path: JsonPath, may_be_null: bool) -> None:
    assert accepts_null(path) is may_be_null
