"""`pip install .` compiles the native core, or says why not."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from kairos._purepython import PURE_PYTHON

pytestmark = pytest.mark.skipif(PURE_PYTHON, reason="once is enough: in the compiled run")

ROOT = Path(__file__).parent.parent
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
BUILT = shutil.ignore_patterns("*.so", "*.c", "*.html", "__pycache__", "why_pure.txt")

BUILD_SECONDS = 600  # a machine that is busy with other things compiles slowly


class Installation:
    """A fresh virtual environment, and a copy of the sources to install there."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "source"
        self.source.mkdir()
        for name in FILES:
            shutil.copy(ROOT / name, self.source)
        shutil.copytree(ROOT / "kairos", self.source / "kairos", ignore=BUILT)
        self.bin = folder / "venv" / "bin"
        self._run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")).check_returncode()
        packages = next((folder / "venv").glob("lib/python*/site-packages"))
        # Tools and dependencies are those of this environment, so that nothing is downloaded.
        (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")

    def build_little(self) -> None:
        """Leave one file to compile: how a build fails does not depend on how many there are."""
        setup = self.source / "setup.py"
        text = setup.read_text(encoding="utf-8")
        setup.write_text(
            re.sub(r"COMPILED = \[.*?\]", 'COMPILED = ["kairos/_speedups/clock.pyx"]', text, flags=re.DOTALL)
        )

    def hasty_compiler(self) -> str:
        """Make a compiler that does not optimise, which takes most of the time."""
        compiler = self.source / "hasty-gcc"
        compiler.write_text('#!/bin/bash\nexec gcc "${@/#-O3/-O0}"\n', encoding="utf-8")
        compiler.chmod(0o755)
        return str(compiler)

    def pip_install(self, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Install Kairos from the copy."""
        offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
        return self._run(
            str(self.bin / "python"), "-m", "pip", "install", "-v", *offline, *options, str(self.source), **variables
        )

    def version(self) -> str:
        """Ask the installed program."""
        result = self._run(str(self.bin / "kairos"), "version")
        result.check_returncode()
        return result.stdout

    def extensions(self) -> list[str]:
        """Name the compiled files, installed or in the source tree."""
        return sorted(path.name for path in self.source.parent.rglob("kairos/**/*.so"))

    def _run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KAIROS_")} | variables
        return subprocess.run(
            command,
            cwd=self.source,
            env=environment,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.mark.timeout(BUILD_SECONDS)
@pytest.mark.tool("gcc")
def test_compiles_the_native_core(installation: Installation) -> None:
    result = installation.pip_install(CC=installation.hasty_compiler())

    assert result.returncode == 0, result.stdout + result.stderr
    assert "(compiled, " in installation.version()


@pytest.mark.parametrize("options", [[], ["--editable"]])
def test_says_why_it_installs_pure_python(installation: Installation, options: list[str]) -> None:
    installation.build_little()
    result = installation.pip_install(*options, CC="false")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "*** kairos: installing pure Python, because: " in result.stdout + result.stderr
    assert "(pure Python, " in installation.version()
    assert "pure Python, because the build failed: " in installation.version()
    assert "false" in installation.version()
    assert installation.extensions() == []


def test_fails_when_the_native_core_is_required(installation: Installation) -> None:
    installation.build_little()
    result = installation.pip_install(CC="false", KAIROS_REQUIRE_SPEEDUPS="1")

    assert result.returncode != 0
    assert not (installation.bin / "kairos").exists()


def test_builds_nothing_when_pure_python_is_asked_for(installation: Installation) -> None:
    result = installation.pip_install(KAIROS_PURE_PYTHON="1", CC="false")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "installing pure Python, because" not in result.stdout + result.stderr
    assert installation.extensions() == []
