"""How backends are checked, and which of them take requests: what the config says, and what workers get."""

from dataclasses import fields
from typing import Any

import pytest

from kairos.config.document import Document, HealthCheck
from tests.config.configs import STRICT, backend, config, router
from tests.config.operators import Operator

PATH = {"path": "/h"}


def checks(operator: Operator, **route: Any) -> list[HealthCheck | None]:
    """Return the checks of the backends of a route."""
    (found,) = operator.document(config(router(**route))).routes
    return [one.health_check for one in found.backends]


def warned(operator: Operator, **route: Any) -> list[tuple[str, str]]:
    """Return the warnings about health and states."""
    words = ("effect", "takes requests")
    found = operator.warnings(config(router("/fine"), router("/a", **route)))
    return [(pointer, message) for pointer, message in found if any(word in message for word in words)]


def test_nothing_is_checked_unless_asked_for(operator: Operator) -> None:
    assert checks(operator) == [None]
    assert operator.document(config()).routes[0].slow_start == 0.0


def test_a_path_is_enough(operator: Operator) -> None:
    assert checks(operator, backends=[backend(health_check_path="/h"), backend()]) == [HealthCheck(path="/h"), None]
    assert checks(operator, health_check=PATH) == [HealthCheck(path="/h")]


def test_every_setting_of_a_check_comes_from_the_file(operator: Operator) -> None:
    document = operator.document(STRICT)
    route = document.routes[1]
    expected = HealthCheck(
        "/healthz?full=1",
        2.5,
        1.0,
        2,
        1,
        ((200, 200), (301, 302)),
        "ok",
        False,
        "well.example:81",
        (("X-Probe", "kairos, for one"),),
    )

    assert route.backends[1].health_check == expected
    assert [name.name for name in fields(expected) if getattr(expected, name.name) == name.default] == ["tcp_only"]
    assert route.slow_start == 30.0
    assert Document.decode(document.encode()) == document


def test_the_path_of_a_backend_goes_before_that_of_the_route(operator: Operator) -> None:
    own, other = checks(operator, backends=[backend(health_check_path="/own"), backend()], health_check=PATH)
    assert (own, other) == (HealthCheck(path="/own"), HealthCheck(path="/h"))


def test_to_be_reached_can_be_enough(operator: Operator) -> None:
    assert checks(operator, health_check={"tcp_only": True}) == [HealthCheck(tcp_only=True)]


def test_a_check_may_come_from_variables(operator: Operator) -> None:
    given = {"path": "${P}", "interval_seconds": "${I}", "expected_statuses": ["${S}", "${R}"], "tcp_only": "${T}"}
    environ = {"P": "/p", "I": "1.5", "S": "204", "R": "300-302", "T": "false"}
    (route,) = operator.document(config(router(health_check=given)), environ=environ).routes
    check = HealthCheck("/p", 1.5, statuses=((204, 204), (300, 302)))
    assert route.backends[0].health_check == check


def test_a_backend_has_its_state_and_in_maintenance_no_check(operator: Operator) -> None:
    backends = [backend(), backend(state="drain"), backend(state="maintenance")]
    (route,) = operator.document(config(router(backends=backends, health_check=PATH))).routes

    assert [one.state for one in route.backends] == ["active", "drain", "maintenance"]
    assert [one.health_check is not None for one in route.backends] == [True, True, False]


def test_the_short_form_is_active_and_checked_like_any_other(operator: Operator) -> None:
    (route,) = operator.document(config(router(backends=None, host="http://one", port=80, health_check=PATH))).routes
    assert (route.backends[0].state, route.backends[0].health_check) == ("active", HealthCheck(path="/h"))


@pytest.mark.parametrize("protocol", ["websocket", "ftp", "dns"])
def test_a_check_has_to_suit_the_protocol(operator: Operator, protocol: str) -> None:
    host = {"websocket": "ws://a", "ftp": "ftp://a", "dns": "dns://a"}[protocol]
    backends = [backend(host, 21)]

    by_path = checks(operator, protocol=protocol, backends=backends, health_check=PATH)
    by_tcp = checks(operator, protocol=protocol, backends=backends, health_check={"tcp_only": True})

    assert [by_path != [None], by_tcp != [None]] == [protocol == "websocket", protocol != "dns"]


@pytest.mark.parametrize(
    ("wrong", "place", "message"),
    [
        ({"path": "h"}, "/path", "Health check path must start with '/'"),
        ({"path": "/h h"}, "/path", "Not a path to check: /h h"),
        ({"path": "/h#h"}, "/path", "Not a path to check: /h#h"),
        ({"path": "/h\r\nX: y"}, "/path", "Not a path to check: /h\r\nX: y"),
        ({"expected_statuses": [200, 600]}, "/expected_statuses/1", "Not a status, nor a range of them: 600"),
        ({"expected_statuses": [True]}, "/expected_statuses/0", "Not a status, nor a range of them: true"),
        ({"expected_statuses": [2.5]}, "/expected_statuses/0", "Not a status, nor a range of them: 2.5"),
        ({"expected_statuses": ["2xx"]}, "/expected_statuses/0", 'Not a status, nor a range of them: "2xx"'),
        ({"expected_statuses": ["299-200"]}, "/expected_statuses/0",
         "A range of statuses begins with the lowest: 299-200"),
        ({"host": "http://a"}, "/host", "Not a host: http://a"),
        ({"host": "a\r\nX: y"}, "/host", "Not a host: a\r\nX: y"),
        ({"headers": [{"name": "a b", "value": ""}]}, "/headers/0/name", "Not the name of a header field: a b"),
        ({"headers": [{"name": "Host", "value": "a"}]}, "/headers/0/name",
         "A health check cannot send the header field Host"),
        ({"headers": [{"name": "X", "value": "a\r\nY: z"}]}, "/headers/0/value", "Not a value of a header field"),
        ({"headers": [{"name": "X", "value": " a"}]}, "/headers/0/value", "Not a value of a header field"),
    ],
)  # fmt: skip
def test_a_check_is_refused_in_words(operator: Operator, wrong: dict[str, Any], place: str, message: str) -> None:
    errors = operator.errors(config(router("/fine"), router("/a", health_check={**PATH, **wrong})))
    assert errors == [(f"/routers/1/health_check{place}", f"Router 1 validation failed: {message}")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"interval_seconds": 0.1},
        {"timeout_seconds": 0},
        {"unhealthy_threshold": 0},
        {"healthy_threshold": 101},
        {"expected_statuses": []},
        {"body_contains": ""},
        {"headers": {"X": "y"}},
    ],
)
def test_a_check_has_bounds(operator: Operator, wrong: dict[str, Any]) -> None:
    ((pointer, message),) = operator.errors(config(router(health_check={**PATH, **wrong})))
    assert pointer == f"/routers/0/health_check/{next(iter(wrong))}"
    assert message.startswith("Invalid JSON structure: ")


def test_the_path_of_a_backend_is_refused_in_the_same_words(operator: Operator) -> None:
    assert operator.errors(config(router(backends=[backend(health_check_path="h")]))) == [
        (
            "/routers/0/backends/0/health_check_path",
            "Router 0 validation failed: Backend 0 validation failed: Health check path must start with '/'",
        )
    ]


@pytest.mark.parametrize("wrong", [{}, {"interval_seconds": 1}, {"path": None, "tcp_only": False}])
def test_a_check_needs_a_path(operator: Operator, wrong: dict[str, Any]) -> None:
    message = "Router 0 validation failed: A health check needs a path"
    assert operator.errors(config(router(health_check=wrong))) == [("/routers/0/health_check", message)]


def test_a_path_of_one_backend_is_path_enough(operator: Operator) -> None:
    given = router(backends=[backend(health_check_path="/h"), backend()], health_check={"interval_seconds": 1})
    assert operator.errors(config(given)) == []


def test_what_a_connection_does_not_look_at_has_no_effect(operator: Operator) -> None:
    check = {"tcp_only": True, "path": "/h", "body_contains": "x", "headers": []}
    backends = [backend(health_check_path="/h")]

    assert warned(operator, health_check=check, backends=backends) == [
        ("/routers/1/backends/0/health_check_path", '"health_check_path" has no effect with "tcp_only"'),
        ("/routers/1/health_check/path", '"path" has no effect with "tcp_only"'),
        ("/routers/1/health_check/body_contains", '"body_contains" has no effect with "tcp_only"'),
    ]


@pytest.mark.parametrize(("protocol", "host"), [("ftp", "ftp://a"), ("dns", "dns://a")])
def test_a_check_that_does_not_suit_the_protocol_has_no_effect(operator: Operator, protocol: str, host: str) -> None:
    message = f"Health checks have no effect on backends that speak {protocol}"
    for more, place in ((PATH, "/health_check"), (None, "/backends/0/health_check_path")):
        one = backend(host, 21, health_check_path="/h")
        found = warned(operator, protocol=protocol, backends=[one], health_check=more, methods=["GET", "POST"])
        assert (f"/routers/1{place}", message) in found


def test_a_route_without_a_backend_that_takes_requests_is_a_warning(operator: Operator) -> None:
    aside = [backend(state="drain"), backend(state="maintenance")]
    message = "No backend of /a takes requests: all are in drain or maintenance"

    assert warned(operator, backends=aside) == [("/routers/1/backends", message)]
    assert warned(operator, backends=[*aside, backend()]) == []
