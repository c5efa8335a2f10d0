"""What tests of balancing share: a balancer over letters, and loads that a test can change."""

from collections.abc import Callable, Sequence
from itertools import count

from kairos._speedups import Cells
from kairos._speedups.selection import Loads
from kairos.balancing.balancer import Balancer, balancer


class Workers:
    """The rows of some workers, with a column for each backend."""

    def __init__(self, workers: int, backends: int) -> None:
        self.rows = [Cells(bytearray(8 * backends), -1) for _ in range(workers)]
        self.loads = Loads(self.rows, range(backends))

    def carry(self, worker: int, *loads: int) -> None:
        """Say how many requests one worker has at each backend."""
        for column, load in enumerate(loads):
            self.rows[worker].store(column, load)


def never(*_: int) -> int:
    """Stand in for what a balancer must not ask."""
    raise AssertionError("this balancer should not ask")


def balancer_of(
    strategy: str,
    backends: str,
    weights: Sequence[int] | None = None,
    *,
    next_position: Callable[[], int] | None = None,
    draw: Callable[[int], int] = never,
    loads: Loads | None = None,
) -> Balancer[str]:
    """Make a balancer; what it should not need is not given, or fails when asked."""
    return balancer(
        strategy,
        backends,
        weights or [1] * len(backends),
        next_position=next_position or count().__next__,
        draw=draw,
        loads=loads or Loads((), ()),
    )


def firsts(balancer: Balancer[str], times: int, client: str = "") -> str:
    """Return the first choices of so many requests."""
    return "".join(balancer.choices(client)[0] for _ in range(times))
