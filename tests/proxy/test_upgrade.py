"""The way to a tunnel: the handshake is a request like any other until the backend agrees."""

from pathlib import Path

import orjson
import pytest

from kairos.config.document import Concurrency, Retry
from kairos.config.policies import AccessList, Cache, Cors, WebSocket
from kairos.proxy.access_log import AccessLog
from kairos.shm import layout
from tests.proxy.messages import GET, OK, error_of
from tests.proxy.websockets import (
    AGREED,
    HANDSHAKE,
    KEY,
    OTHER,
    OTHER_AGREED,
    Pair,
    client_frame,
    configure,
    with_lines,
)
from tests.proxy.world import Peer, Server, World, masked, status_of

TEXT = 1
LIMITS = WebSocket()
CHAT = GET.replace(b"/a", b"/chat")


@pytest.fixture
def server(world: World) -> Server:
    server = world.server()
    configure(world, server)
    return server


def asked(client: Peer, request: bytes) -> tuple[int, str]:
    """Send a request that is answered here; return the status and why."""
    client.sends(request)
    answer = client.receives()
    return status_of(answer), error_of(answer)["reason"]


class TestHandshake:
    def test_everything_the_client_says_reaches_the_backend_and_back(self, world: World, server: Server) -> None:
        options = {"internal": "/ws/{room}?v=1", "protocol": "websocket", "websocket": LIMITS}
        world.configure(world.route("/{room}", server, **options))
        lines = b"Cookie: a=b\r\nOrigin: http://example.com\r\nSec-WebSocket-Protocol: one, two\r\nAuthorization: x\r\n"
        extensions = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        asks = with_lines(HANDSHAKE.replace(b"/chat", b"/chat?x=y"), lines + extensions)
        answers = b"Sec-WebSocket-Protocol: two\r\nSec-WebSocket-Extensions: permessage-deflate\r\nServer: z\r\n"

        pair = Pair(world, server, asks, with_lines(AGREED, answers))

        assert masked(pair.request) == (
            b"GET /ws/chat?v=1&x=y HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n" + lines + extensions
            + b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: example.com\r\n"
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nX-Request-ID: *\r\n\r\n"
        )  # fmt: skip
        assert masked(pair.answer + b"\r\n") == (
            b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            + answers
            + b"Connection: Upgrade\r\nUpgrade: websocket\r\nX-Content-Type-Options: nosniff\r\nX-Request-ID: *\r\n"
        )

    def test_a_plain_request_is_told_what_the_route_speaks(self, world: World, server: Server) -> None:
        client = world.client()
        client.sends(CHAT)
        answer = client.receives()

        assert status_of(answer) == 426
        assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" in answer
        assert error_of(answer)["error"] == "No WebSocket Upgrade header found"
        assert server.connections == []

    @pytest.mark.parametrize(
        ("request_", "status"),
        [
            (HANDSHAKE.replace(b"GET", b"POST"), 405),
            (HANDSHAKE.replace(b"Connection: Upgrade\r\n", b""), 426),
            (HANDSHAKE.replace(b": websocket", b": foo"), 426),
            (HANDSHAKE.replace(b"Version: 13", b"Version: 8"), 426),
            (HANDSHAKE.replace(KEY, b"no key"), 400),
            (HANDSHAKE.replace(b"HTTP/1.1", b"HTTP/1.0"), 426),
        ],
    )
    def test_a_handshake_that_is_none_goes_nowhere(
        self, world: World, server: Server, request_: bytes, status: int
    ) -> None:
        assert asked(world.client(), request_)[0] == status
        assert server.connections == []

    def test_an_answer_that_is_not_101_is_an_answer_like_any(self, world: World, server: Server) -> None:
        client = world.client()
        client.sends(HANDSHAKE)
        server.connection.sends(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        assert client.receives().endswith(b"\r\n\r\nno")

        client.sends(HANDSHAKE)

        assert server.connection.receives().count(b"GET /chat ") == 2  # both connections live on
        server.connection.sends(AGREED)
        assert status_of(client.receives()) == 101

    @pytest.mark.parametrize(
        "answer",
        [
            AGREED.replace(b"s3pP", b"xxxx"),
            AGREED.replace(b": websocket", b": foo"),
            with_lines(AGREED, b"Sec-WebSocket-Protocol: surprise\r\n"),
            with_lines(AGREED, b"Sec-WebSocket-Extensions: surprise\r\n"),
        ],
    )
    def test_a_backend_that_does_not_keep_to_the_offer(self, world: World, server: Server, answer: bytes) -> None:
        client = world.client()
        client.sends(HANDSHAKE)
        server.connection.sends(answer)

        refusal = client.receives()
        assert (status_of(refusal), error_of(refusal)["reason"]) == (502, "upgrade_not_agreed")
        assert not server.connection.is_open
        assert world.count(layout.WEBSOCKETS) == 0

    def test_interim_answers_come_first(self, world: World, server: Server) -> None:
        client = world.client()
        client.sends(HANDSHAKE)
        server.connection.sends(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + AGREED)
        assert client.receives().startswith(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 101 ")

    def test_it_begins_on_a_connection_that_was_used_before(self, world: World, server: Server) -> None:
        world.configure(world.route("/chat", server, websocket=LIMITS))
        client = world.client()
        client.sends(CHAT)
        server.connection.sends(OK)
        client.receives(), server.connection.receives()

        client.sends(HANDSHAKE)
        server.connection.sends(AGREED)

        assert len(server.connections) == 1
        assert status_of(client.receives()) == 101

    def test_a_silent_backend_runs_out_of_time(self, world: World, server: Server) -> None:
        client = world.client()
        client.sends(HANDSHAKE)
        world.pass_time(32)
        assert status_of(client.receives()) == 504


class TestPolicies:
    """What holds for requests holds for handshakes."""

    def test_they_come_first(self, world: World, server: Server) -> None:
        configure(world, server, access_lists=(AccessList((), ("192.0.2.0/24",)),))
        assert asked(world.client(), HANDSHAKE)[0] == 403
        assert asked(world.client(), CHAT)[0] == 403  # and nothing is told of what the route speaks

    def test_pages_of_other_origins_are_kept_out_where_cors_says_so(self, world: World, server: Server) -> None:
        configure(world, server, cors=Cors(("https://app.example",)))

        for origin, status in ((b"https://app.example", 101), (b"http://EXAMPLE.com", 101), (b"https://evil", 403)):
            client = world.client()
            client.sends(with_lines(HANDSHAKE, b"Origin: " + origin + b"\r\n"))
            if status == 101:
                server.connection.sends(AGREED)
            assert status_of(client.receives()) == status

    def test_another_backend_is_tried(self, world: World) -> None:
        servers = [world.server(port) for port in (8080, 8081)]
        configure(world, *servers)
        servers[0].error = ConnectionRefusedError

        pair = Pair(world, servers[1])

        assert pair.request.startswith(b"GET /chat ")

    def test_a_handshake_that_fails_is_tried_again(self, world: World) -> None:
        servers = [world.server(port) for port in (8080, 8081)]
        configure(world, *servers, retry=Retry(jitter=False))
        client = world.client()
        client.sends(HANDSHAKE)
        servers[0].connection.sends(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        world.pass_time(1)
        servers[1].connection.sends(AGREED)

        assert status_of(client.receives()) == 101

    def test_the_limit_of_connections(self, world: World, server: Server) -> None:
        configure(world, server, connections=2)
        pairs = [Pair(world, server) for _ in range(2)]

        assert asked(world.client(), HANDSHAKE) == (503, "too_many_websockets")

        pairs[0].client.resets()
        Pair(world, server)
        assert asked(world.client(), HANDSHAKE) == (503, "too_many_websockets")

    def test_a_handshake_counts_from_its_beginning(self, world: World, server: Server) -> None:
        configure(world, server, connections=1)
        client = world.client()
        client.sends(HANDSHAKE)

        assert asked(world.client(), HANDSHAKE) == (503, "too_many_websockets")

        server.connection.sends(OK)
        assert status_of(client.receives()) == 200
        Pair(world, server)

    def test_the_backend_has_it_in_flight_and_the_route_no_more(self, world: World, server: Server) -> None:
        configure(world, server, concurrency=Concurrency(requests=1))
        pairs = [Pair(world, server) for _ in range(3)]
        gauge = world.zone.gauge("in flight http://10.0.0.1:8080")

        assert world.count(gauge) == 3
        assert world.plane.in_flight == 0
        for pair in pairs:
            pair.backend.leaves()
            pair.client.leaves()
        assert world.count(gauge) == 0

    def test_nothing_new_begins_while_the_gateway_drains(self, world: World, server: Server) -> None:
        client = world.client()
        world.plane.is_draining = True
        assert asked(client, HANDSHAKE) == (503, "draining")

    def test_it_is_one_exchange_in_the_log(self, world: World, server: Server, tmp_path: Path) -> None:
        world.plane.access_log = AccessLog(str(tmp_path / "log"))
        Pair(world, server).client.resets()
        world.plane.access_log.flush()

        (line,) = (tmp_path / "log").read_bytes().splitlines()
        record = orjson.loads(line)
        assert (record["status"], record["route"], record["attempts"]) == (101, "/chat", 1)
        assert world.responses() == [1, 0, 0, 0, 0]


class TestOtherUpgrades:
    @pytest.fixture
    def server(self, world: World) -> Server:
        server = world.server()
        configure(world, server, protocol="http")
        return server

    def test_plain_requests_pass(self, world: World, server: Server) -> None:
        client = world.client()
        client.sends(CHAT)
        server.connection.sends(OK)
        assert status_of(client.receives()) == 200

    def test_websockets_are_checked_and_pass(self, world: World, server: Server) -> None:
        assert asked(world.client(), HANDSHAKE.replace(KEY, b"x")) == (400, "websocket_handshake_invalid")
        Pair(world, server)

    def test_any_bytes_pass_after_another_upgrade(self, world: World, server: Server) -> None:
        pair = Pair(world, server, OTHER, OTHER_AGREED)
        assert b"\r\nConnection: Upgrade\r\nUpgrade: foo/1\r\n" in pair.request

        pair.client.sends(b"GET / HTTP/1.1\r\n")
        pair.backend.sends(b"\xff\x00")

        assert pair.backend.receives() == b"GET / HTTP/1.1\r\n"
        assert pair.client.receives() == b"\xff\x00"
        assert world.count(layout.WEBSOCKET_BYTES_IN) == 16
        assert world.count(layout.WEBSOCKET_BYTES_OUT) == 2

    def test_h2c_is_not_passed_on(self, world: World, server: Server) -> None:
        client = world.client()
        client.sends(OTHER.replace(b"foo/1", b"h2c"))
        assert b"pgrade" not in server.connection.receives()

        server.connection.sends(OTHER_AGREED.replace(b"foo/1", b"h2c"))

        assert asked(client, b"")[1] == "unexpected_upgrade"

    def test_a_request_with_a_body_changes_after_it(self, world: World, server: Server) -> None:
        client = world.client()
        client.sends(OTHER.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 4\r\n\r\n") + b"bo")
        server.connection.receives()
        client.sends(b"dy" + b"first")
        server.connection.sends(OTHER_AGREED)
        client.sends(b" second")

        assert server.connection.receives() == b"dyfirst second"

    def test_a_backend_must_not_change_before_it_has_the_request(self, world: World, server: Server) -> None:
        client = world.client()
        client.sends(OTHER.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 4\r\n\r\n") + b"bo")
        server.connection.sends(OTHER_AGREED)
        assert asked(client, b"")[1] == "upgrade_not_agreed"

    def test_it_is_none_of_the_cache_s_business(self, world: World, server: Server) -> None:
        configure(world, server, protocol="http", cache=Cache())
        reader = world.client()
        reader.sends(CHAT)
        server.connection.sends(OK.replace(b"\r\n\r\n", b"\r\nCache-Control: max-age=60\r\n\r\n"))
        assert b"; stored" in reader.receives()

        first = Pair(world, server)  # although there is an answer that would do for a plain request
        others = [world.client(), world.client()]
        for other in others:
            other.sends(HANDSHAKE)

        assert b"Cache-Status: kairos; fwd=bypass" in first.answer
        assert sum(b"GET /chat" in peer.receives() for peer in server.connections) == 2  # none waits for the other

    def test_a_route_without_upgrades_does_as_if_nobody_asked(self, world: World, server: Server) -> None:
        world.configure(world.route("/chat", server))
        client = world.client()
        client.sends(HANDSHAKE)
        assert b"pgrade" not in server.connection.receives()
        server.connection.sends(AGREED)
        assert asked(client, b"")[1] == "unexpected_upgrade"


def test_early_bytes_are_not_lost(world: World, server: Server) -> None:
    early, late = client_frame(TEXT, b"early"), b"\x81\x04late"
    pair = Pair(world, server, HANDSHAKE + early, AGREED + late)

    assert pair.early == late
    assert pair.backend.receives() == early


def test_a_client_that_says_much_before_the_answer_is_held_back_and_then_heard(world: World, server: Server) -> None:
    data, client = client_frame(2, bytes(100_000)), world.client()
    client.sends(HANDSHAKE)
    client.sends(data)
    client.sends(data)
    assert not client.transport.is_reading()
    server.connection.receives()

    server.connection.sends(AGREED)

    assert server.connection.receives() == data * 2
    assert client.transport.is_reading()


def test_a_client_that_has_not_read_earlier_answers_holds_the_backend_back(world: World, server: Server) -> None:
    world.configure(world.route("/chat", server, websocket=LIMITS))
    client = world.client()
    client.sends(CHAT)
    client.stops_reading()
    server.connection.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + bytes(60_000))
    client.sends(HANDSHAKE)
    backend = server.connection
    backend.sends(AGREED)
    backend.sends(*[b"\x82\x7e\x40\x00" + bytes(16_384)] * 8)

    assert not backend.transport.is_reading()
    client.reads_on()
    assert backend.transport.is_reading()
    assert client.receives().count(b"\x82\x7e\x40\x00") == 8
