"""Many connections held, and as many requests in flight at the same moment."""

import argparse
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from benchmarks.load import machine, proc, table
from benchmarks.load.clients import Account, Clients
from benchmarks.load.gateway import Gateway
from benchmarks.load.options import positive
from benchmarks.load.origin import Origin
from kairos.shm import layout

WORKERS = 2
DELAY_SECONDS = 1.0  # of the answers, counted from the last request
AT_ONCE = 256  # clients that connect at the same time
LOOK_SECONDS = 0.05
SETTLE_SECONDS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--connections", type=positive, default=10_000, help="how many to hold (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Hold them, print what happened, and fail if anything went wrong."""
    count = options.connections
    machine.allow_open_files(2 * count + 2000, at_least=count + 1000)  # if one worker gets them all it needs most
    with (
        TemporaryDirectory(prefix="kairos-load-") as name,
        Origin(together=count, delay=DELAY_SECONDS) as origin,
        Gateway(Path(name), origin.port, workers=WORKERS) as gateway,
        Clients(gateway.port) as clients,
    ):
        stages, problems = hold(gateway, clients, count)
    print(f"{count:,} connections to a gateway with {WORKERS} workers\n")
    print(table.markdown(["", "answered", "errors", "seconds", "most in flight", "most PSS MiB"], stages))
    for problem in problems:
        print(f"error: {problem}")
    return 1 if problems else 0


def hold(gateway: Gateway, clients: Clients, count: int) -> tuple[list[list[str]], list[str]]:
    """Connect them all, let all ask at once, look at what remains. Return the rows of a table, and what is wrong."""
    empty = ["before", "", "", "", "0", mib(gateway.memory().pss)]
    with Peak(gateway) as peak:
        opened = clients.open(count, "/items/42", at_once=AT_ONCE)
    held = row("connected, one request each", opened, peak)
    with Peak(gateway) as peak:
        asked = clients.request("/wait")
    loaded = row("all requests at once", asked, peak)
    left = settled(gateway)
    after = ["afterwards, still connected", "", "", "", str(left), mib(gateway.memory().pss)]
    problems = [f"{number:,} x {what}" for account in (opened, asked) for what, number in account.errors.items()]
    if peak.in_flight < count:
        problems.append(f"no more than {peak.in_flight:,} requests were in flight at the same time")
    if left:
        problems.append(f"{left:,} requests are still in flight, although all were answered")
    gateway.check()
    return [empty, held, loaded, after], problems


class Peak:
    """Watch a gateway for the time of a `with` block: the most requests in flight, and the most memory."""

    def __init__(self, gateway: Gateway) -> None:
        self.in_flight = 0
        self.pss = 0
        self._gateway = gateway
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(LOOK_SECONDS):
            self.in_flight = max(self.in_flight, self._gateway.total(layout.IN_FLIGHT))
            self.pss = max(self.pss, self._gateway.memory().pss)


def settled(gateway: Gateway) -> int:
    """Return how many requests are in flight, as soon as there are none, or after a while."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (left := gateway.total(layout.IN_FLIGHT)) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    return left


def row(what: str, account: Account, peak: Peak) -> list[str]:
    """Make a row of the table."""
    counts = [f"{count:,}" for count in (account.answered, sum(account.errors.values()))]
    return [what, *counts, f"{account.seconds:.1f}", f"{peak.in_flight:,}", mib(peak.pss)]


def mib(size: int) -> str:
    """Show bytes in MiB."""
    return f"{size / proc.MIB:.1f}"
