"""JSON bodies that rules change, on their way through the data plane."""

import asyncio
from collections.abc import Callable

import orjson
import pytest

from kairos.config.document import Limits, Retry
from kairos.config.policies import Cache
from kairos.config.transformations import JsonBody, JsonRule, Transformation
from kairos.filters import Asked, LocalReply
from kairos.shm import layout
from tests.proxy.messages import GET, error_of, unchunked
from tests.proxy.world import Peer, Server, World, body_of, masked, status_of

RULES = (JsonRule("set", "/by", "kairos"), JsonRule("remove", "/secret"))
JSON = b"Content-Type: application/json\r\n"
BEFORE, AFTER = b'{"a": 1, "secret": 2}', b'{"a":1,"by":"kairos"}'


def rules(**settings: object) -> Transformation:
    return Transformation(json=JsonBody(RULES, **settings))  # type: ignore[arg-type]


def post(body: bytes, *lines: bytes, method: bytes = b"POST") -> bytes:
    more = b"".join(line + b"\r\n" for line in lines)
    return b"%b /a HTTP/1.1\r\nHost: a\r\n%b%bContent-Length: %d\r\n\r\n%b" % (method, JSON, more, len(body), body)


def post_in_chunks(*pieces: bytes, trailers: bytes = b"") -> bytes:
    return b"POST /a HTTP/1.1\r\nHost: a\r\n%bTransfer-Encoding: chunked\r\n\r\n" % JSON + chunks(*pieces, trailers)


def chunks(*pieces: bytes) -> bytes:
    *pieces, trailers = pieces  # type: ignore[assignment]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailers + b"\r\n"


def answer(body: bytes, *lines: bytes) -> bytes:
    more = b"".join(line + b"\r\n" for line in lines)
    return b"HTTP/1.1 200 OK\r\n%b%bContent-Length: %d\r\n\r\n%b" % (JSON, more, len(body), body)


@pytest.fixture
def requests(world: World) -> Callable[..., Server]:
    """Make a server to which all requests go, changed."""

    def make(**settings: object) -> Server:
        server = world.server()
        options = {name: settings.pop(name) for name in ("retry", "limits") if name in settings}
        world.configure(world.route("/{rest...}", server, request_change=rules(**settings), **options))
        return server

    return make


@pytest.fixture
def responses(world: World) -> Callable[..., Server]:
    """Make a server whose answers are changed."""

    def make(**settings: object) -> Server:
        server = world.server()
        options = {name: settings.pop(name) for name in ("retry",) if name in settings}
        world.configure(world.route("/{rest...}", server, response_change=rules(**settings), **options))
        return server

    return make


# Requests.


def test_a_request_goes_on_with_its_new_length(client: Peer, requests: Callable[..., Server]) -> None:
    server = requests()
    client.sends(post(BEFORE, b"Content-Digest: x"))

    head, _, body = server.connection.receives().partition(b"\r\n\r\n")
    assert body == AFTER
    assert head.count(b"Content-Length: %d" % len(AFTER)) == head.count(b"Content-Length") == 1
    assert b"Content-Digest" not in head
    server.connection.sends(answer(b"{}"))
    assert status_of(client.receives()) == 200


def test_chunks_become_a_counted_body(client: Peer, requests: Callable[..., Server]) -> None:
    server = requests()
    client.sends(post_in_chunks(BEFORE[:5], BEFORE[5:], trailers=b"X-Sum: 1\r\n"))

    head, _, body = server.connection.receives().partition(b"\r\n\r\n")
    assert body == AFTER
    assert b"Transfer-Encoding" not in head
    assert b"\r\nContent-Length: %d" % len(AFTER) in head


@pytest.mark.parametrize("request_", [post(BEFORE), post_in_chunks(BEFORE[:7], BEFORE[7:])])
def test_a_request_may_be_cut_anywhere(client: Peer, requests: Callable[..., Server], request_: bytes) -> None:
    server = requests()
    for cut in range(1, len(request_)):
        client.sends(request_[:cut], request_[cut:])
        assert server.connection.receives().endswith(b"\r\n\r\n" + AFTER)
        server.connection.sends(answer(b"{}"))
        assert status_of(client.receives()) == 200
    assert len(server.connections) == 1


def test_no_backend_is_asked_before_the_body_is_whole(client: Peer, requests: Callable[..., Server]) -> None:
    server = requests()
    client.sends(post(BEFORE)[:-1])
    assert server.connections == []

    client.sends(BEFORE[-1:] + GET)  # and the next request
    assert server.connection.receives().endswith(AFTER)
    server.connection.sends(answer(b"{}"))
    assert server.connection.receives().startswith(b"GET /a ")


def test_a_client_that_waits_for_a_word_gets_it(client: Peer, requests: Callable[..., Server]) -> None:
    server = requests()
    head, _, body = post(BEFORE, b"Expect: 100-continue").partition(b"\r\n\r\n")
    client.sends(head + b"\r\n\r\n")
    assert client.receives() == b"HTTP/1.1 100 Continue\r\n\r\n"

    client.sends(body)
    sent = server.connection.receives()
    assert b"Expect" not in sent
    assert sent.endswith(AFTER)


def test_a_body_that_comes_at_once_needs_no_word(client: Peer, requests: Callable[..., Server]) -> None:
    server = requests()
    client.sends(post(BEFORE, b"Expect: 100-continue"))

    assert client.receives() == b""
    assert b"Expect" not in server.connection.receives()


@pytest.mark.parametrize("body", [b"no json", b'{"a": 1' + b" " * 100 + b"}"])
def test_what_does_not_fit_passes_as_it_is(client: Peer, requests: Callable[..., Server], body: bytes) -> None:
    server = requests(max_bytes=50)
    client.sends(post(body))
    head, _, sent = server.connection.receives().partition(b"\r\n\r\n")
    assert b"\r\nContent-Length: %d\r\n" % len(body) in head
    assert sent == body
    server.connection.sends(answer(b"{}"))

    client.sends(post_in_chunks(body[:3], body[3:], trailers=b"X-Sum: 1\r\n"))
    head, _, sent = server.connection.receives().partition(b"\r\n\r\n")
    assert b"\r\nTransfer-Encoding: chunked\r\n" in head
    assert sent.endswith(b"0\r\nX-Sum: 1\r\n\r\n")
    assert unchunked(sent.replace(b"X-Sum: 1\r\n", b"")) == body


def test_a_long_body_that_passes_streams(client: Peer, requests: Callable[..., Server]) -> None:
    server = requests(max_bytes=50)
    body = b"[" + b" " * 200_000 + b"]"
    client.sends(post(body)[:1000])
    server.connection.receives()
    client.sends(*(post(body)[at : at + 60_000] for at in range(1000, len(body) + 200, 60_000)))

    assert server.connection.receives().endswith(b" ]")
    server.connection.sends(answer(b"{}"))
    assert status_of(client.receives()) == 200


@pytest.mark.parametrize(
    ("body", "status", "reason"), [(b"no json", 400, "json_invalid"), (b"[" + b" " * 100, 413, "json_too_large")]
)
def test_what_does_not_fit_is_refused_if_it_must_fit(
    client: Peer, requests: Callable[..., Server], body: bytes, status: int, reason: str
) -> None:
    server = requests(max_bytes=50, passes=False)
    client.sends(post(body))

    sent = client.receives()
    assert status_of(sent) == status
    assert error_of(sent)["reason"] == reason
    assert server.connections == []


def test_other_requests_pass(client: Peer, requests: Callable[..., Server]) -> None:
    server = requests(passes=False)
    for request in (
        GET,
        post(BEFORE).replace(b"application/json", b"text/plain"),
        post(BEFORE, b"Content-Encoding: gzip"),
        post(b""),
    ):
        client.sends(request)
        assert server.connection.receives().endswith(b"\r\n\r\n" + request.partition(b"\r\n\r\n")[2])
        server.connection.sends(answer(b"{}"))
        assert status_of(client.receives()) == 200


def test_the_limit_of_bodies_holds_too(client: Peer, requests: Callable[..., Server]) -> None:
    requests(limits=Limits(body_bytes=10))
    client.sends(post_in_chunks(BEFORE))
    assert status_of(client.receives()) == 413


def test_the_changed_body_is_sent_again(world: World, client: Peer, requests: Callable[..., Server]) -> None:
    server = requests(retry=Retry(jitter=False))
    client.sends(post(BEFORE, method=b"PUT"))
    server.connection.receives()
    server.connection.resets()
    world.pass_time(1)

    assert len(server.connections) == 2
    head, _, body = server.connection.receives().partition(b"\r\n\r\n")
    assert b"\r\nContent-Length: %d\r\n" % len(AFTER) in head
    assert body == AFTER
    server.connection.sends(answer(b"{}"))
    assert status_of(client.receives()) == 200


def test_a_large_changed_body_is_sent_again_as_well(
    world: World, client: Peer, requests: Callable[..., Server]
) -> None:
    server = requests(retry=Retry(jitter=False))
    body = orjson.dumps({"text": "x" * 200_000})
    request = post(body, method=b"PUT")
    client.sends(*(request[at : at + 50_000] for at in range(0, len(request), 50_000)))
    server.connection.receives()
    server.connection.resets()
    world.pass_time(1)

    assert server.connection.receives().endswith(b'x","by":"kairos"}')
    server.connection.sends(answer(b"{}"))
    assert status_of(client.receives()) == 200


def test_a_client_may_leave_before_its_body_is_whole(
    world: World, client: Peer, requests: Callable[..., Server]
) -> None:
    requests()
    client.sends(post(BEFORE)[:-5])
    client.resets()
    assert world.count(layout.IN_FLIGHT) == 0


class Slow:
    """A filter that takes as long as the test says."""

    def __init__(self, world: World) -> None:
        self.verdict: asyncio.Future[LocalReply | None] = world.loop.create_future()

    def must_wait(self, asked: Asked) -> bool:
        return True

    async def wait(self, asked: Asked) -> LocalReply | None:
        return await self.verdict

    def take(self, asked: Asked) -> LocalReply | None:
        return None

    look = take


@pytest.mark.parametrize("is_body_first", [True, False])
def test_filter_and_body_may_come_in_any_order(
    world: World, client: Peer, requests: Callable[..., Server], is_body_first: bool
) -> None:
    server = requests()
    slow = Slow(world)
    (entry,) = (entry for entry in world.plane.snapshot.entries.values() if not entry.builtin)
    route = entry.destination
    route.filters, route.waits = (slow,), True  # type: ignore[attr-defined]
    client.sends(post(BEFORE)[:-5])

    if is_body_first:
        client.sends(post(BEFORE)[-5:])
    slow.verdict.set_result(None)
    world.settle()
    if not is_body_first:
        assert server.connections == []
        client.sends(post(BEFORE)[-5:])

    assert server.connection.receives().endswith(AFTER)
    server.connection.sends(answer(b"{}"))
    assert status_of(client.receives()) == 200


# Responses.


def test_an_answer_goes_on_with_its_new_length(client: Peer, responses: Callable[..., Server]) -> None:
    server = responses()
    client.sends(GET)
    server.connection.sends(answer(BEFORE, b'ETag: "1"', b"X: y"))

    assert masked(client.receives()) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX: y\r\nContent-Length: %d\r\n"
        b"X-Content-Type-Options: nosniff\r\nX-Request-ID: *\r\nDate: *\r\n\r\n%b" % (len(AFTER), AFTER)
    )


@pytest.mark.parametrize(
    "sent",
    [
        answer(BEFORE),
        b"HTTP/1.1 200 OK\r\n%bTransfer-Encoding: chunked\r\n\r\n" % JSON
        + chunks(BEFORE[:4], BEFORE[4:], b"X-Sum: 1\r\n"),
    ],
)
def test_an_answer_may_be_cut_anywhere(client: Peer, responses: Callable[..., Server], sent: bytes) -> None:
    server = responses()
    for cut in range(1, len(sent)):
        client.sends(GET)
        server.connection.sends(sent[:cut])
        assert client.receives() == b""
        server.connection.sends(sent[cut:])
        got = client.receives()
        assert b"\r\nContent-Length: %d\r\n" % len(AFTER) in got
        assert body_of(got) == AFTER


def test_an_answer_that_ends_with_the_connection_gets_a_length(client: Peer, responses: Callable[..., Server]) -> None:
    server = responses()
    client.sends(GET)
    server.connection.sends(b"HTTP/1.1 200 OK\r\n%b\r\n" % JSON + BEFORE)
    server.connection.leaves()

    assert body_of(client.receives()) == AFTER
    assert client.is_open


def test_an_answer_that_does_not_fit_passes(client: Peer, responses: Callable[..., Server]) -> None:
    server = responses(max_bytes=50)
    for body in (b"no json", b"[" + b" " * 100 + b"]"):
        client.sends(GET)
        server.connection.sends(answer(body, b'ETag: "1"')[:130], answer(body, b'ETag: "1"')[130:])
        got = client.receives()
        assert b'ETag: "1"' in got
        assert body_of(got) == body

        client.sends(GET)
        server.connection.sends(
            b"HTTP/1.1 200 OK\r\n%bTransfer-Encoding: chunked\r\n\r\n%b" % (JSON, chunks(body, b""))
        )
        assert unchunked(body_of(client.receives())) == body


@pytest.mark.parametrize(
    ("body", "reason"), [(b"no json", "json_invalid"), (b"[" + b" " * 100 + b"]", "json_too_large")]
)
def test_an_answer_that_must_fit_and_does_not_is_502(
    client: Peer, responses: Callable[..., Server], body: bytes, reason: str
) -> None:
    server = responses(max_bytes=50, passes=False)
    for is_cut in (False, True):
        client.sends(GET)
        sent = answer(body)
        server.connection.sends(*([sent[:-1], sent[-1:]] if is_cut else [sent]))

        got = client.receives()
        assert status_of(got) == 502
        assert error_of(got)["reason"] == reason
    assert client.is_open


def test_a_backend_that_dies_before_a_held_answer_is_whole_is_a_502(
    world: World, client: Peer, responses: Callable[..., Server]
) -> None:
    server = responses()
    client.sends(GET)
    server.connection.sends(answer(BEFORE)[:-3])
    server.connection.resets()

    got = client.receives()
    assert status_of(got) == 502
    assert error_of(got)["reason"] == "response_cut_short"
    assert client.is_open


def test_or_it_is_asked_again(world: World, client: Peer, responses: Callable[..., Server]) -> None:
    server = responses(retry=Retry(jitter=False))
    client.sends(GET)
    server.connection.sends(answer(BEFORE)[:-3])
    server.connection.resets()
    world.pass_time(1)
    server.connection.sends(answer(BEFORE))

    assert body_of(client.receives()) == AFTER


def test_a_client_may_leave_while_its_answer_is_held(
    world: World, client: Peer, responses: Callable[..., Server]
) -> None:
    server = responses()
    client.sends(GET)
    server.connection.sends(answer(BEFORE)[:-3])
    client.resets()

    assert not server.connection.is_open
    assert world.count(layout.IN_FLIGHT) == 0


def test_answers_without_a_body_have_none(client: Peer, responses: Callable[..., Server]) -> None:
    server = responses(passes=False, max_bytes=50)
    head = answer(BEFORE, b'ETag: "1"').partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    client.sends(GET.replace(b"GET", b"HEAD"))
    server.connection.sends(head)
    got = client.receives()
    assert b"Content-Length" not in got
    assert b"ETag" not in got
    assert body_of(got) == b""

    for status in (b"204 No Content", b"304 Not Modified"):
        client.sends(GET)
        server.connection.sends(head.replace(b"200 OK", status))
        assert b"ETag" in client.receives()

    client.sends(GET)
    server.connection.sends(answer(b""))
    assert b"Content-Length: 0\r\n" in client.receives()


def test_the_head_for_head_stays_if_the_body_would_pass(client: Peer, responses: Callable[..., Server]) -> None:
    server = responses(max_bytes=5)
    client.sends(GET.replace(b"GET", b"HEAD"))
    server.connection.sends(answer(BEFORE).partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    assert b"Content-Length: %d\r\n" % len(BEFORE) in client.receives()


def test_a_piece_of_json_and_what_is_none_pass(client: Peer, responses: Callable[..., Server]) -> None:
    server = responses(passes=False)
    for sent in (
        answer(BEFORE).replace(b"application/json", b"text/plain"),
        answer(BEFORE, b"Content-Encoding: gzip"),
        answer(BEFORE, b"Content-Range: bytes 0-1/2"),
    ):
        client.sends(GET)
        server.connection.sends(sent)
        assert body_of(client.receives()) == BEFORE


@pytest.mark.parametrize("cache", [None, Cache()])
def test_no_client_can_ask_for_what_escapes_the_rules(world: World, client: Peer, cache: Cache | None) -> None:
    server = world.server()
    world.configure(world.route("/a", server, response_change=rules(), cache=cache))

    client.sends(GET[:-2] + b"Accept-Encoding: gzip\r\nRange: bytes=0-\r\nIf-Range: \"1\"\r\nAccept: */*\r\n\r\n")

    asked = server.connection.receives()
    assert b"\r\nAccept: */*\r\n" in asked
    for name in (b"Accept-Encoding", b"Range"):
        assert name not in asked
    server.connection.sends(answer(BEFORE))
    assert body_of(client.receives()) == AFTER
