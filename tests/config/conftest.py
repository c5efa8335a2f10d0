"""What the tests of the config share."""

from pathlib import Path

import pytest

from tests.config.operators import Operator


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)
