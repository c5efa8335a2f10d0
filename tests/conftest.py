"""For every test run: refuse a wrong build, and look for the programs that tests need."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from kairos import _speedups
from kairos._purepython import PURE_PYTHON
from tests.extensions import problem
from tests.tools import find_tool

ROOT = Path(__file__).parent.parent


def is_set(name: str) -> bool:
    """Say whether an environment variable is switched on."""
    return os.environ.get(name, "") not in ("", "0")


def pytest_sessionstart() -> None:
    """Refuse to test anything but the code in the tree."""
    required = is_set("KAIROS_REQUIRE_SPEEDUPS")
    if found := problem(ROOT, pure=PURE_PYTHON, required=required, loaded=_speedups.COMPILED):
        pytest.exit(f"kairos: {found}", returncode=pytest.ExitCode.USAGE_ERROR)


def pytest_report_header() -> str:
    """Tell which build is tested."""
    return f"kairos: {'compiled' if _speedups.COMPILED else 'pure Python'}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Look for the programs that a test is marked with."""
    for marker in item.iter_markers("tool"):
        find_tool(marker.args[0], required=is_set("KAIROS_REQUIRE_TOOLS"))


@pytest.fixture
def require_tool() -> Callable[[str], str]:
    """Return a function that gives the path of a program, or skips or fails like the marker `tool`."""
    return partial(find_tool, required=is_set("KAIROS_REQUIRE_TOOLS"))
