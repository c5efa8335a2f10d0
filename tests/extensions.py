"""Say whether the compiled files in the tree are those that the sources describe."""

import ast
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

REBUILD = "run `make build`"


def compiled_sources(setup: Path) -> list[str]:
    """Read the list COMPILED from setup.py, without running it."""
    for node in ast.parse(setup.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMPILED":
            return list(ast.literal_eval(node.value))
    raise LookupError(f"{setup} has no list COMPILED")


def extension(source: Path) -> Path:
    """Return where the compiled form of `source` lies for this interpreter."""
    return source.with_name(source.stem + EXTENSION_SUFFIXES[0])


def is_stale(source: Path) -> bool:
    """Say whether there is a compiled form that is older than its source or the types beside it."""
    built = extension(source)
    inputs = [path for path in (source, source.with_suffix(".pxd")) if path.exists()]
    return built.exists() and any(path.stat().st_mtime > built.stat().st_mtime for path in inputs)


def problem(root: Path, *, pure: bool, required: bool, loaded: bool) -> str | None:
    """Say what is wrong with the build in `root`, if anything.

    `pure` and `required` are what the run wants (KAIROS_PURE_PYTHON, KAIROS_REQUIRE_SPEEDUPS); `loaded` says whether
    the compiled core is what got imported.
    """
    sources = [root / name for name in compiled_sources(root / "setup.py")]
    if pure:
        return "KAIROS_PURE_PYTHON is set, but the compiled core was loaded" if loaded else None
    if stale := [source for source in sources if is_stale(source)]:
        return f"compiled files are older than {names(stale, root)}; {REBUILD}"
    if required and (missing := [source for source in sources if not extension(source).exists()]):
        return f"KAIROS_REQUIRE_SPEEDUPS is set, but these are not compiled: {names(missing, root)}; {REBUILD}"
    if required and not loaded:
        return f"KAIROS_REQUIRE_SPEEDUPS is set, but the compiled core could not be loaded; {REBUILD}"
    return None


def names(sources: list[Path], root: Path) -> str:
    """List files as they are called in the tree."""
    return ", ".join(str(source.relative_to(root)) for source in sources)
