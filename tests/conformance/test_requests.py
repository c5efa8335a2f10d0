"""Every request of the corpus, whole and cut at every place, comes to the same."""

from collections.abc import Iterator

import pytest

from tests.conformance.case import RequestCase
from tests.conformance.driver import Bench, cuts, run_request
from tests.conformance.requests import CASES


@pytest.fixture(scope="module")
def shared() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.end()


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.clean()
    return shared


def test_the_corpus_is_large_and_its_names_are_unique() -> None:
    assert len(CASES) >= 150
    assert len({name for name, _ in CASES}) == len(CASES)


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES])
def test_a_request(bench: Bench, case: RequestCase) -> None:
    run_request(bench, case, (case.raw,))


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES])
def test_a_request_on_a_connection_that_has_served(bench: Bench, case: RequestCase) -> None:
    bench.innocent()
    bench.origin.arrivals.clear()

    run_request(bench, case, (case.raw,))


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES])
def test_a_request_cut_anywhere(bench: Bench, case: RequestCase) -> None:
    for pieces in cuts(case.raw):
        bench.clean()
        try:
            run_request(bench, case, pieces)
        except BaseException as error:
            error.add_note(f"pieces of {[len(piece) for piece in pieces][:8]} bytes; the first: {pieces[0][-60:]!r}")
            raise
