"""Put a case before the gateway, and see what it makes of it.

A run begins without connections to the origin, or with one that has served before; it ends with an innocent client
that must get its own answer, whatever the case has left in the pool.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import orjson

from tests.conformance.case import OK, RequestCase, ResponseCase, masked, seen, told
from tests.conformance.strict import Message, requests_in, responses_in
from tests.proxy.world import Peer, Server, World

EVERY_SPLIT = 640  # bytes: longer messages are cut at some places only
LARGE = 1 << 20  # bytes: and these at still fewer
PIECE = 4093  # bytes of longer messages, in place of single ones


@dataclass(slots=True)
class Arrival:
    """What has come over one connection to the origin."""

    connection: Peer
    data: bytes = b""
    answered: int = 0

    @property
    def whole(self) -> list[Message]:
        """The requests on it; NotWellFormed if there is anything else."""
        return requests_in(self.data)[0]

    @property
    def rest(self) -> bytes:
        """The beginning of a request that has not been finished."""
        return requests_in(self.data)[1]


class Origin:
    """The backend: it remembers what it received, by connection, and answers what it is told to."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.arrivals: list[Arrival] = []

    def take(self) -> None:
        """Read what has arrived."""
        known = {id(arrival.connection): arrival for arrival in self.arrivals}
        for connection in self.server.connections:
            arrival = known.get(id(connection))
            if arrival is None:
                arrival = Arrival(connection)
                self.arrivals.append(arrival)
            arrival.data += connection.receives()

    def unanswered(self) -> Iterator[tuple[Arrival, Message]]:
        """Yield the requests that wait for an answer."""
        self.take()
        for arrival in self.arrivals:
            for message in arrival.whole[arrival.answered :]:
                arrival.answered += 1
                yield arrival, message

    def answers_all(self, answer: bytes) -> None:
        """Answer every request, also those that come because others have been answered."""
        while waiting := list(self.unanswered()):
            for arrival, _ in waiting:
                arrival.connection.sends(answer)

    def forgets(self) -> None:
        """Close what is open, and begin anew."""
        for connection in self.server.connections:
            if connection.is_open:
                connection.leaves()
        self.server.connections.clear()
        self.arrivals.clear()


class QuickWorld(World):
    """A world whose time never moves: the loop has to turn only while something is ready."""

    def settle(self) -> None:
        is_busy = True
        while is_busy:
            while self.loop._ready:
                self.loop.call_soon(self.loop.stop)
                self.loop.run_forever()
            is_busy = any(peer.step() for peer in self.peers)


class Bench:
    """A world with one route for everything to one origin."""

    def __init__(self) -> None:
        self.world = QuickWorld()
        self.origin = Origin(self.world.server())
        self.world.configure(self.world.route("/{rest...}", self.origin.server))
        self.errors: list[object] = []
        self.world.loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self._numbers = count()

    def end(self) -> None:
        """See that nothing is left of all that was tried."""
        self.world.end()
        assert not self.errors, self.errors

    def clean(self) -> None:
        """Begin a run without any connection."""
        for peer in self.world.peers:
            if not peer.is_lost:
                peer.leaves()
        self.origin.forgets()
        self.world.settle()
        assert all(peer.is_lost for peer in self.world.peers)
        self.world.peers.clear()

    def innocent(self) -> Peer:
        """Let another client ask something, and see that it gets its own answer; return the origin's connection."""
        number = next(self._numbers)
        self.origin.take()
        client = self.world.client()
        client.sends(b"GET /innocent/%d HTTP/1.1\r\nHost: innocent.example\r\n\r\n" % number)
        ((arrival, message),) = self.origin.unanswered()
        body = b"for %d only" % number
        assert masked(message.wire) == seen(b"GET /innocent/%d" % number, host=b"innocent.example")
        length = b"Content-Length: %d" % len(body)
        arrival.connection.sends(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (length, body))
        assert masked(client.receives()) == told(b"200 OK", length, body=body)
        assert client.is_open
        client.leaves()
        return arrival.connection


def cuts(raw: bytes) -> Iterator[tuple[bytes, ...]]:
    """Yield the ways in which a message may arrive in pieces: byte by byte, and in two, cut anywhere."""
    size = len(raw)
    if size <= EVERY_SPLIT:
        places: Sequence[int] = range(1, size)
        yield tuple(raw[at : at + 1] for at in range(size))
    else:
        few = {40, size // 2, size - 3}
        some = {1, 2, 8, size // 3, size - 300, *range(size - 8, size)}
        places = sorted(few if size > LARGE else few | some)
        piece = 16 * PIECE if size > LARGE else PIECE
        yield tuple(raw[at : at + piece] for at in range(0, size, piece))
    for at in places:
        yield raw[:at], raw[at:]


def is_closed(client: Peer) -> bool:
    """Say whether the gateway has ended the connection, or only still reads from it what it will not answer."""
    return not client.is_open or client.transport.eof_written


# Requests.


def run_request(bench: Bench, case: RequestCase, pieces: Sequence[bytes]) -> None:
    """Send the pieces of a request, and see that everything is as the case says."""
    origin = bench.origin
    client = bench.world.client()
    client.sends(*pieces)
    origin.answers_all(case.answer)
    data = client.receives()
    assert is_closed(client) == case.closes, "the client's connection"
    check_answers(case, data)
    if case.waits:
        client.leaves()
    check_forwarded(case, origin, len(pieces) == 1)
    bench.innocent()
    assert client.receives() == b"", "something came late"
    for arrival in origin.arrivals:
        assert not arrival.rest or not arrival.connection.is_open


def check_answers(case: RequestCase, data: bytes) -> None:
    """See that the client got the answers it should, each whole and well-formed, and nothing else."""
    methods = [request.partition(b" ")[0] for request in case.forwarded]
    refused = case.raw.lstrip(b"\r\n").partition(b" ")[0]
    methods += [refused] * (len(case.statuses) - len(methods))
    answers, rest = responses_in(data, methods, has_ended=case.closes)
    assert rest == b"", "more than whole answers"
    if case.sees is not None:
        assert masked(b"".join(answer.wire for answer in answers)) == case.sees
    final = [answer for answer in answers if answer.status >= 200]
    assert len(final) == len(case.statuses), [answer.status for answer in answers]
    for answer, expected in zip(final, case.statuses, strict=True):
        assert answer.status == expected or (isinstance(expected, frozenset) and answer.status in expected)
        if answer.status >= 400:
            check_error(answer, to_head=refused == b"HEAD")
    if final and case.closes:
        assert final[-1].values(b"Connection") == [b"close"]
    if case.sees is None and case.forwarded and case.answer == OK:
        assert [answer.body for answer in final if answer.status == 200] == [b"ok"] * len(case.forwarded)


def check_error(answer: Message, *, to_head: bool) -> None:
    """See that an error is told as JSON, and names no backend."""
    assert answer.values(b"Content-Type") == [b"application/json"]
    if to_head:
        return
    error = orjson.loads(answer.body)
    assert {"error", "reason", "type"} <= error.keys()
    assert "10.0.0.1" not in error["error"]


def check_forwarded(case: RequestCase, origin: Origin, is_whole: bool) -> None:
    """See that the origin got what it should, in this order, and nothing else."""
    origin.take()
    messages = [message for arrival in origin.arrivals for message in arrival.whole]
    assert [masked(message.wire) for message in messages] == list(case.forwarded)
    for arrival in origin.arrivals:
        if arrival.rest:
            assert case.streams, "the beginning of a request that must not be forwarded"
            assert case.waits or not is_whole, "forwarded before it was read to its end"
            assert not arrival.connection.is_open, "a request is left unfinished"


# Responses.


def run_response(bench: Bench, case: ResponseCase, pieces: Sequence[bytes]) -> None:
    """Send a request and the pieces of an answer to it, and see that everything is as the case says."""
    origin = bench.origin
    client = bench.world.client()
    client.sends(case.request)
    ((arrival, _),) = origin.unanswered()
    upstream = arrival.connection
    upstream.sends(*pieces)
    if case.ends and upstream.is_open:
        upstream.leaves()
    data = client.receives()
    check_seen(case, data, has_ended=is_closed(client))
    assert client.transport.is_aborted == case.aborts, "broken off"
    if not case.aborts:
        assert is_closed(client) != case.keeps_client, "the client's connection"
    assert upstream.is_open == case.keeps_upstream, "the origin's connection"
    assert (bench.innocent() is upstream) == case.keeps_upstream
    assert client.receives() == b"", "something came late"
    if case.keeps_client and not case.aborts:
        check_goes_on(client, origin)


def check_goes_on(client: Peer, origin: Origin) -> None:
    """See that a connection that was kept can be used."""
    client.sends(b"GET /next HTTP/1.1\r\nHost: example.com\r\n\r\n")
    origin.answers_all(OK)
    assert masked(client.receives()) == told(b"200 OK", b"Content-Length: 2", body=b"ok")


def check_seen(case: ResponseCase, data: bytes, *, has_ended: bool) -> None:
    """See that the client got what it should."""
    method = case.request.partition(b" ")[0]
    is_whole = has_ended and not case.aborts
    answers, rest = responses_in(data, (method,), has_ended=is_whole)
    wire = masked(b"".join(answer.wire for answer in answers))
    if case.aborts:
        assert all(answer.status < 200 for answer in answers), "what is broken off must not look whole"
        assert case.sees is not None
        assert masked(rest).startswith(case.sees[: len(rest)]) or is_beginning(masked(rest), case.sees)
        return
    assert rest == b"", "more than whole answers"
    if case.sees is not None:
        assert wire == case.sees
        return
    *before, answer = answers
    assert masked(b"".join(interim.wire for interim in before)) == case.interims
    assert answer.status == 502
    check_error(answer, to_head=method == b"HEAD")


def is_beginning(part: bytes, whole: bytes) -> bool:
    """Say whether `part` is the beginning of `whole`, however its body is cut into chunks."""
    head, mark, body = part.partition(b"\r\n\r\n")
    expected, _, expected_body = whole.partition(b"\r\n\r\n")
    if not mark:
        return whole.startswith(part)
    if head != expected or b"\r\nTransfer-Encoding: chunked" not in head:
        return head == expected and expected_body.startswith(body)
    return b"".join(chunk_data(expected_body)).startswith(b"".join(chunk_data(body)))


def chunk_data(body: bytes) -> Iterator[bytes]:
    """Yield the data of the whole chunks."""
    while b"\r\n" in body:
        size, _, body = body.partition(b"\r\n")
        if not size or int(size, 16) == 0:
            return
        yield body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
