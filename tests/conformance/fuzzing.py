"""What the fuzzers share; only they need atheris."""

import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType

from tests.conformance.driver import Bench

LONGEST = 4096


def cut(data: bytes, place: int) -> tuple[bytes, ...]:
    """Cut data in two, `place` of 256 parts from its beginning."""
    at = len(data) * place // 256
    return tuple(piece for piece in (data[:at], data[at:]) if piece)


def _functions() -> Iterator[FunctionType]:
    """Yield what the gateway consists of."""
    for module in [module for name, module in sys.modules.items() if name.partition(".")[0] == "kairos"]:
        for value in vars(module).values():
            members = vars(value).values() if isinstance(value, type) else (value,)
            yield from (member for member in members if isinstance(member, FunctionType))


def run(one: Callable[[Bench, bytes], None], seeds: list[bytes]) -> None:
    """Fuzz until libFuzzer has enough; the options of the command are its own."""
    atheris = importlib.import_module("atheris")
    bench = Bench()
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds):
            Path(folder, str(number)).write_bytes(seed)
        for function in set(_functions()):
            if function.__module__.partition(".")[0] == "kairos":
                atheris.instrument_func(function)
        atheris.Setup([sys.argv[0], f"-max_len={LONGEST}", *sys.argv[1:], folder], lambda data: one(bench, data))
        atheris.Fuzz()
