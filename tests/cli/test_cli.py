"""The command group: all commands are there, and each is loaded only when it is used."""

import subprocess
import sys

from click.testing import CliRunner

from kairos.cli import COMMANDS, kairos

WHAT_VERSION_IMPORTS = """
import sys
from kairos.cli import kairos

kairos.main(["version"], standalone_mode=False)
found = {"pydantic", "kairos.cli.check", "kairos.cli.run"} & sys.modules.keys()
sys.exit(f"imported: {found}" if found else 0)
"""


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(kairos, ["--help"])

    assert result.exit_code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.output


def test_a_command_imports_nothing_of_the_others() -> None:
    result = subprocess.run([sys.executable, "-c", WHAT_VERSION_IMPORTS], capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
