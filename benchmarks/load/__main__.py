"""The command line: `python -m benchmarks.load compare`, and so on; see benchmarks/README.md."""

import argparse
import sys

from benchmarks import load
from benchmarks.load import compare, events, hold, memory, policies, progress, soak, websocket_memory
from benchmarks.load.errors import LoadError

COMMANDS = {
    "compare": compare,
    "policies": policies,
    "events": events,
    "memory": memory,
    "websocket-memory": websocket_memory,
    "hold": hold,
    "soak": soak,
}


def main() -> int:
    """Run one measurement; the exit code is 1 if it failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=load.__doc__)
    subparsers = parser.add_subparsers(required=True, metavar="MEASUREMENT")
    for name, module in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=module.__doc__, description=module.__doc__)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    options = parser.parse_args()
    try:
        return int(options.run(options))
    except LoadError as error:
        progress.tell("")
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
