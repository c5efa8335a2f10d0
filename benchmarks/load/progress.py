"""One line on a terminal that says how far a measurement is."""

import sys


def tell(text: str) -> None:
    """Replace the line; in a log or a pipe nothing is written."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
