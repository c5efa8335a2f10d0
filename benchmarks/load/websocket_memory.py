"""The memory of an idle WebSocket: of the client's connection and the backend's together."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import machine, table
from benchmarks.load.gateway import Gateway
from benchmarks.load.options import positive
from benchmarks.load.websocket import Echo, WebSockets

WARM_UP = 20  # connections, for what the first ones leave behind for good


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--connections", type=positive, default=5000, help="how many to keep open (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Measure, and print a table."""
    count = options.connections
    machine.allow_open_files(3 * count + 1000, at_least=2 * count + 200)
    with TemporaryDirectory(prefix="kairos-load-") as name:
        each = of_pair(Path(name), count)
    print(f"PSS; the WebSockets: {count:,}, silent after the upgrade\n")
    print(table.markdown(["what", "PSS"], [["an idle WebSocket, both connections", f"{each / 1024:.1f} KiB"]]))
    return 0


def of_pair(folder: Path, count: int) -> float:
    """Return what one of many idle WebSockets adds, in bytes."""
    with Echo() as echo, Gateway(folder, echo.port, echo_port=echo.port) as gateway:
        with WebSockets(gateway.port) as sockets:
            sockets.open(WARM_UP)
        with WebSockets(gateway.port) as sockets:
            sockets.open(1)  # the process of the clients has started, so what it shares counts on both sides
            without = gateway.memory().pss
            sockets.open(count)
            each = (gateway.memory().pss - without) / count
        gateway.check()
        return each
