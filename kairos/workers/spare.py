"""A descriptor kept in reserve, so that one can be received when all others are in use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


class SpareDescriptor:
    """Hold a descriptor that stands for nothing, except while it is given up."""

    def __init__(self) -> None:
        self._fd: int | None = None
        self._take()

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """Leave the descriptor to who needs one; afterwards hold one again, if there is one."""
        self.close()
        try:
            yield
        finally:
            self._take()

    def close(self) -> None:
        """Hold nothing."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _take(self) -> None:
        try:
            self._fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # none is free: the next message that brings one may be refused
            self._fd = None
