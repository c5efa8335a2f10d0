"""What the tests of the store share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kairos.cache.place import base_directory
from kairos.cache.store import FileStore
from tests.cache.stores import Node


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """Return a directory in memory, if there is such a thing."""
    base = Path(tempfile.mkdtemp(prefix="kairos-test-", dir=base_directory(tmp_path)))
    yield base
    shutil.rmtree(base)


@pytest.fixture
def node(base: Path) -> Iterator[Node]:
    node = Node(base)
    yield node
    node.close()


@pytest.fixture
def one(node: Node) -> FileStore:
    return node.workers[0]


@pytest.fixture
def other(node: Node) -> FileStore:
    return node.workers[1]
