"""Loading a large config: what a start and a reload cost before the workers see anything."""

import json
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from kairos.config.document import Document
from kairos.config.load import Loaded, load

ROUTES = 10_000


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "config.json"
    path.write_text(json.dumps({"version": 1, "routers": [router(number) for number in range(ROUTES)]}, indent=2))
    return path


@pytest.fixture(scope="module")
def loaded(path: Path) -> Loaded:
    return load(path, {})


def router(number: int) -> dict[str, object]:
    """Make a router; every other one has a parameter, and each has a warning to be placed."""
    return {
        "external_path": f"/api/service{number}" + ("/items/{id}" if number % 2 else ""),
        "internal_path": f"/service{number}" + ("/{id}" if number % 2 else ""),
        "methods": ["GET", "POST"],
        "backends": [{"host": f"http://10.0.{number % 250}.{side}", "port": 8080} for side in (1, 2)],
        "retry": {"max_retries": 2},
    }


def test_load_a_config_of_10_000_routes(benchmark: BenchmarkFixture, path: Path) -> None:
    loaded = benchmark.pedantic(load, (path, {}), rounds=5, warmup_rounds=1)

    assert len(loaded.document.routes) == ROUTES
    assert [finding.message for finding in loaded.findings if finding.level == "error"] == []


def test_encode_a_document_of_10_000_routes(benchmark: BenchmarkFixture, loaded: Loaded) -> None:
    encoded = benchmark(loaded.document.encode)

    assert encoded.count(b"\n") == ROUTES + 1


def test_decode_a_document_of_10_000_routes(benchmark: BenchmarkFixture, loaded: Loaded) -> None:
    document = benchmark(Document.decode, loaded.document.encode())

    assert document == loaded.document
