"""Kinds of values on the command line."""

import argparse


def positive(text: str) -> int:
    """Read a whole number above zero; 10_000 is one, too."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return number
