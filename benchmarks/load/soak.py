"""A long run with requests of all kinds, to see whether the memory grows."""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import figures, machine, nginx, proc, progress, table, wrk
from benchmarks.load.aborts import Aborts
from benchmarks.load.errors import LoadError
from benchmarks.load.gateway import Gateway
from benchmarks.load.options import positive
from kairos.shm import layout

SCRIPT = Path(__file__).with_name("mixed.lua")
CONNECTIONS = 64
REFUSALS = 0.21  # at most: of ten requests in the script two are answered with 404
WARM_UP_SHARE = 0.1  # of the requests
MOST_ROWS = 20  # of samples in the table
SETTLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The memory after so many requests, with no client connected."""

    requests: int
    memory: proc.Memory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--requests", type=positive, default=10_000_000, help="how many in all (%(default)s)")
    parser.add_argument("--workers", type=positive, default=1, help="of the gateway (%(default)s)")
    parser.add_argument("--seconds", type=positive, default=5, help="of load between two samples (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Load the gateway for long, and print the samples and the slope."""
    machine.require_tools("nginx", "wrk")
    with TemporaryDirectory(prefix="kairos-load-") as name:
        folder = Path(name)
        with nginx.origin(folder) as origin, Gateway(folder, origin.port, workers=options.workers) as gateway:
            samples, aborts = soak(gateway, options.requests, options.seconds)
    used = warm(samples, options.requests)
    print(f"{samples[-1].requests:,} requests, {aborts:,} of them broken off by the client; no errors\n")
    print(table.markdown(["requests", "RSS MiB", "PSS MiB"], [row(sample) for sample in thinned(samples)]))
    print()
    print(verdict(used))
    return 0


def soak(gateway: Gateway, requests: int, seconds: int) -> tuple[list[Sample], int]:
    """Make that many requests, and look at the memory every few seconds. Return the number of aborts, too."""
    samples: list[Sample] = []
    done = aborts = 0
    while done < requests:
        with Aborts(gateway.port) as leaving:
            report = wrk.run(gateway.port, "/", connections=CONNECTIONS, seconds=seconds, script=SCRIPT)
        report.require_success("the gateway", refusals=REFUSALS)
        require_health(gateway, leaving)
        done += report.requests + leaving.count
        aborts += leaving.count
        samples.append(Sample(done, gateway.memory()))
        progress.tell(f"{done:,} of {requests:,} requests")
    progress.tell("")
    return samples, aborts


def require_health(gateway: Gateway, aborts: Aborts) -> None:
    """LoadError if the gateway has failed, or still is busy although everybody has left."""
    gateway.check()
    deadline = time.monotonic() + SETTLE_SECONDS
    while is_busy(gateway.total) and time.monotonic() < deadline:
        time.sleep(0.02)
    problems = [
        f"{count:,} {what}"
        for what, count in {
            "answers with 5xx": gateway.total(layout.RESPONSES_5XX),
            "requests in flight though no client is connected": gateway.total(layout.IN_FLIGHT),
            "connections open though no client is connected": gateway.total(layout.CONNECTIONS_OPEN),
        }.items()
        if count
    ]
    if aborts.problem:
        problems.append(aborts.problem)
    if problems:
        raise LoadError(f"the soak failed: {'; '.join(problems)}\n{gateway.log()}")


def is_busy(total: Callable[[int], int]) -> bool:
    """Say whether clients or requests are left."""
    return bool(total(layout.CONNECTIONS_OPEN) or total(layout.IN_FLIGHT))


def warm(samples: Sequence[Sample], requests: int) -> list[Sample]:
    """Return the samples after the warm-up, in which caches, pools and the allocator reach their size."""
    return [sample for sample in samples if sample.requests >= WARM_UP_SHARE * requests]


def verdict(samples: Sequence[Sample]) -> str:
    """Tell the slope of the memory."""
    if len(samples) < 3:
        return f"{len(samples)} samples after the warm-up are too few for a slope: ask for more requests"
    rss, pss = (
        figures.slope([(sample.requests / 1000, getattr(sample.memory, kind)) for sample in samples])
        for kind in ("rss", "pss")
    )
    return (
        f"growth per 1,000 requests, by least squares over the {len(samples)} samples from "
        f"{samples[0].requests:,} requests on: {rss:+,.0f} bytes of RSS, {pss:+,.0f} bytes of PSS"
    )


def thinned(samples: Sequence[Sample]) -> list[Sample]:
    """Return at most about MOST_ROWS samples, evenly, with the first and the last."""
    step = max(1, -(-len(samples) // MOST_ROWS))
    chosen = list(samples[::step])
    return chosen if chosen[-1] is samples[-1] else [*chosen, samples[-1]]


def row(sample: Sample) -> list[str]:
    """Make a row of the table."""
    return [f"{sample.requests:,}", f"{sample.memory.rss / proc.MIB:.2f}", f"{sample.memory.pss / proc.MIB:.2f}"]
