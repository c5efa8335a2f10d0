"""The tools that measure whole gateways work; what they find does not matter here."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def measure(*arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks.load", *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_memory_is_measured() -> None:
    shown = measure("memory", "--connections", "20")

    for what in ("supervisor and one worker", "each further worker", "an idle connection"):
        assert re.search(rf"\| {what} +\| +-?[\d.]+ [KM]iB \|", shown), shown


def test_the_memory_of_a_websocket_is_measured() -> None:
    shown = measure("websocket-memory", "--connections", "20")

    assert re.search(r"\| an idle WebSocket, both connections +\| +-?[\d.]+ KiB \|", shown), shown


def test_connections_are_held_and_requests_are_in_flight_together() -> None:
    shown = measure("hold", "--connections", "20")

    assert re.search(r"all requests at once +\| +20 \| +0 \| +[\d.]+ \| +20 \|", shown), shown


@pytest.mark.parametrize("value", ["0", "many"])
def test_a_senseless_number_is_refused(value: str) -> None:
    command = [sys.executable, "-m", "benchmarks.load", "hold", "--connections", value]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert result.returncode == 2
    assert "not a whole number above zero" in result.stderr
