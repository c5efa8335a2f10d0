"""`kairos version` tells which build runs."""

import os
import platform
import re
import subprocess
import sys

import pytest

from kairos import __version__, _speedups


def call(*arguments: str, **variables: str) -> str:
    environment = {**os.environ, **variables}
    command = [sys.executable, "-m", "kairos", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_tells_version_build_interpreter_and_loop(arguments: list[str]) -> None:
    first, *_ = call(*arguments).splitlines()

    core = "compiled" if _speedups.COMPILED else "pure Python"
    python = re.escape(f"{platform.python_implementation()} {platform.python_version()}")
    assert re.fullmatch(rf"kairos {re.escape(__version__)} \({core}, {python}, uvloop [\d.]+\)", first)


def test_tells_why_it_is_pure() -> None:
    first, second = call("version", KAIROS_PURE_PYTHON="1").splitlines()

    assert "(pure Python, " in first
    assert second == "pure Python, because KAIROS_PURE_PYTHON is set"


def test_tells_that_uvloop_is_off() -> None:
    assert ", asyncio)" in call("version", KAIROS_LOOP="asyncio")
