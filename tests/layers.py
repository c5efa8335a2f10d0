"""Read the imports of a source tree and say which of them the architecture forbids."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT_PACKAGE = "kairos"

# From the top down: a package may import what stands in a lower band, and nothing beside or above it.
BANDS = (
    ("__main__",),
    ("cli", "client", "workers"),
    ("gateway", "admin"),
    ("health",),
    ("proxy", "dns", "services"),
    ("cache", "discovery"),  # one has files, the other waits for name servers
    ("routing", "balancing", "resilience", "security", "traffic", "filters", "observability"),
    ("protocols",),
    ("config", "shm", "_speedups"),
    ("errors",),
    ("",),  # kairos/__init__.py
    ("_version", "_purepython"),
)
LOWEST_WITH_IO = 5  # the data plane, and what finds its backends; what stands below decides, and never waits
CLOCK = "kairos._speedups._clock_py"  # the data plane's, in the one place where compiled code has a twin

EXCEPTIONS = {
    ("cli", "workers"): "`kairos run` starts the supervisor",
    ("cli", "client"): "the commands for a running gateway talk to its API",
    ("security", "filters"): "its policies are filters",
    ("traffic", "filters"): "its policies are filters",
    ("resilience", "balancing"): "it judges the backends that the balancer chooses from",
    ("shm", "_speedups"): "a zone is made of cells",
}
STANDALONE = {"client": "it is used without the gateway"}

IO_MODULES = frozenset(
    {"aiohttp", "asyncio", "concurrent", "multiprocessing", "random", "select", "selectors"}
    | {"socket", "subprocess", "threading", "time", "uvloop"}
)
PYDANTIC_HOMES = frozenset({"config", "admin"})
PYDANTIC_FREE = frozenset({"kairos.config", "kairos.config.document"})  # what the workers read of the config


@dataclass(frozen=True)
class Import:
    """One import: who, where, what."""

    importer: str
    line: int
    imported: str
    by_leaf_kernel: bool = False


def violations(root: Path) -> list[str]:
    """Describe every forbidden import below `root`, the folder of the package."""
    return [
        f"{found.importer}:{found.line} imports {found.imported}: {reason}"
        for source in sorted((*root.rglob("*.py"), *root.rglob("*.pyx"), *root.rglob("*.pxd")))
        for found in imports(source, module_name(source, root))
        if (reason := forbidden(found))
    ]


def forbidden(found: Import) -> str | None:
    """Say why an import is not allowed, if so."""
    importer = part(found.importer)
    top = found.imported.split(".")[0]
    if top == ROOT_PACKAGE and found.by_leaf_kernel:
        return "a leaf kernel stands alone"
    if top == ROOT_PACKAGE:
        return forbidden_inside(importer, part(found.imported))
    if top in IO_MODULES and band(importer) > LOWEST_WITH_IO and found.importer != CLOCK:
        return "policies, wire formats and the base neither wait nor look at the clock"
    if top == "pydantic" and (importer not in PYDANTIC_HOMES or found.importer in PYDANTIC_FREE):
        return "pydantic stays where workers do not see it"
    return None


def forbidden_inside(importer: str, imported: str) -> str | None:
    """Say why one part of the package may not import another, if so."""
    if importer == imported or (importer, imported) in EXCEPTIONS:
        return None
    if importer in STANDALONE and imported:
        return STANDALONE[importer]
    if band(imported) > band(importer):
        return None
    return "sideways" if band(imported) == band(importer) else "upward"


def part(module: str) -> str:
    """Return which part of the package a module belongs to: `routing` for `kairos.routing.router`."""
    return module.split(".")[1] if "." in module else ""


def band(name: str) -> int:
    """Return how far down a part stands."""
    try:
        return next(number for number, members in enumerate(BANDS) if name in members)
    except StopIteration:
        raise LookupError(f"{ROOT_PACKAGE}.{name} has no band; give it one in tests/layers.py") from None


def has_band(name: str) -> bool:
    """Say whether `name` is a part of the package."""
    return any(name in members for members in BANDS)


def module_name(source: Path, root: Path) -> str:
    """Return the dotted name of the module in a file."""
    parts = (ROOT_PACKAGE, *source.relative_to(root).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: Path, module: str) -> Iterator[Import]:
    """Find all imports of a file, also those inside functions and under TYPE_CHECKING."""
    text = source.read_text(encoding="utf-8")
    is_leaf = source.suffix == ".pyx" or source.match("_speedups/_*_py.py")
    found = cython_imports(text) if source.suffix != ".py" else python_imports(text, package_of(source, module))
    return (Import(module, line, imported, is_leaf) for line, imported in found)


def python_imports(text: str, package: str) -> Iterator[tuple[int, str]]:
    """Find line and target of each import; `from kairos import x` is one of `kairos.x` if that is a part of it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolved(node, package)
            for alias in node.names:
                is_part = base == ROOT_PACKAGE and has_band(alias.name)
                yield node.lineno, f"{base}.{alias.name}" if is_part else base


def cython_imports(text: str) -> Iterator[tuple[int, str]]:
    """Find line and target of each import and cimport."""
    for number, line in enumerate(text.splitlines(), start=1):
        if words := re.match(r"\s*(?:from|c?import)\s+([\w.]+)", line):
            yield number, words[1]


def package_of(source: Path, module: str) -> str:
    """Return the package that relative imports in a module start from."""
    return module if source.name == "__init__.py" else module.rpartition(".")[0]


def resolved(node: ast.ImportFrom, package: str) -> str:
    """Return the absolute name of the module that a `from` import names."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
