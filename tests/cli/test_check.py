"""`kairos check`: what an operator and a pipeline see."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kairos.cli.check import check
from tests.config.configs import SECRET, backend, config, router

EXAMPLE = Path(__file__).parents[2] / "config.example.json"
CORRECT = config()
WITH_WARNING = config(ai={"provider": "openai", "model": "x"})
WRONG = config(router(methods=["get"], backends=[backend(port=0)]), jwt={"secret": "hunter2"})


def run(*arguments: str | Path, environ: Mapping[str, str] | None = None) -> Result:
    result = CliRunner().invoke(check, [str(argument) for argument in arguments], env=environ)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


def write(path: Path, given: Any) -> Path:
    path.write_text(json.dumps(given, indent=2))
    return path


def test_a_correct_config_is_ok(path: Path) -> None:
    result = run(write(path, CORRECT))

    assert result.exit_code == 0
    assert result.stdout == f"{path}: ok\n"


def test_every_error_has_a_line_and_the_last_one_counts(path: Path) -> None:
    result = run(write(path, WRONG))
    lines = result.stdout.splitlines()

    assert result.exit_code == 1
    assert all(line.startswith(f"{path}:") for line in lines)
    assert [line.split(": ")[2] for line in lines[:-1] if ": error: " in line] == [
        "/routers/0/methods/0",
        "/routers/0/backends/0/port",
        "/jwt/secret",
    ]
    assert lines[-1] == f"{path}: 3 errors"


def test_warnings_are_told_and_count_only_for_the_strict(path: Path) -> None:
    write(path, WITH_WARNING)

    assert run(path).exit_code == 0
    assert ': warning: /ai: "ai" is not active in this version' in run(path).stdout
    assert run(path, "--strict").exit_code == 1


def test_recommendations_count_for_nobody(path: Path) -> None:
    result = run(write(path, config(router("/{id}"))), "--strict")

    assert result.exit_code == 0
    assert result.stdout.endswith(": 1 recommendation\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "Cannot resolve config path '{path}'"),
        (b"\xff", "Cannot read config file: not valid UTF-8 (byte 0)"),
        (b" " * (10 * 1024 * 1024 + 1), "Config file too large: 10485761 bytes (max: 10485760 bytes)"),
    ],
)
def test_an_unreadable_file_has_an_exit_code_of_its_own(path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        path.write_bytes(content)
    result = run(path)

    assert result.exit_code == 3
    assert result.stdout == f"{path}: {message.format(path=path)}\n"


def test_what_is_no_json_is_an_error_with_a_place(path: Path) -> None:
    path.write_text("{\n  'version': 1\n}")
    result = run(path)

    assert result.exit_code == 1
    assert result.stdout.startswith(f"{path}:2:3: error: Invalid JSON: ")


def test_machines_get_json(path: Path) -> None:
    result = run(write(path, WRONG), "--format", "json")
    told = json.loads(result.stdout)

    assert result.exit_code == 1
    assert (told["file"], told["ok"]) == (str(path), False)
    (method,) = [finding for finding in told["findings"] if finding["pointer"] == "/routers/0/methods/0"]
    assert method == {
        "level": "error",
        "pointer": "/routers/0/methods/0",
        "message": "Router 0 validation failed: Invalid HTTP method: get",
        "value": '"get"',
        "fix": 'write "GET"',
        "line": 8,
        "column": 9,
        "file": str(path),
    }


def test_machines_get_json_for_correct_and_for_missing_files(path: Path) -> None:
    missing = json.loads(run(path, "--format", "json").stdout)
    assert missing == {
        "file": str(path),
        "ok": False,
        "error": f"Cannot resolve config path '{path}'",
        "findings": [],
    }
    assert json.loads(run(write(path, CORRECT), "--format", "json").stdout) == {
        "file": str(path),
        "ok": True,
        "findings": [],
    }


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_shown(path: Path, form: str) -> None:
    result = run(write(path, WRONG), "--format", form)
    assert "hunter2" not in result.stdout
    assert "***" in result.stdout


def test_the_environment_is_used(path: Path) -> None:
    write(path, config(jwt={"secret": "${JWT_KEY}"}))

    assert run(path, environ={"JWT_KEY": SECRET}).exit_code == 0
    assert "Environment variable JWT_KEY is not set" in run(path).stdout


def test_the_file_may_come_from_the_environment(path: Path) -> None:
    write(path, CORRECT)
    assert run(environ={"KAIROS_CONFIG_PATH": str(path)}).stdout == f"{path}: ok\n"


def test_the_matcher_has_its_say(path: Path) -> None:
    result = run(write(path, config(router("/a/{x}"), router("/a/{y}"), router("/{unclosed"))))
    errors = [line for line in result.stdout.splitlines() if ": error: " in line]

    assert result.exit_code == 1
    assert [line.split(": ")[2] for line in errors] == ["/routers/1/external_path", "/routers/2/external_path"]


def test_the_example_has_only_the_warnings_of_local_backends() -> None:
    lines = run(EXAMPLE).stdout.splitlines()

    assert run(EXAMPLE).exit_code == 0
    assert [line.split(": ", 3)[-1].split(" - ")[0] for line in lines[:-1]] == [
        "All routes use HTTP",
        "HTTP backend to localhost detected: http://127.0.0.1",
    ]
