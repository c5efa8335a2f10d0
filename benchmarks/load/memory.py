"""The memory of the gateway: of its processes, and of an idle connection."""

import argparse
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import machine, proc, table
from benchmarks.load.clients import Clients
from benchmarks.load.errors import LoadError
from benchmarks.load.gateway import Gateway
from benchmarks.load.options import positive
from benchmarks.load.origin import Origin

WORKERS = 3  # of the gateway that shows what a further worker takes
WARM_UP = 20  # connections, for what the first requests leave behind for good
PATH = "/items/42"


@dataclass(frozen=True, slots=True)
class Result:
    """In bytes of PSS."""

    with_one_worker: int
    further_worker: float
    connection: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--connections", type=positive, default=5000, help="how many to keep open (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Measure, and print a table."""
    count = options.connections
    machine.allow_open_files(2 * count + 1000, at_least=count + 200)
    with TemporaryDirectory(prefix="kairos-load-") as name:
        result = measure(Path(name), count)
    rows = [
        ["supervisor and one worker", f"{result.with_one_worker / proc.MIB:.1f} MiB"],
        ["each further worker", f"{result.further_worker / proc.MIB:.1f} MiB"],
        ["an idle connection", f"{result.connection / 1024:.1f} KiB"],
    ]
    print(f"PSS; the connections: {count:,}, idle after one request each\n")
    print(table.markdown(["what", "PSS"], rows))
    return 0


def measure(folder: Path, count: int) -> Result:
    """Look at gateways of one and of several workers, and at one with many connections."""
    one, several = of_processes(folder, 1), of_processes(folder, WORKERS)
    return Result(one, (several - one) / (WORKERS - 1), of_connection(folder, count))


def of_processes(folder: Path, workers: int) -> int:
    """Return the memory of a gateway that has served some requests.

    Origin and clients have ended by then: they are Python as well, and would have a share in the pages of its files.
    """
    with ExitStack() as helpers:
        origin = helpers.enter_context(Origin())
        with Gateway(folder, origin.port, workers=workers) as gateway:
            warm_up(gateway, workers)
            helpers.close()
            return gateway.memory().pss


def of_connection(folder: Path, count: int) -> float:
    """Return what one of many idle connections adds."""
    with Origin() as origin, Gateway(folder, origin.port) as gateway:
        warm_up(gateway, 1)
        with Clients(gateway.port) as clients:
            connect(clients, 0)  # the process of the clients has started, so what it shares counts on both sides
            without = gateway.memory().pss
            connect(clients, count)
            return (gateway.memory().pss - without) / count


def warm_up(gateway: Gateway, workers: int) -> None:
    """Make some requests, each over a connection of its own that is closed then."""
    with Clients(gateway.port) as clients:
        connect(clients, WARM_UP * workers)


def connect(clients: Clients, count: int) -> None:
    """Open connections, one after the other, so that few connections to the origin are in the figures."""
    account = clients.open(count, PATH, at_once=1)
    if account.errors:
        raise LoadError(f"only {account.answered:,} of {count:,} requests were answered: {account.errors}")
