"""What wrk prints is understood, and what went wrong under load is not passed over."""

import pytest

from benchmarks.load.errors import LoadError
from benchmarks.load.wrk import Report, parse

SUCCESS = """\
Running 2s test @ http://127.0.0.1:8080/items/42
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.90ms    0.88ms  12.52ms   83.10%
    Req/Sec    34.11k     1.20k   36.08k    75.00%
  Latency Distribution
     50%    1.75ms
     75%    2.10ms
     90%    2.75ms
     99%    5.25ms
  67882 requests in 2.00s, 87.03MB read
Requests/sec:  33917.52
Transfer/sec:     43.48MB
"""
FAILURE = SUCCESS.replace(
    "Requests/sec",
    "  Socket errors: connect 0, read 12, write 0, timeout 3\n  Non-2xx or 3xx responses: 77\nRequests/sec",
)


def test_reads_the_figures() -> None:
    assert parse(SUCCESS) == Report(
        requests=67882, per_second=33917.52, p99_ms=5.25, refused=0, socket_errors={}
    )


@pytest.mark.parametrize(("shown", "ms"), [("812.00us", 0.812), ("5.25ms", 5.25), ("1.04s", 1040.0), ("1.50m", 90_000)])
def test_reads_latencies_in_all_units(shown: str, ms: float) -> None:
    assert parse(SUCCESS.replace("5.25ms", shown)).p99_ms == pytest.approx(ms)


def test_reads_what_went_wrong() -> None:
    report = parse(FAILURE)

    assert report.refused == 77
    assert report.socket_errors == {"read": 12, "timeout": 3}


def test_other_output_is_shown() -> None:
    with pytest.raises(LoadError, match="no such option"):
        parse("no such option")


def test_success_passes() -> None:
    parse(SUCCESS).require_success("kairos")


def test_errors_end_the_measurement() -> None:
    with pytest.raises(LoadError, match=r"kairos failed under load.*12 x read, 3 x timeout, 77 answers other than"):
        parse(FAILURE).require_success("kairos")


def test_refusals_may_be_expected_up_to_a_share() -> None:
    report = Report(requests=100, per_second=50.0, p99_ms=1.0, refused=20, socket_errors={})

    report.require_success("kairos", refusals=0.2)
    with pytest.raises(LoadError, match="20 answers other"):
        report.require_success("kairos", refusals=0.1)


def test_no_answer_at_all_is_an_error() -> None:
    with pytest.raises(LoadError, match="nothing was answered"):
        Report(requests=0, per_second=0.0, p99_ms=0.0, refused=0, socket_errors={}).require_success("kairos")
