"""`kairos cert`: certificates for tests and demos."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from kairos.config.hosts import canonical_pattern

USUAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class Host(click.ParamType):  # type: ignore[type-arg]
    """A name, a wildcard or an address."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it as a certificate has it."""
        try:
            return canonical_pattern(f"[{value}]" if ":" in value and "[" not in value else value).strip("[]")
        except ValueError:
            self.fail(f"{value!r} is no host name or address; write for example example.com or *.example.com")


@click.group()
def cert() -> None:
    """Make certificates for tests and demos."""


@cert.command("self-signed")
@click.option("--host", "hosts", type=Host(), multiple=True, help="A name, a wildcard or an address; may be repeated.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="The folder for both files."
)
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long it counts.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
def make(hosts: tuple[str, ...], out: Path, days: int, force: bool) -> None:
    """Make a certificate that nobody vouches for, and its key.

    Clients refuse it unless they are told to trust it. Without --host it is for localhost, 127.0.0.1 and ::1.
    """
    from kairos.cli.self_signed import self_signed  # here, so that --help does not wait for it

    certificate, key = self_signed(hosts or USUAL_HOSTS, datetime.now(UTC), days)
    files = {out / "cert.pem": (certificate, 0o644), out / "key.pem": (key, 0o600)}
    there = [str(path) for path in files if path.exists()]
    if there and not force:
        raise click.ClickException(f"{' and '.join(there)} would be replaced; choose another folder, or --force")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, (data, mode) in files.items():
            replace(path, data, mode)
    except OSError as error:
        raise click.ClickException(f"cannot write into {out}: {error.strerror}") from None
    click.echo("\n".join(map(str, files)))


def replace(path: Path, data: bytes, mode: int) -> None:
    """Put a file in the place of another at once: it is never half there, and never readable to more than it says."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
