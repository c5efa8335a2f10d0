"""`kairos version`: which build this is."""

import platform
from importlib.metadata import version as installed_version
from pathlib import Path

import click

import kairos
from kairos import _speedups
from kairos._purepython import PURE_PYTHON
from kairos.workers.loop import loop_name


def describe() -> str:
    """Say what runs here; if it is pure Python and was not asked to be, also why."""
    loop = loop_name()
    if loop == "uvloop":
        loop = f"uvloop {installed_version('uvloop')}"
    core = "compiled" if _speedups.COMPILED else "pure Python"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    line = f"kairos {kairos.__version__} ({core}, {python}, {loop})"
    return line if _speedups.COMPILED else f"{line}\n{why_pure()}"


def why_pure() -> str:
    """Say why the native core is not in use."""
    if PURE_PYTHON:
        return "pure Python, because KAIROS_PURE_PYTHON is set"
    note = Path(_speedups.__file__).with_name("why_pure.txt")  # left by setup.py
    if note.exists():
        return f"pure Python, because the build failed: {note.read_text(encoding='utf-8').strip()}"
    return "pure Python, because the extensions are not built for this interpreter"


@click.command()
def version() -> None:
    """Tell the version, and whether the native core is compiled or pure Python."""
    click.echo(describe())
