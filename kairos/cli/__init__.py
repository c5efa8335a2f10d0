"""The command line: `kairos COMMAND`; without a command it runs the gateway."""

import errno
import os
import sys
from importlib import import_module

import click

from kairos.cli.values import one_line
from kairos.workers.children import flush_streams
from kairos.workers.errors import StartError

COMMANDS = ("run", "check", "schema", "hash-password", "cert", "version")
DEFAULT_COMMAND = "run"


class LazyGroup(click.Group):
    """Import a command's module when that command is used: `run` must not pay for what `check` imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command: `name` in the module `kairos.cli.name`."""
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            name = cmd_name.replace("-", "_")
            self.add_command(getattr(import_module(f"kairos.cli.{name}"), name))
        return super().get_command(ctx, cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in front of its options: `kairos --port 80` is `kairos run --port 80`."""
        own_options = {option for param in self.get_params(ctx) for option in param.opts}
        if not args or (args[0].startswith("-") and args[0] not in own_options):
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)


def print_version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    """Answer `--version` like the command of that name."""
    if wanted:
        from kairos.cli.version import describe

        click.echo(describe())
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=print_version, help="As version.")
def kairos() -> None:
    """Kairos, a multi-protocol gateway.

    Without a command it runs the gateway: `kairos --config FILE` is `kairos run --config FILE`.
    """


def main() -> None:
    """Run the command line; a wrong option is one line on stderr and exit code 2."""
    try:
        exit_code = kairos.main(prog_name="kairos", standalone_mode=False)
        flush_streams()
    except StartError as error:
        click.echo(f"kairos: {error.message}", err=True)
        exit_code = error.exit_code
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python fails again as it ends
        click.echo(f"kairos: the output cannot be written: {error.strerror}", err=True)
        exit_code = 1
    except click.Abort:
        exit_code = 130  # what a shell reports for a process that SIGINT ended
    except click.ClickException as error:
        click.echo(f"kairos: {one_line(error)}", err=True)
        exit_code = error.exit_code
    sys.exit(exit_code)
