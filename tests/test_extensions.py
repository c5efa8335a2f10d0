"""A test run refuses compiled files that are not those of the sources."""

import os
from pathlib import Path

import pytest

from tests.extensions import compiled_sources, extension, problem

ROOT = Path(__file__).parent.parent
SETUP = 'import os\nCOMPILED = [\n    "kairos/fast.py",\n    "kairos/kernel.pyx",\n]\n'


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a tree in which everything is compiled and up to date."""
    (tmp_path / "setup.py").write_text(SETUP, encoding="utf-8")
    (tmp_path / "kairos").mkdir()
    for name in ("fast.py", "fast.pxd", "kernel.pyx"):
        written(tmp_path / "kairos" / name, at=100)
    for name in ("fast.py", "kernel.pyx"):
        written(extension(tmp_path / "kairos" / name), at=200)
    return tmp_path


def written(path: Path, at: int) -> None:
    path.touch()
    os.utime(path, (at, at))


def test_reads_what_is_compiled_from_setup() -> None:
    assert "kairos/_speedups/cells.pyx" in compiled_sources(ROOT / "setup.py")


def test_accepts_an_up_to_date_build(tree: Path) -> None:
    assert problem(tree, pure=False, required=True, loaded=True) is None


@pytest.mark.parametrize("changed", ["kairos/fast.py", "kairos/fast.pxd", "kairos/kernel.pyx"])
def test_refuses_an_extension_older_than_its_source(tree: Path, changed: str) -> None:
    written(tree / changed, at=300)

    found = problem(tree, pure=False, required=False, loaded=True)

    assert found is not None
    assert "older" in found
    assert Path(changed).stem in found


def test_pure_python_does_not_care_about_stale_extensions(tree: Path) -> None:
    written(tree / "kairos/fast.py", at=300)

    assert problem(tree, pure=True, required=False, loaded=False) is None


def test_refuses_a_missing_extension_only_if_speedups_are_required(tree: Path) -> None:
    extension(tree / "kairos/kernel.pyx").unlink()

    assert problem(tree, pure=False, required=False, loaded=False) is None
    assert "not compiled: kairos/kernel.pyx" in str(problem(tree, pure=False, required=True, loaded=False))


def test_refuses_the_wrong_mode(tree: Path) -> None:
    assert "could not be loaded" in str(problem(tree, pure=False, required=True, loaded=False))
    assert "compiled core was loaded" in str(problem(tree, pure=True, required=False, loaded=True))
