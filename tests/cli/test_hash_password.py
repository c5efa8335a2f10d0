"""`kairos hash-password`."""

from click.testing import CliRunner

from kairos.cli import kairos
from kairos.config.passwords import read_hash


def test_a_password_from_a_pipe_is_hashed() -> None:
    first, second = (CliRunner().invoke(kairos, ["hash-password"], input="päss\n") for _ in range(2))

    assert first.exit_code == 0
    assert first.stdout != second.stdout  # the salt is random
    assert read_hash(first.stdout.strip()).fits("päss".encode())


def test_no_password_is_no_password() -> None:
    assert CliRunner().invoke(kairos, ["hash-password"], input="\n").exit_code == 2
