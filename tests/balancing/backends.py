"""What tests of balancing share: a balancer over letters, and loads that a test can change."""

import os
from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import count

from kairos._speedups import Cells
from kairos._speedups.selection import Loads
from kairos.balancing.balancer import Balancer, Means, balancer
from kairos.balancing.latency import Latency
from kairos.config.document import HashOn
from kairos.protocols.http1.head import RequestHead

NOW = 1000.0
LOCKS = os.memfd_create("locks")  # what cells with many writers are locked by in pure Python


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
    latencies: Sequence[Latency] = (),
    now: Callable[[], float] = lambda: NOW,
    hash_on: HashOn | None = None,
) -> Balancer[str]:
    """Make a balancer; what it should not need is not given, or fails when asked."""
    means = Means(
        weights=weights or [1] * len(backends),
        addresses=[address(backend) for backend in backends],
        loads=loads or Workers(1, len(backends)).loads,
        next_position=next_position or count().__next__,
        draw=draw,
        now=now,
        latencies=latencies or unmeasured(len(backends)),
        hash_on=hash_on,
    )
    return balancer(strategy, backends, means)


def address(backend: str) -> str:
    """Return the address of a backend."""
    return f"http://{backend}.example:80"


def unmeasured(number: int) -> list[Latency]:
    """Return the latencies of so many backends that nobody has measured."""
    cells = Cells(bytearray(8 * number), LOCKS)
    return [Latency(cells, word) for word in range(number)]


def request(target: str = "/", **fields: str) -> RequestHead:
    """Return a request with some header fields; an underscore in a name stands for a hyphen."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return RequestHead(f"GET {target} HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n".encode())


HEAD = request()


def firsts(balancer: Balancer[str], times: int, client: str = "") -> str:
    """Return the first choices of so many requests."""
    return "".join(balancer.choices(client, HEAD)[0] for _ in range(times))


class Traffic:
    """Requests of many clients that stay for a while; they count what each backend got."""

    def __init__(self, balancer: Balancer[str], workers: "Workers", backends: str) -> None:
        self._balancer = balancer
        self._workers = workers
        self._clients = 0
        self._running: deque[str] = deque()
        self.loads = dict.fromkeys(backends, 0)
        self.taken: Counter[str] = Counter()

    def run(self, requests: int, at_a_time: int, head: RequestHead = HEAD) -> None:
        """Let so many requests begin, each from another client; the oldest ends where there would be too many."""
        for _ in range(requests):
            if len(self._running) >= at_a_time:
                self._count(self._running.popleft(), -1)
            self._clients += 1
            client = f"10.0.{self._clients >> 8}.{self._clients & 255}"
            chosen = self._balancer.choices(client, head)[0]
            self._running.append(chosen)
            self.taken[chosen] += 1
            self._count(chosen, 1)

    def _count(self, backend: str, n: int) -> None:
        self.loads[backend] += n
        self._workers.carry(0, *self.loads.values())
