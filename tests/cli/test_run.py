"""`kairos run`: options, environment variables, and one line for what is wrong."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from kairos.cli import demo, kairos
from kairos.cli.run import run
from kairos.workers.options import RunOptions


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only the variables of the test decide."""
    for name in [name for name in os.environ if name.startswith(("KAIROS_", "RUST_LOG"))]:
        monkeypatch.delenv(name)


def options(*arguments: str) -> RunOptions:
    """Read a command line as `kairos run` does."""
    return RunOptions(**run.make_context("run", list(arguments)).params)


def call(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Call the program that is expected to end by itself."""
    environment = {**os.environ, **variables}
    command = [sys.executable, "-m", "kairos", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_without_options_the_config_decides() -> None:
    assert options() == RunOptions()


def test_every_option_can_be_given() -> None:
    given = options(
        *("--config", "a.json", "--host", "::1", "--port", "8080", "--workers", "3", "--state-dir", "/var/lib/kairos"),
        *("--log-level", "DEBUG", "--drain-delay", "1.5", "--demo", "--allow-inactive"),
    )

    assert given == RunOptions(Path("a.json"), "::1", 8080, 3, Path("/var/lib/kairos"), "debug", 1.5, True, True)


def test_every_option_has_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "KAIROS_CONFIG_PATH": "a.json",
        "KAIROS_HOST": "::1",
        "KAIROS_PORT": "8080",
        "KAIROS_WORKERS": "3",
        "KAIROS_STATE_DIR": "/var/lib/kairos",
        "KAIROS_LOG_LEVEL": "debug",
        "KAIROS_DRAIN_DELAY": "1.5",
        "KAIROS_DEMO": "1",
        "KAIROS_ALLOW_INACTIVE": "true",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert options() == RunOptions(Path("a.json"), "::1", 8080, 3, Path("/var/lib/kairos"), "debug", 1.5, True, True)


def test_an_option_wins_over_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAIROS_PORT", "8080")

    assert options("--port", "9090").port == 9090


def test_rust_log_is_the_last_source_of_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUST_LOG", "kairos=debug,warn")
    assert options().log_level == "debug"

    monkeypatch.setenv("KAIROS_LOG_LEVEL", "error")
    assert options().log_level == "error"
    assert options("--log-level", "info").log_level == "info"


def test_an_empty_variable_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAIROS_PORT", "")

    assert options().port is None


def test_run_is_the_default_command() -> None:
    with pytest.raises(click.BadParameter, match="'http' does not work"):
        kairos.main(["--port", "http"], standalone_mode=False)


@pytest.mark.parametrize(
    ("arguments", "variables", "line"),
    [
        (["--port", "http"], {}, "kairos: --port: 'http' does not work; give a whole number from 0 to 65535"),
        (["run", "--workers", "-1"], {}, "kairos: --workers: '-1' does not work; give a whole number from 0 to 1024"),
        ([], {"KAIROS_PORT": "70000"}, "kairos: KAIROS_PORT: '70000' does not work; give a whole number from 0 to"),
        ([], {"RUST_LOG": "kairos=loud"}, "kairos: RUST_LOG: 'loud' does not work; give one of trace, debug, info,"),
        ([], {"KAIROS_DEMO": "perhaps"}, "kairos: KAIROS_DEMO: 'perhaps' is not a valid boolean."),
        (["--prot", "80"], {}, "kairos: No such option '--prot'."),
        (["serve"], {}, "kairos: No such command 'serve'. (see kairos --help)"),
    ],
)
def test_what_is_wrong_is_said_on_one_line(arguments: list[str], variables: dict[str, str], line: str) -> None:
    result = call(*arguments, **variables)

    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1


def test_a_taken_demo_port_is_said_on_one_line() -> None:
    port = demo.PORTS["beta"]
    with socket.create_server((demo.HOST, port)):
        result = call("--demo")

    assert result.returncode == 1
    assert f"127.0.0.1:{port}" in result.stderr
    assert "without --demo" in result.stderr
    assert result.stderr.count("\n") == 1
