"""A test without its program skips and names it; where all programs must be there, it fails."""

import sys
from pathlib import Path

import pytest

from tests.tools import find_tool

MISSING = "no-such-program"
APT_LIST = Path(__file__).parent / "apt.txt"


def test_finds_a_program() -> None:
    assert Path(find_tool("sh", required=True)).is_absolute()


def test_skips_by_name() -> None:
    with pytest.raises(pytest.skip.Exception, match=MISSING):
        find_tool(MISSING, required=False)


def test_fails_where_tools_are_required() -> None:
    with pytest.raises(pytest.fail.Exception, match=f"{MISSING}.*KAIROS_REQUIRE_TOOLS"):
        find_tool(MISSING, required=True)


@pytest.mark.tool(sys.executable)
def test_the_marker_lets_a_test_run() -> None:
    assert Path(sys.executable).exists()


def test_each_package_has_a_purpose() -> None:
    lines = [line for line in APT_LIST.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]

    for line in lines:
        package, _, purpose = line.partition("#")
        assert package.strip(), line
        assert purpose.strip(), line
