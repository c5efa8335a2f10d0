"""Honour KAIROS_PURE_PYTHON: hide this package's compiled modules from the importer."""

import os
import sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path

PURE_PYTHON = os.environ.get("KAIROS_PURE_PYTHON", "") not in ("", "0")


def hide_extensions(package: Path) -> None:
    """Let the importer see only `.py` files in `package` and below it."""
    for folder in (package, *(path for path in package.rglob("*") if path.is_dir())):
        sys.path_importer_cache[str(folder)] = FileFinder(str(folder), (SourceFileLoader, SOURCE_SUFFIXES))


if PURE_PYTHON:
    hide_extensions(Path(__file__).parent)
