"""A process beside us that takes orders over a pipe, so that its work is not mixed with ours."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Self

from benchmarks.load.errors import LoadError

PATIENCE_SECONDS = 180.0


class Helper:
    """Run `target(pipe, *arguments)` in a process of its own for the time of a `with` block."""

    def __init__(self, name: str, target: Callable[..., None], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")  # nothing of ours is inherited
        self._pipe, self._other_end = context.Pipe()
        self._process = context.Process(target=target, args=(self._other_end, *arguments), name=name, daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._other_end.close()
        return self

    def __exit__(self, *error: object) -> None:
        self._pipe.close()  # which the helper takes as the end
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def ask(self, *order: object) -> Any:
        """Send an order and wait for what comes of it."""
        self._pipe.send(order)
        return self.answer()

    def answer(self) -> Any:
        """Wait for what the helper sends. LoadError if it does not, or if it has failed."""
        try:
            if self._pipe.poll(PATIENCE_SECONDS):
                return self._pipe.recv()
        except (EOFError, ConnectionError):
            raise LoadError(f"the process of the {self._process.name} has died") from None
        raise LoadError(f"the process of the {self._process.name} is stuck")


def orders(pipe: Connection) -> Any:
    """Wait for the next order, in the helper; None at the end."""
    try:
        return pipe.recv()
    except (EOFError, ConnectionError):
        return None
