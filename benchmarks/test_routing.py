"""Routing: what a match costs, compiled and pure side by side, and what building costs.

A round matches 1,000 random paths; normalisation check, host, parameters and upstream target are included. So the
figures of a round, read in microseconds, are nanoseconds per match.
"""

import importlib
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import kairos
from kairos._purepython import hide_extensions
from kairos._speedups import COMPILED
from kairos.config.document import Route
from kairos.routing import router as routing
from kairos.routing.check import problems
from kairos.routing.router import Entry, Router, entry_of

PATHS = 1_000
SIZES = [10, 1_000, 10_000]


def import_pure(name: str) -> ModuleType:
    """Import a module as it is where nothing is compiled, beside the one that is in use."""
    packages = ("kairos._speedups", "kairos.routing")
    in_use = {key: sys.modules.pop(key) for key in list(sys.modules) if key.startswith(packages)}
    finders = sys.path_importer_cache.copy()
    hide_extensions(Path(kairos.__file__).parent)
    try:
        return importlib.import_module(name)
    finally:
        sys.path_importer_cache.clear()
        sys.path_importer_cache.update(finders)
        sys.modules.update(in_use)
        for package in packages:
            setattr(kairos, package.removeprefix("kairos."), in_use[package])


IMPLEMENTATIONS = {"pure": import_pure("kairos.routing.router")} | ({"compiled": routing} if COMPILED else {})


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def implementation(request: pytest.FixtureRequest) -> Any:
    return IMPLEMENTATIONS[request.param]


def routes(size: int, hosts: tuple[str, ...] = ()) -> Iterator[Route]:
    """Make as many static as dynamic routes."""
    for number in range(size // 2):
        service = f"/api/v1/service{number}"
        yield Route(f"{service}/status", f"/service{number}/status", ("GET", "POST"), (), hosts)
        yield Route(f"{service}/users/{{user_id}}", "/users/{user_id}", ("GET", "PUT"), (), hosts)


def static_paths(size: int) -> list[bytes]:
    return [b"/api/v1/service%d/status" % random.randrange(size // 2) for _ in range(PATHS)]


def dynamic_paths(size: int) -> list[bytes]:
    return [
        b"/api/v1/service%d/users/%d" % (random.randrange(size // 2), random.randrange(10**6)) for _ in range(PATHS)
    ]


def odd_paths(size: int) -> list[bytes]:
    """Make paths that have to be normalised."""
    return [path.replace(b"users", b"%75sers") for path in dynamic_paths(size)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("paths", [static_paths, dynamic_paths], ids=["static", "dynamic"])
def test_match(
    benchmark: BenchmarkFixture, implementation: Any, paths: Callable[[int], list[bytes]], size: int
) -> None:
    router = implementation.Router.of(implementation.entry_of(route, None) for route in routes(size))

    measure(benchmark, router, arriving(paths(size)))


@pytest.mark.parametrize("paths", [static_paths, dynamic_paths], ids=["static", "dynamic"])
def test_match_what_no_cache_holds(
    benchmark: BenchmarkFixture, implementation: Any, paths: Callable[[int], list[bytes]]
) -> None:
    """Draw other paths for each round, from more routes than the processor's caches hold: the worst there is."""
    router = implementation.Router.of(implementation.entry_of(route, None) for route in routes(10_000))

    measure(benchmark, router, lambda: paths(10_000))


def test_match_on_a_named_host(benchmark: BenchmarkFixture, implementation: Any) -> None:
    router = implementation.Router.of(
        implementation.entry_of(route, None) for route in routes(1_000, ("gateway.example", "*.example.com"))
    )

    measure(benchmark, router, arriving(dynamic_paths(1_000)))


def test_normalise_and_match(benchmark: BenchmarkFixture, implementation: Any) -> None:
    router = implementation.Router.of(implementation.entry_of(route, None) for route in routes(1_000))

    measure(benchmark, router, arriving(odd_paths(1_000)))


def test_build_a_router_of_10_000_routes(benchmark: BenchmarkFixture) -> None:
    entries = [entry_of(route, None) for route in routes(10_000)]

    benchmark.pedantic(Router.of, (entries,), rounds=5, warmup_rounds=1)


def test_change_one_of_10_000_routes(benchmark: BenchmarkFixture) -> None:
    entries = [entry_of(route, None) for route in routes(10_000)]
    router = Router.of(entries)
    added = [Entry("/api/v2/{anything}", "/", ("GET",), None)]

    benchmark(lambda: list(router.changed(entries[1:2], added)))


def test_check_10_000_routes(benchmark: BenchmarkFixture) -> None:
    all_routes = list(routes(10_000))

    found = benchmark.pedantic(lambda: list(problems(all_routes)), rounds=5, warmup_rounds=1)

    assert not found


def measure(benchmark: BenchmarkFixture, router: Any, paths: Callable[[], list[bytes]]) -> None:
    """Match the paths that `paths` returns for each round."""
    random.seed(1)
    match = router.match

    def run(targets: list[bytes]) -> None:
        for target in targets:
            match(b"GET", b"gateway.example", target)

    benchmark.pedantic(run, setup=lambda: ((paths(),), {}), rounds=50, warmup_rounds=3)


def arriving(paths: list[bytes]) -> Callable[[], list[bytes]]:
    """Return a function that copies the paths: bytes that nobody has hashed yet, as they come from the wire."""
    return lambda: [bytes(bytearray(path)) for path in paths]
