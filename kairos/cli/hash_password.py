"""`kairos hash-password`: make the hash of a password for the config file."""

import os
import sys

import click

from kairos.config.passwords import SALT_BYTES, make_hash


@click.command("hash-password")
def hash_password() -> None:
    """Read a password and print its hash for `basic_auth`. It is asked for, or taken from a pipe."""
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.read().removesuffix("\n")
    if not password:
        raise click.UsageError("there is no password")
    click.echo(str(make_hash(password.encode(), os.urandom(SALT_BYTES))))
