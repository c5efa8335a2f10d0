"""Rules that change requests and responses: what workers get of them, and which are refused."""

from typing import Any

import pytest

from kairos.config.document import Document
from kairos.config.transformations import FieldRule, JsonBody, JsonRule, PathRule, StatusRule, Transformation
from kairos.traffic.transform import RequestChange, ResponseChange
from tests.config.configs import STRICT, config, router
from tests.config.operators import Operator


def test_every_rule_comes_from_the_file(operator: Operator) -> None:
    route = operator.document(STRICT, allow_inactive=True).routes[1]

    assert route.request_change == Transformation(
        headers=(
            FieldRule("add", "X-Forwarded-By", "kairos"),
            FieldRule("replace", "User-Agent", pattern="Mozilla/(.)", replacement="Kairos/$1"),
        ),
        path=PathRule("^/api/v1/(.+)$", "/v2/$1"),
        query=(FieldRule("set", "format", "json"),),
        json=JsonBody(
            (
                JsonRule("set", "/a/b", [1, None, "c"]),
                JsonRule("rename", "/user~1name", to="/user/name"),
            ),
            max_bytes=1000,
            passes=False,
        ),
    )
    assert route.response_change == Transformation(
        headers=(FieldRule("remove", "Server", ""),),
        statuses=(StatusRule(404, 200, "method == GET"),),
        json=JsonBody((JsonRule("remove", "/secret"),)),
    )


def test_what_the_config_lets_through_can_be_compiled_by_a_worker(operator: Operator) -> None:
    document = Document.decode(operator.document(STRICT).encode())
    route = document.routes[1]
    assert route.request_change is not None
    assert route.response_change is not None
    RequestChange(route.request_change)
    ResponseChange(route.response_change)


@pytest.mark.parametrize("block", [None, {}, {"headers": []}])
def test_no_rules_are_no_change(operator: Operator, block: Any) -> None:
    (route,) = operator.document(config(router(request_transformation=block, response_transformation=block))).routes
    assert (route.request_change, route.response_change) == (None, None)


def header(action: str, name: str = "X", **more: Any) -> dict[str, Any]:
    return {"headers": [{"action": action, "name": name, **more}]}


def mapping(from_status: int, to: int, condition: str | None = None) -> dict[str, Any]:
    return {"status_code_mappings": [{"from": from_status, "to": to, "condition": condition}]}


def json_rule(action: str, pointer: str = "/a", **more: Any) -> dict[str, Any]:
    return {"json_body": {"rules": [{"action": action, "pointer": pointer, **more}]}}


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection", "TE", "Upgrade"])
@pytest.mark.parametrize("kind", ["request_transformation", "response_transformation"])
def test_what_frames_a_message_cannot_be_changed(operator: Operator, kind: str, name: str) -> None:
    ((pointer, message),) = operator.errors(config(router(**{kind: header("set", name, value="1")})))
    assert pointer == f"/routers/0/{kind}/headers/0/name"
    assert message.endswith(f"{name} frames the message or says where it goes: rules cannot change it")


WRONG_HEADERS = [
    (header("set", "X Y", value="1"), "/headers/0/name", "Not the name of a header field: X Y"),
    (header("set"), "/headers/0", '"set" needs a value without line breaks'),
    (header("add", value="a\r\nEvil: 1"), "/headers/0", '"add" needs a value without line breaks'),
    (header("replace", pattern="a"), "/headers/0", '"replace" needs a pattern and a replacement'),
    (
        header("replace", pattern="(", replacement=""),
        "/headers/0",
        "Not a regular expression with a replacement that can be used: missing ): (",
    ),
    (
        header("replace", pattern="a", replacement="$1"),
        "/headers/0",
        (
            "Not a regular expression with a replacement that can be used: "
            "the replacement has $1, but the expression has 0 groups"
        ),
    ),
    (
        header("replace", pattern="a", replacement="\n"),
        "/headers/0",
        "The replacement has a line break or another control character",
    ),
    (json_rule("set"), "/json_body/rules/0", '"set" needs a value'),
    (json_rule("rename"), "/json_body/rules/0", '"rename" needs to know where to'),
    (json_rule("rename", "/a", to="/a/b"), "/json_body/rules/0", "A value cannot be moved into itself"),
    (json_rule("rename", "/a", to="/a"), "/json_body/rules/0", "A value cannot be moved into itself"),
    (json_rule("remove", ""), "/json_body/rules/0/pointer", "Not a JSON pointer: it does not start with '/'"),
    (
        json_rule("remove", "/a~2"),
        "/json_body/rules/0/pointer",
        "Not a JSON pointer: '~' is written '~0' in it, and '/' in a key '~1'",
    ),
]

WRONG_REQUESTS = [
    *WRONG_HEADERS,
    ({"path": {"pattern": "a", "replacement": "a b"}}, "/path", "The replacement is no part of a path: a b"),
    ({"path": {"pattern": "a", "replacement": "/a?b=1"}}, "/path", "The replacement is no part of a path: /a?b=1"),
    ({"path": {"pattern": "a", "replacement": "/%2e%2e/"}}, "/path", "The replacement is no part of a path: /%2e%2e/"),
    ({"path": {"pattern": "a", "replacement": "/../b"}}, "/path", "The replacement climbs: /../b"),
    ({"path": {"pattern": "a", "replacement": "/x%2F..%2Fb"}}, "/path", "The replacement climbs: /x%2F..%2Fb"),
    ({"query_params": [{"action": "set", "name": "a"}]}, "/query_params/0", '"set" needs a value'),
]

WRONG_RESPONSES = [
    *WRONG_HEADERS,
    (header("set", "Date", value="1"), "/headers", "The gateway writes Date itself: rules cannot change it"),
    (mapping(204, 200), "/status_code_mappings/0", "A response with status 204 has no body, so it cannot be mapped"),
    (mapping(200, 304), "/status_code_mappings/0", "A response with status 304 has no body, so it cannot be mapped"),
    (mapping(200, 101), "/status_code_mappings/0", "A response with status 101 has no body, so it cannot be mapped"),
    (mapping(200, 700), "/status_code_mappings/0", "700 is no status for a client"),
    (
        mapping(200, 201, "method"),
        "/status_code_mappings/0/condition",
        "Not a condition: it makes no sense from here on: method",
    ),
]


@pytest.mark.parametrize(("block", "place", "message"), WRONG_REQUESTS)
def test_a_rule_for_requests_that_cannot_work_is_an_error(
    operator: Operator, block: Any, place: str, message: str
) -> None:
    prefix = "Router 0 validation failed: "
    assert operator.errors(config(router(request_transformation=block))) == [
        (f"/routers/0/request_transformation{place}", prefix + message)
    ]


@pytest.mark.parametrize(("block", "place", "message"), WRONG_RESPONSES)
def test_a_rule_for_responses_that_cannot_work_is_an_error(
    operator: Operator, block: Any, place: str, message: str
) -> None:
    prefix = "Router 0 validation failed: "
    assert operator.errors(config(router(response_transformation=block))) == [
        (f"/routers/0/response_transformation{place}", prefix + message)
    ]


def test_the_rules_of_kairos_rs_load(operator: Operator) -> None:
    given = router(
        request_transformation={
            "headers": [
                {"action": "add", "name": "X-Forwarded-By", "value": "kairos"},
                {"action": "remove", "name": "Cookie"},
                {
                    "action": "replace",
                    "name": "User-Agent",
                    "pattern": r"Mozilla/(\d+\.\d+)",
                    "replacement": "Kairos/$1",
                },
            ],
            "path": {"pattern": "^/api/v1/(.+)$", "replacement": "/v2/$1"},
            "query_params": [
                {"action": "set", "name": "format", "value": "json"},
                {"action": "remove", "name": "debug"},
            ],
        },
        response_transformation={
            "headers": [{"action": "remove", "name": "Server"}],
            "status_code_mappings": [{"from": 404, "to": 200, "condition": None}],
        },
    )
    assert operator.errors(config(given), allow_inactive=False) == []
