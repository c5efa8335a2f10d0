"""The application log: one line per event on stderr."""

import logging
import sys

LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 1,
}

_FORMAT = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s[%(process)d]: %(message)s"


def configure(level: str) -> None:
    """Log from `level` up (a key of LEVELS) to stderr; replaces what was configured before."""
    threshold = LEVELS[level.lower()]
    logging.basicConfig(stream=sys.stderr, level=threshold, format=_FORMAT, datefmt="%Y-%m-%dT%H:%M:%S", force=True)
