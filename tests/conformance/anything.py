"""What holds for any bytes at all: nothing raises, nothing is smuggled, and everybody gets their own answer."""

from collections.abc import Sequence

from tests.conformance.case import OK, masked
from tests.conformance.driver import Bench, is_closed
from tests.conformance.strict import Message, response_in, responses_in

_MARK = b"X-Answer"


def run_any_request(bench: Bench, pieces: Sequence[bytes]) -> tuple[list[bytes], list[int]]:
    """Send anything to the gateway; return what requests the origin received, and the statuses that the client saw."""
    origin = bench.origin
    bench.clean()
    client = bench.world.client()
    client.sends(*pieces)
    asked: list[Message] = []
    while waiting := list(origin.unanswered()):
        for arrival, message in waiting:
            arrival.connection.sends(_answer(message, len(asked)))
            asked.append(message)
    seen = _answers(client.receives(), asked, has_ended=is_closed(client))
    numbers = [int(answer.values(_MARK)[0]) for answer in seen if answer.values(_MARK)]
    assert numbers == list(range(len(asked))), "each request has one answer, in its order"
    client.leaves()
    origin.take()
    for arrival in origin.arrivals:
        assert len(arrival.whole) == arrival.answered
        assert not arrival.rest or not arrival.connection.is_open, "a request is left unfinished"
    bench.innocent()
    assert client.receives() == b"", "something came late"
    return [masked(message.wire) for message in asked], [answer.status for answer in seen]


def run_any_response(bench: Bench, request: bytes, pieces: Sequence[bytes]) -> tuple[bytes, bool]:
    """Let the origin answer anything, and then leave; return what the client saw, and whether it was broken off."""
    origin = bench.origin
    bench.clean()
    client = bench.world.client()
    client.sends(request)
    ((arrival, _),) = origin.unanswered()
    upstream = arrival.connection
    upstream.sends(*pieces)
    bench.innocent()
    if upstream.is_open:
        upstream.leaves()
    data = client.receives()
    method = request.partition(b" ")[0]
    is_aborted = client.transport.is_aborted
    answers, rest = responses_in(data, (method,), has_ended=is_closed(client) and not is_aborted)
    final = [answer for answer in answers if answer.status >= 200]
    if is_aborted:
        assert not final, "what is broken off must not look whole"
    else:
        assert len(final) == 1, "one request, one answer"
        assert rest == b"", "more than one answer"
    return masked(b"".join(answer.wire for answer in answers)), is_aborted


def _answer(message: Message, number: int) -> bytes:
    """Write the origin's answer, by which it can be told from all others; without its body to HEAD."""
    answer = OK.replace(b"\r\n\r\n", b"\r\n%b: %d\r\n\r\n" % (_MARK, number), 1)
    return answer[:-2] if message.head.startswith(b"HEAD ") else answer


def _answers(data: bytes, asked: Sequence[Message], *, has_ended: bool) -> list[Message]:
    """Read the answers of the origin, and the gateway's own between them."""
    found: list[Message] = []
    while data:
        method = b"GET"
        head = data.partition(b"\r\n\r\n")[0]
        if b"\r\n%b: " % _MARK in head:
            number = int(head.partition(b"\r\n%b: " % _MARK)[2].partition(b"\r\n")[0])
            method = asked[number].start_line.partition(b" ")[0]
        elif data.endswith(b"\r\n\r\n") and data.count(b"\r\n\r\n") == 1:
            method = b"HEAD"  # refused, and the last answer
        answer, data = response_in(data, method, has_ended=has_ended)
        found.append(answer)
    return found
