"""Rules that change messages, on their way through the data plane."""

from kairos.config.transformations import FieldRule, PathRule, StatusRule, Transformation
from tests.proxy.messages import GET, OK, error_of
from tests.proxy.world import World, status_of

REQUESTS = Transformation(
    headers=(FieldRule("set", "X-Added", "1"), FieldRule("remove", "Cookie"), FieldRule("remove", "X-Forwarded-For")),
    path=PathRule("^/v1/(.*)$", "/v2/$1"),
    query=(FieldRule("set", "format", "json"),),
)
RESPONSES = Transformation(
    headers=(FieldRule("remove", "Server"), FieldRule("add", "X-Added", "2")),
    statuses=(StatusRule(404, 200, "method == GET"),),
)


def test_a_request_is_changed_after_all_that_the_gateway_does_to_it(world: World) -> None:
    server = world.server()
    world.configure(world.route("/api/{rest...}", server, internal="/v1/{rest...}", request_change=REQUESTS))
    client = world.client()

    fields = b"Host: a\r\nConnection: X-Added\r\nCookie: a\r\nX-Added: 0\r\nB: 2\r\n"
    client.sends(b"GET /api/x?y=1 HTTP/1.1\r\n" + fields + b"\r\n")

    head = server.connection.receives()
    assert head.startswith(b"GET /v2/x?y=1&format=json HTTP/1.1\r\nHost: 10.0.0.1:8080\r\nB: 2\r\n")
    assert head.count(b"X-Added: 1\r\n") == head.count(b"X-Added") == 1
    assert b"Cookie" not in head
    assert b"X-Forwarded-For" not in head


def test_a_body_goes_along(world: World) -> None:
    server = world.server()
    world.configure(world.route("/a", server, request_change=REQUESTS))
    client = world.client()

    client.sends(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo", b"dy")

    assert server.connection.receives().endswith(b"X-Added: 1\r\n\r\nbody")


def test_a_path_that_climbs_after_a_rule_is_refused(world: World) -> None:
    server = world.server()
    world.configure(world.route("/{rest...}", server, request_change=Transformation(path=PathRule("x", ""))))
    client = world.client()

    client.sends(GET.replace(b"/a", b"/a/.x./b"))

    answer = client.receives()
    assert status_of(answer) == 400
    assert error_of(answer)["reason"] == "path_climbs"
    assert server.connections == []


def test_a_response_is_changed_with_its_status(world: World) -> None:
    server = world.server()
    world.configure(world.route("/a", server, response_change=RESPONSES))
    client = world.client()
    answer = OK.replace(b"200 OK", b"404 Not Found").replace(b"\r\n\r\n", b"\r\nServer: secret\r\n\r\n")

    client.sends(GET)
    server.connection.sends(answer)
    sent = client.receives()
    assert sent.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Added: 2\r\n")
    assert sent.endswith(b"\r\n\r\nok")
    assert b"Server" not in sent

    client.sends(GET.replace(b"GET", b"HEAD"))
    server.connection.sends(answer[:-2])
    sent = client.receives()
    assert sent.startswith(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nX-Added: 2\r\n")
    assert sent.endswith(b"\r\n\r\n")
