"""`kairos run`: start the gateway."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kairos.cli import values
from kairos.workers.options import RunOptions

DEFAULTS = RunOptions()


def option(name: str, text: str, *, variable: str = "", **more: Any) -> Callable[..., Any]:
    """Declare an option that an environment variable of the same name can set too."""
    variable = variable or "KAIROS_" + name.upper().replace("-", "_")
    return click.option(f"--{name}", envvar=variable, show_envvar=True, show_default=True, help=text, **more)


def or_rust_log(ctx: click.Context, param: click.Parameter, level: str | None) -> str | None:
    """Fall back to RUST_LOG, which deployments of kairos-rs have set."""
    if level is not None:
        return level
    try:
        return values.level_from_rust_log(os.environ.get("RUST_LOG", ""))
    except click.BadParameter as error:
        raise click.UsageError(f"RUST_LOG: {error.message}") from None


@click.command()
@option("config", "The config file.", variable="KAIROS_CONFIG_PATH", type=Path, default=DEFAULTS.config)
@option("host", "The address of the first listener, instead of the config's.", type=values.host)
@option("port", "The port of the first listener, instead of the config's; 0 takes a free one.", type=values.port)
@option("workers", "How many worker processes, instead of the config's; 0 is one per core.", type=values.workers)
@option("state-dir", "Where state is kept.  [default: $STATE_DIRECTORY, or $XDG_STATE_HOME/kairos]", type=Path)
@option("log-level", "How much to log; RUST_LOG is understood too.", type=values.level, callback=or_rust_log)
@option(
    "drain-delay",
    "Seconds to go on accepting after SIGTERM, so that load balancers can notice.",
    type=values.seconds,
    default=DEFAULTS.drain_delay,
)
@option("demo", "Start two small HTTP backends for config.example.json beside the gateway.", is_flag=True)
@option("allow-inactive", "Start although the config asks for a protection that this version lacks.", is_flag=True)
@click.pass_context
def run(ctx: click.Context, /, **given: Any) -> None:
    """Run the gateway until SIGTERM or SIGINT.

    SIGHUP reloads the config without losing a request; SIGUSR1 reopens the log files.
    """
    from kairos.workers import children, supervisor  # here, so that neither --help nor a wrong option waits for it

    children.open_missing_streams()
    options = RunOptions(**given)
    ctx.exit(supervisor.run(options, extra_children=demo_backends() if options.demo else ()))


def demo_backends() -> list[Callable[[], None]]:
    """Open the ports of the demo backends; each is a function for a process of its own."""
    from kairos.cli import demo

    try:
        return demo.backends()
    except OSError as error:
        raise click.ClickException(str(error)) from None
