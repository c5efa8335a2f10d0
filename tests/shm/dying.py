"""A process that is killed in the middle of its work on shared cells, without a process."""

from typing import Any

from kairos._speedups import Cells


class Killed(BaseException):
    """The process is gone."""


class DyingCells:
    """Cells as a process sees them that is killed before its access number `steps`."""

    def __init__(self, cells: Cells, steps: int) -> None:
        self._cells = cells
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        if self._steps == 0:
            raise Killed
        self._steps -= 1
        return getattr(self._cells, name)
