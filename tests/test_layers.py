"""The architecture's bands hold: arrows go downward, and what decides neither waits nor looks at the clock."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.layers import module_name, violations

PACKAGE = Path(__file__).parent.parent / "kairos"

# Third-party modules are imported once; then each of our modules is imported by a fork that has none of the others.
IMPORT_EACH_ALONE = """
import asyncio, importlib, os, sys, traceback
import click, httptools, orjson, pydantic, uvloop

failed = []
for name in sys.stdin.read().split():
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(name)
        except BaseException:
            print(name, file=sys.stderr)
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        failed.append(name)
sys.exit(f"cannot be imported alone: {failed}" if failed else 0)
"""

WHAT_WORKERS_IMPORT = """
import sys
import kairos.cli.run, kairos.gateway, kairos.workers.supervisor, kairos.workers.worker

sys.exit(f"imported: {found}" if (found := {"pydantic", "aiohttp"} & sys.modules.keys()) else 0)
"""


def run_python(program: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], input=stdin, capture_output=True, text=True, check=False)


def test_no_import_goes_upward_or_sideways() -> None:
    assert violations(PACKAGE) == []


def test_each_module_imports_alone() -> None:
    names = sorted(module_name(source, PACKAGE) for source in PACKAGE.rglob("*.py") if source.name != "__main__.py")

    result = run_python(IMPORT_EACH_ALONE, "\n".join(names))

    assert result.returncode == 0, result.stderr


def test_supervisor_and_workers_import_neither_pydantic_nor_aiohttp() -> None:
    result = run_python(WHAT_WORKERS_IMPORT)

    assert result.returncode == 0, result.stderr


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "kairos"
    for package in ("config", "routing", "balancing", "proxy", "workers", "client", "_speedups"):
        (root / package).mkdir(parents=True)
        (root / package / "__init__.py").touch()
    return root


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("routing/router.py", "from kairos.proxy import pool", "upward"),
        ("routing/router.py", "import kairos.balancing.balancer", "sideways"),
        ("routing/router.py", "from kairos import workers", "upward"),
        ("routing/router.py", "from ..proxy import pool", "upward"),
        ("routing/__init__.py", "from ..proxy.pool import Pool", "upward"),
        ("routing/router.py", "def late():\n    from kairos.workers import worker", "upward"),
        ("routing/router.py", "if TYPE_CHECKING:\n    from kairos.gateway import Gateway", "upward"),
        ("config/load.py", "from kairos.routing.check import problems", "upward"),
        ("routing/router.py", "import time", "neither wait nor look at the clock"),
        ("routing/router.py", "from asyncio import get_running_loop", "neither wait nor look at the clock"),
        ("config/load.py", "import concurrent.futures", "neither wait nor look at the clock"),
        ("_speedups/cells.pyx", "from posix cimport time\nimport random", "neither wait nor look at the clock"),
        ("proxy/pool.py", "import pydantic", "pydantic"),
        ("config/document.py", "from pydantic import BaseModel", "pydantic"),
        ("client/client.py", "from kairos.config.document import Document", "without the gateway"),
        ("_speedups/cells.pyx", "from kairos.errors import KairosError", "leaf kernel"),
        ("_speedups/_cells_py.py", "from kairos import errors", "leaf kernel"),
    ],
)
def test_a_forbidden_import_is_found(tree: Path, file: str, text: str, why: str) -> None:
    (tree / file).write_text(text, encoding="utf-8")

    (found,) = violations(tree)

    assert why in found
    assert module_name(tree / file, tree) in found


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("proxy/pool.py", "import asyncio, socket, time\nfrom kairos.balancing.balancer import Balancer"),
        ("routing/router.py", "from kairos.errors import RouteNotFound\nfrom kairos.config.document import Route"),
        ("routing/router.py", "from . import pattern\nfrom kairos.routing.pattern import Pattern"),
        ("config/model.py", "import pydantic"),
        ("workers/worker.py", "from kairos import __version__, gateway"),
        ("_speedups/matcher.py", "from kairos.errors import BadRequest"),
    ],
)
def test_an_import_downward_is_allowed(tree: Path, file: str, text: str) -> None:
    (tree / file).write_text(text, encoding="utf-8")

    assert violations(tree) == []


def test_a_package_without_a_band_is_refused(tree: Path) -> None:
    (tree / "extras.py").write_text("import kairos.errors", encoding="utf-8")

    with pytest.raises(LookupError, match=r"kairos\.extras has no band"):
        violations(tree)
