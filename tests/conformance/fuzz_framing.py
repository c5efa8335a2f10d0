"""Fuzz the framing of bodies: `make fuzz`, or `python -m tests.conformance.fuzz_framing`.

The first byte says whose body it is, the second where it is cut in two; the rest is a body in chunks, and what follows.
What a strict reader takes for a whole body must arrive as it is; where the input is cut must not matter.
"""

from tests.conformance import requests, responses
from tests.conformance.anything import run_any_request, run_any_response
from tests.conformance.case import GET_WITH_TRAILERS, request, response
from tests.conformance.driver import Bench
from tests.conformance.fuzzing import LONGEST, cut, run
from tests.conformance.strict import NotWellFormed, requests_in

ASKS = request(b"POST /a", b"Transfer-Encoding: chunked")
ANSWERS = response(b"200 OK", b"Transfer-Encoding: chunked")


def one(bench: Bench, data: bytes) -> None:
    """Try one input."""
    if len(data) < 3:
        return
    kind, place, body = data[0], data[1], data[2:]
    if kind & 1:
        whole = run_any_response(bench, GET_WITH_TRAILERS, (ANSWERS + body,))
        pieces = run_any_response(bench, GET_WITH_TRAILERS, (ANSWERS, *cut(body, place)))
        assert pieces[1] == whole[1]
        assert pieces[0] == whole[0], "where it is cut matters"
        return
    received, statuses = run_any_request(bench, (ASKS + body,))
    assert run_any_request(bench, (ASKS, *cut(body, place))) == (received, statuses), "where it is cut matters"
    try:
        messages, _ = requests_in(ASKS + body)
    except NotWellFormed:
        return
    if messages and received:
        ((first,), _) = requests_in(received[0])
        assert first.body == messages[0].body, "another body arrives"


def seeds() -> list[bytes]:
    """Return the bodies of the corpus as inputs."""
    return [
        mark + raw[len(head) :]
        for mark, head, cases in ((b"\0\0", ASKS, requests.CASES), (b"\1\0", ANSWERS, responses.CASES))
        for raw in (case.raw for _, case in cases)
        if raw.startswith(head) and len(raw) <= LONGEST
    ]


if __name__ == "__main__":
    run(one, seeds())
