"""Fuzz the heads of requests and responses: `make fuzz`, or `python -m tests.conformance.fuzz_head`.

The first byte says whether the rest is a request or a response, and where it is cut in two.
"""

from tests.conformance import requests, responses
from tests.conformance.anything import run_any_request, run_any_response
from tests.conformance.case import GET, GET_10_KEEP, GET_WITH_TRAILERS, HEAD
from tests.conformance.driver import Bench
from tests.conformance.fuzzing import LONGEST, cut, run

ASKED = (GET, HEAD, GET_10_KEEP, GET_WITH_TRAILERS)


def one(bench: Bench, data: bytes) -> None:
    """Try one input."""
    if len(data) < 2:
        return
    first, data = data[0], data[1:]
    if first & 1:
        run_any_response(bench, ASKED[first >> 1 & 3], cut(data, first >> 3))
    else:
        whole = run_any_request(bench, (data,))
        assert run_any_request(bench, cut(data, first >> 1)) == whole, "where it is cut matters"


def seeds() -> list[bytes]:
    """Return the corpus as inputs."""
    return [
        *(b"\0" + case.raw for _, case in requests.CASES if len(case.raw) <= LONGEST),
        *(b"\1" + case.raw for _, case in responses.CASES if len(case.raw) <= LONGEST),
    ]


if __name__ == "__main__":
    run(one, seeds())
