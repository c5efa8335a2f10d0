"""Take a correct config, break one thing: the error points at that thing."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from kairos.config.document import Document
from kairos.config.findings import Problem
from kairos.routing.check import problems
from tests.config.configs import SECRET, STRICT, backend, config, router
from tests.config.operators import Operator

Steps = tuple[str | int, ...]


def values(tree: Any, path: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    yield path, tree
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for step, value in items:
        yield from values(value, (*path, step))


def replaced(tree: Any, path: Steps, value: Any) -> Any:
    if not path:
        return value
    copy = deepcopy(tree)
    holder = copy
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return copy


def routing(document: Document) -> Iterator[Problem]:
    return problems(document.routes)


def pointer(path: Steps) -> str:
    return "".join(f"/{step}" for step in path)


PLACES = list(values(STRICT))
EITHER_WAY = ("jwt", "required_claims")  # an array or an object
TYPED = [(path, value) for path, value in PLACES if not {"json_body", "value"} <= set(path)]  # that is any JSON
NAMES = sorted({step for path, _ in PLACES for step in path if isinstance(step, str)} | {"jwt_secret", "retry_config"})

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
    | st.sampled_from(["${X}", "${Y:-1}", "${Z", "http://[", "/{", "*.", "😀", "token_bucket", "PerIP"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


def test_the_config_that_uses_every_key_is_correct(operator: Operator) -> None:
    assert operator.errors(STRICT) == []


@pytest.mark.parametrize(("path", "value"), TYPED, ids=[pointer(path) or "/" for path, _ in TYPED])
def test_a_value_of_another_type_is_an_error_at_its_place(operator: Operator, path: Steps, value: Any) -> None:
    wrong = {"an": "object"} if not isinstance(value, dict) and path != EITHER_WAY else "a text"
    places = [place for place, _ in operator.errors(replaced(STRICT, path, wrong))]

    assert places
    assert [place for place in places if not place.startswith(pointer(path))] == []


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("version",), True),
        (("version",), 1.5),
        (("version",), 256),
        (("version",), -1),
        (("version",), "1"),
        (("version",), None),
        (("server", "port"), 65536),
        (("server", "port"), 80.0),
        (("server", "workers"), -1),
        (("server", "host"), ""),
        (("server", "host"), "not a host!"),
        (("logging", "level"), "loud"),
        (("logging", "access_log"), ""),
        (("builtin_routes",), "_kairos"),
        (("builtin_routes",), "/{a}"),
        (("builtin_routes",), "/../x y"),
        (("builtin_routes",), "/a/../b"),
        (("builtin_routes",), "/a/."),
        (("builtin_routes",), "/a//b"),
        (("builtin_routes",), "/%61"),
        (("builtin_routes",), ""),
        (("builtin_routes",), None),
        (("builtin_routes",), 1),
        (("rate_limit", "requests_per_window"), -1),
        (("rate_limit", "requests_per_window"), 2**64),
        (("rate_limit", "window_duration"), 0),
        (("rate_limit", "window_type"), "TumblingWindow"),
        (("rate_limit", "strategy"), "perip"),
        (("rate_limit", "strategy"), 5),
        (("rate_limit", "strategy", "Composite"), []),
        (("rate_limit", "strategy", "Composite", 0, "window_duration"), 0),
        (("metrics", "path"), "metrics"),
        (("cors", "max_age"), -1),
        (("server", "trusted_proxies", 0), "10.0.0.1/8"),
        (("server", "via"), True),
        (("server", "via"), "two words"),
        (("server", "via"), ""),
        (("server", "via"), "kairos\n"),
        (("server", "forwarded"), "yes"),
        (("limits", "max_headers"), 0),
        (("limits", "max_target_bytes"), 255),
        (("limits", "max_requests_per_worker"), 0),
        (("limits", "max_request_body_bytes"), None),
        (("timeouts", "connect_seconds"), -0.1),
        (("timeouts", "connect_seconds"), True),
        (("timeouts", "connect_seconds"), "3"),
        (("timeouts", "connect_seconds"), None),
        (("timeouts", "upstream_requests"), 1.5),
        (("access_list", "allow", 0), "10.0.0.1/8"),
        (("access_list", "deny", 0), "nowhere"),
        (("jwt", "algorithm"), "none"),
        (("routers", 1, "protocol"), "HTTP"),
        (("routers", 1, "load_balancing_strategy"), "RoundRobin"),
        (("routers", 1, "hash_on"), "header"),
        (("routers", 1, "hash_on"), {}),
        (("routers", 1, "hash_on"), {"header": "X-User", "cookie": "sid"}),
        (("routers", 1, "hash_on", "header"), "X User"),
        (("routers", 1, "balance_factor"), 0.9),
        (("routers", 1, "balance_factor"), -1),
        (("routers", 1, "sticky", "cookie"), "a=b"),
        (("routers", 1, "sticky", "cookie"), ""),
        (("routers", 1, "sticky", "ttl_seconds"), 0),
        (("routers", 1, "sticky", "secret"), "too short"),
        (("routers", 1, "trailing_slash"), True),
        (("routers", 1, "auth_required"), "true"),
        (("routers", 1, "hosts", 1), "*"),
        (("routers", 1, "preserve_host"), "true"),
        (("routers", 1, "limits", "max_request_body_bytes"), -1),
        (("routers", 1, "limits", "max_headers"), 0),
        (("routers", 1, "timeouts", "exchange_seconds"), -1),
        (("routers", 1, "timeouts", "min_body_rate"), 0.5),
        (("routers", 1, "backends", 1, "port"), 0),
        (("routers", 1, "backends", 1, "tls", "verify"), "no"),
        (("routers", 1, "backends", 1, "tls", "ca_file"), ""),
        (("routers", 1, "backends", 1, "tls", "server_name"), "https://b"),
        (("routers", 1, "backends", 1, "tls", "server_name"), "b:443"),
        (("routers", 1, "retry", "backoff_multiplier"), "2"),
        (("routers", 1, "retry", "retry_on_status_codes", 0), 65536),
        (("routers", 1, "request_transformation", "headers", 0, "action"), "append"),
        (("routers", 1, "response_transformation", "status_code_mappings", 0, "to"), 99),
        (("routers", 1, "ai_policy", "strategy"), "guess"),
        (("routers", 1, "ai_policy", "fallback_backend_index"), -1),
    ],
    ids=lambda value: pointer(value) if isinstance(value, tuple) else repr(value),
)
def test_a_value_out_of_bounds_is_an_error_at_its_place(operator: Operator, path: Steps, wrong: Any) -> None:
    assert pointer(path) in {place for place, _ in operator.errors(replaced(STRICT, path, wrong))}


REQUIRED = [
    ("version",),
    ("routers",),
    ("rate_limit", "requests_per_window"),
    ("ai", "provider"),
    ("ai", "model"),
    ("routers", 1, "external_path"),
    ("routers", 1, "internal_path"),
    ("routers", 1, "methods"),
    ("routers", 1, "backends", 0, "host"),
    ("routers", 1, "backends", 0, "port"),
    ("routers", 1, "ai_policy", "enabled"),
    ("routers", 1, "ai_policy", "strategy"),
    ("routers", 1, "request_transformation", "headers", 0, "name"),
    ("routers", 1, "request_transformation", "path", "pattern"),
    ("routers", 1, "response_transformation", "status_code_mappings", 0, "from"),
]


@pytest.mark.parametrize("path", REQUIRED, ids=pointer)
def test_a_required_key_that_is_missing_is_named(operator: Operator, path: Steps) -> None:
    broken = deepcopy(STRICT)
    holder: Any = broken
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]

    assert (pointer(path), f'Invalid JSON structure: missing field "{path[-1]}"') in operator.errors(broken)


@pytest.mark.parametrize(
    "path",
    [path for path, value in PLACES if isinstance(value, dict) and path],
    ids=[pointer(path) for path, value in PLACES if isinstance(value, dict) and path],
)
def test_a_typing_error_in_any_object_is_an_error_at_its_place(operator: Operator, path: Steps) -> None:
    broken = deepcopy(STRICT)
    holder: Any = broken
    for step in path:
        holder = holder[step]
    key = next(iter(holder))
    holder[f"{key}x"] = holder.pop(key)

    assert f"{pointer(path)}/{key}x" in {place for place, _ in operator.errors(broken)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@hypothesis.given(st.sampled_from([path for path, _ in PLACES]), anything)
def test_whatever_stands_anywhere_is_answered_with_findings(operator: Operator, path: Steps, value: Any) -> None:
    for finding in operator.findings(replaced(STRICT, path, value), environ={"X": '{"a": [1]}'}, checks=[routing]):
        assert finding.line > 0
        assert finding.column > 0
        assert str(finding).isprintable()


def test_all_errors_are_told_at_once_and_in_the_order_of_the_file(operator: Operator) -> None:
    given = {
        "version": "x",
        "server": {"port": -1},
        "routers": [
            router("/same"),
            router("no-slash", methods=["get"]),
            router("/same"),
            router("/other", backends=[backend(port=0), backend("nowhere")]),
        ],
        "jwt": {"secret": "short"},
    }
    assert [place for place, _ in operator.errors(given, checks=[routing])] == [
        "/version",
        "/server/port",
        "/routers/1/external_path",
        "/routers/1/methods/0",
        "/routers/2/external_path",
        "/routers/3/backends/0/port",
        "/routers/3/backends/1/host",
        "/jwt/secret",
    ]


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"external_path": "/../x", "methods": ["get"], "backends": None}, ["", "/external_path", "/methods/0"]),
        ({"external_path": "/{a", "retry": {"max_retries": 11}}, ["/external_path", "/retry/max_retries"]),
        (
            {"retry": {"max_retries": 11, "initial_backoff_ms": 9000, "backoff_multiplier": 0.5}},
            ["/retry", "/retry/max_retries", "/retry/backoff_multiplier"],
        ),
        ({"methods": ["get", "MKCOL"]}, ["/methods/0", "/methods/1"]),
        (
            {"backends": [7, backend("ftp://a"), backend(port=0)]},
            ["/backends/0", "/backends/1/host", "/backends/2/port"],
        ),
        ({"hosts": ["a:80"], "internal_path": "/{none}"}, ["/internal_path", "/hosts/0"]),
        ({"port": "x", "host": "ws://a", "backends": None}, ["/host", "/port"]),
    ],
)
def test_one_error_in_a_router_hides_no_other(operator: Operator, changes: dict[str, Any], places: list[str]) -> None:
    errors = operator.errors(config(router("/fine"), router(**changes)), checks=[routing])
    assert sorted(place for place, _ in errors) == sorted(f"/routers/1{place}" for place in places)


def test_a_router_with_an_error_can_be_a_duplicate(operator: Operator) -> None:
    routers = [router("/same", methods=["get", "POST"]), router("/same", methods=["POST"], retry={"max_retries": 11})]
    errors = operator.errors(config(*routers), checks=[routing])

    assert [place for place, _ in errors] == [
        "/routers/0/methods/0",
        "/routers/1/external_path",
        "/routers/1/retry/max_retries",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"external_path": "x"},
        {"external_path": 7},
        {"external_path": None},
        {"internal_path": 7},
        {"methods": ["get"]},
        {"methods": []},
        {"methods": "GET"},
        {"hosts": ["a:80"]},
        {"hosts": "a.example"},
        {"protocol": "FTP", "methods": ["GET", "MKCOL"], "backends": [backend("ftp://a")]},
        {"protocol": "ftp ", "backends": None, "host": "ftp://a", "port": 21},
        {"backends": 7},
        {"backends": [7]},
        {"backends": [{"host": 7, "port": 443}]},
        {"backends": [{"host": "https://a"}]},
        {"backends": None, "host": 7, "port": 80},
        {"backends": None, "host": "https://a", "port": "x"},
        {"protocol": "dns", "methods": ["POST"], "backends": [backend("a", port=0)]},
        {"protocol": "websocket", "methods": ["get"], "backends": [backend("wss://a")]},
        {"retry": {"initial_backoff_ms": "x", "max_backoff_ms": 10}},
        {"retry": {"initial_backoff_ms": 6000, "max_backoff_ms": "x"}},
        {"auth_required": "true"},
        {"load_balancing_strategy": 7},
    ],
    ids=repr,
)
def test_one_error_brings_no_other_with_it(operator: Operator, changes: dict[str, Any]) -> None:
    external_path = changes.get("external_path", "/same/{id}")
    broken = router(**{"external_path": external_path, "internal_path": "/{id}", **changes})
    given = config(router("/"), broken, router("/same/{id}", methods=["PUT"]), router("/x"))
    if changes.keys() <= {"methods", "hosts", "external_path"}:  # as what it should be, it might be a duplicate
        given["routers"].append(router("/same/{id}"))

    assert len(operator.errors(given, checks=[routing])) == 1


@pytest.mark.parametrize("routers", [["text", router("/a")], [router("/a"), 7], [None, router("/a"), router("/b")]])
def test_what_is_no_router_is_nobodys_duplicate(operator: Operator, routers: list[Any]) -> None:
    ((_, message),) = operator.errors(config(*routers), checks=[routing])
    assert message == "Invalid JSON structure: expected an object"


def test_what_depends_on_a_broken_part_is_not_told(operator: Operator) -> None:
    given = config(router(auth_required=True), jwt=7)
    assert operator.errors(given) == [("/jwt", "Invalid JSON structure: expected an object")]

    given = config(router(methods=[]))
    assert len(operator.errors(given)) == 1


@pytest.mark.parametrize("root", [[], "text", 7, None, True])
def test_a_file_that_is_no_object_is_refused(operator: Operator, root: Any) -> None:
    assert operator.errors(json.dumps(root)) == [("", "Invalid JSON structure: expected an object")]


@pytest.mark.parametrize("routers", [None, {}, "x", [7], [None, []]])
def test_routers_of_a_wrong_type_are_refused(operator: Operator, routers: Any) -> None:
    errors = operator.errors({"version": 1, "routers": routers, "jwt": {"secret": SECRET}})
    assert errors
    assert all(place.startswith("/routers") for place, _ in errors)


def test_an_infinite_number_is_refused(operator: Operator) -> None:
    text = json.dumps(config(router(retry={"backoff_multiplier": 7.0}))).replace("7.0", "1e999")
    assert operator.errors(text) == [
        ("/routers/0/retry/backoff_multiplier", "Invalid JSON structure: expected a number that is not infinite")
    ]


def test_the_values_of_a_choice_are_told(operator: Operator) -> None:
    (finding,) = operator.findings(config(router(trailing_slash="ignored")))

    assert finding.message == "Invalid JSON structure: expected 'strict' or 'ignore'"
    assert finding.value == '"ignored"'
