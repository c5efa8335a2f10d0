"""Who may call and in which form, through real sockets, with two workers and a reload."""

from collections.abc import Callable

from tests.e2e.configs import config, route
from tests.e2e.gateway import Gateway
from tests.e2e.origin import Origin, Received

APP = "https://app.example"
CORS = {"allowed_origins": [APP], "allow_credentials": True}
PREFLIGHT = {"Origin": APP, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}


def talkative(request: Received) -> bytes:
    """Answer 404 with fields that the gateway has a say in."""
    return (
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nServer: secret\r\nVary: Accept\r\n"
        b"X-Frame-Options: ALLOWALL\r\nAccess-Control-Allow-Origin: *\r\n\r\ngone"
    )


def test_an_access_list_takes_effect_with_a_reload(start_gateway: Callable[..., Gateway], origin: Origin) -> None:
    gateway = start_gateway(config(route("/a", origin)), workers=2)
    assert gateway.request("GET", "/a").status == 200

    gateway.reload(config(route("/a", origin), access_list={"deny": ["127.0.0.0/8"]}))
    refused = [gateway.request("GET", "/a") for _ in range(4)]

    assert [answer.status for answer in refused] == [403] * 4
    assert refused[0].json()["reason"] == "access_denied"
    assert gateway.request("GET", "/health").status == 200
    assert len(origin.received) == 1


def test_a_page_of_another_origin_asks_first_and_then_calls(
    start_gateway: Callable[..., Gateway], origin: Origin
) -> None:
    routes = config(route("/a", origin, methods=["PUT"]), cors=CORS)
    gateway = start_gateway(routes, workers=2)

    asked = gateway.request("OPTIONS", "/a", headers=PREFLIGHT)
    called = gateway.request("PUT", "/a", b"x", headers={"Origin": APP})
    foreign = gateway.request("PUT", "/a", b"x", headers={"Origin": "https://evil.example"})

    assert (asked.status, asked.body) == (204, b"")
    assert "PUT" in asked.headers["Access-Control-Allow-Methods"]
    assert asked.headers["Access-Control-Allow-Origin"] == called.headers["Access-Control-Allow-Origin"] == APP
    assert called.headers["Access-Control-Allow-Credentials"] == "true"
    assert foreign.status == 200  # the browser keeps the answer from the page
    assert foreign.headers["Access-Control-Allow-Origin"] is None
    assert [received.method for received in origin.received] == ["PUT", "PUT"]


def test_answers_have_the_form_that_the_gateway_wants(start_gateway: Callable[..., Gateway]) -> None:
    with Origin(talkative) as origin:
        given = route(
            "/a",
            origin,
            request_transformation={
                "headers": [{"action": "set", "name": "X-Added", "value": "1"}],
                "path": {"pattern": "^/a", "replacement": "/b"},
                "query_params": [{"action": "remove", "name": "debug"}],
            },
            response_transformation={
                "headers": [{"action": "remove", "name": "Server"}],
                "status_code_mappings": [{"from": 404, "to": 410, "condition": "method == GET"}],
            },
        )
        gateway = start_gateway(config(given, cors=CORS, security_headers={"x_frame_options": "DENY"}), workers=2)

        answer = gateway.request("GET", "/a?debug=1&x=2", headers={"Origin": APP})
        (received,) = origin.received

    assert (received.target, received.fields("X-Added")) == ("/b?x=2", ["1"])
    assert (answer.status, answer.body) == (410, b"gone")
    assert answer.headers.get_all("X-Frame-Options") == ["DENY"]
    assert answer.headers.get_all("Access-Control-Allow-Origin") == [APP]
    assert sorted(answer.headers.get_all("Vary") or ()) == ["Accept", "Origin"]
    assert answer.headers["Server"] is None


def test_scanners_and_odd_bodies_are_refused(start_gateway: Callable[..., Gateway], origin: Origin) -> None:
    checks = {"blocked_user_agents": ["sqlmap"], "allowed_content_types": ["application/json"]}
    gateway = start_gateway(config(route("/a", origin), request_checks=checks))

    assert gateway.request("GET", "/a", headers={"User-Agent": "sqlmap/1.7"}).status == 403
    assert gateway.request("POST", "/a", b"a", headers={"Content-Type": "text/xml"}).status == 415
    assert gateway.request("POST", "/a", b"{}", headers={"Content-Type": "application/json"}).status == 200
