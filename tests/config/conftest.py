"""What the tests of the config share."""

from pathlib import Path

import pytest

from tests import certificates
from tests.config.operators import Operator


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    certificates.write(tmp_path, "one", "a", "ca")
    return Operator(tmp_path)
