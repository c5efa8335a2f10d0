"""`kairos schema`: describe the config file to editors and other programs."""

import json

import click

from kairos.config.schema import json_schema


@click.command()
def schema() -> None:
    """Print the JSON Schema of the config file."""
    click.echo(json.dumps(json_schema(), indent=2))
