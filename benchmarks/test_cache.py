"""The response cache's store: what finding and storing an answer costs.

A round finds 1,000 times, so its microseconds are nanoseconds for each; a round that stores or reads a file does so 100
times. `nowhere` is what a miss costs.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from kairos.cache.place import base_directory
from kairos.cache.store import Bounds, FileStore
from kairos.shm.zone import Zone
from kairos.traffic.caching.store import Label

LABEL = Label(b"example.com/a", (b"news",), 1e9, b"HTTP/1.1 200 OK\r\n" * 20)
KEYS = [b"GET https example.com /some/path/%d" % number for number in range(100)]
SIZES = {"1KiB": 1 << 10, "16KiB": 16 << 10, "1MiB": 1 << 20}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FileStore]:
    base = Path(tempfile.mkdtemp(prefix="kairos-bench-", dir=base_directory(tmp_path)))
    store = FileStore(Zone(1, columns=64, words=64), 0, base, Bounds(), 1000.0)
    yield store
    store.close()
    shutil.rmtree(base)


def fill(store: FileStore, size: int) -> None:
    for key in KEYS:
        writer = store.begin(key, LABEL, store.ticket())
        assert writer is not None
        writer.write(bytes(size))
        assert writer.commit()


def test_find_hot(benchmark: BenchmarkFixture, store: FileStore) -> None:
    fill(store, 1024)
    find = store.find

    def hits() -> None:
        for _ in range(10):
            for key in KEYS:
                find(key)

    benchmark(hits)


@pytest.mark.parametrize("size", SIZES)
def test_find_file(benchmark: BenchmarkFixture, store: FileStore, size: str) -> None:
    """Another worker has stored the answers; a large one is only opened."""
    fill(store, SIZES[size])
    find, files, now = store.find, store.files, store.now
    assert find(KEYS[0]) is not None

    def hits() -> None:
        for key in KEYS:
            files.find(key, now)

    benchmark(hits)


def test_find_nowhere(benchmark: BenchmarkFixture, store: FileStore) -> None:
    find = store.find

    def misses() -> None:
        for key in KEYS:
            find(key)

    benchmark(misses)


@pytest.mark.parametrize("size", SIZES)
def test_store(benchmark: BenchmarkFixture, store: FileStore, size: str) -> None:
    benchmark(fill, store, SIZES[size])


def test_store_where_others_have_to_go(benchmark: BenchmarkFixture, store: FileStore) -> None:
    """There are 16,384 answers, as many as there may be."""
    store.bounds = Bounds(files=64 << 20)
    numbers = iter(range(10_000_000))

    def fill_new(count: int) -> None:
        for _ in range(count):
            writer = store.begin(b"%d" % next(numbers), LABEL, store.ticket())
            assert writer is not None
            writer.write(bytes(1024))
            assert writer.commit()

    fill_new(20_000)
    benchmark(fill_new, 100)


def test_sweep(benchmark: BenchmarkFixture, store: FileStore) -> None:
    """A pass over 10,000 answers after a purge, in as many ticks as it takes."""
    for number in range(10_000):
        writer = store.begin(b"%d" % number, LABEL, store.ticket())
        assert writer is not None
        assert writer.commit()

    def look_through() -> None:
        store.purge_tag(b"another")
        now = store.now + 61
        store.tick(now)
        while store.is_sweeping:
            store.tick(now)

    benchmark.pedantic(look_through, rounds=5)
