"""Option values: text becomes a value, or one line that says what would have been right."""

import math

import click
from click.core import ParameterSource

from kairos.config.hosts import listening_host
from kairos.observability.logs import LEVELS

MAX_WORKERS = 1024


def refused(value: object, fix: str) -> click.BadParameter:
    """Make the error for `value`; click adds which option it came from."""
    return click.BadParameter(f"{value!r} does not work; give {fix}")


def whole_number(text: str, low: int, high: int) -> int:
    """Read an integer from `low` to `high`."""
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise refused(text, f"a whole number from {low} to {high}")
    return number


def port(text: str) -> int:
    """Read a port to listen on; 0 is any free one."""
    return whole_number(text, 0, 65535)


def workers(text: str) -> int:
    """Read a number of processes; 0 is one per core."""
    return whole_number(text, 0, MAX_WORKERS)


def host(text: str) -> str:
    """Read an address or a name; whether it exists is found out by the listener."""
    try:
        return listening_host(text)
    except ValueError:
        fix = "an address or a host name such as 127.0.0.1 or ::, without scheme and port"
        raise refused(text, fix) from None


def seconds(text: str) -> float:
    """Read a duration, also one with a fraction."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise refused(text, "a number of seconds, 0 or more")
    return number


def level(text: str) -> str:
    """Read the name of a log level."""
    name = text.lower()
    if name not in LEVELS:
        raise refused(text, f"one of {', '.join(LEVELS)}")
    return name


def level_from_rust_log(text: str) -> str | None:
    """Find our level in a RUST_LOG such as `info` or `kairos=debug,warn`; None if it speaks of others only.

    The most specific directive wins, as for Rust's env_logger: one for `kairos` before a bare level.
    """
    general = ours = None
    for directive in text.split("/", 1)[0].lower().split(","):  # what follows a slash filters the messages
        target, has_target, name = (part.strip() for part in directive.rpartition("="))
        if not has_target:
            general = name if name in LEVELS else general  # else it names a target
        elif target.split("::")[0] in ("kairos", "kairos_gateway"):
            ours = level(name)
    return ours or general


def one_line(error: click.ClickException) -> str:
    """Say on one line what is wrong, and where: the option, or the environment variable if that was the source."""
    if isinstance(error, click.BadParameter) and error.param is not None:
        return f"{place(error.param, error.ctx)}: {error.message}"
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{error.format_message()} (see {error.ctx.command_path} --help)"
    return error.format_message()


def place(param: click.Parameter, ctx: click.Context | None) -> str:
    """Name what the operator wrote to set `param`."""
    if param.name and ctx and ctx.get_parameter_source(param.name) is ParameterSource.ENVIRONMENT:
        return str(param.envvar)
    return param.opts[0]
