"""Programs that tests need, from tests/apt.txt."""

import shutil

import pytest


def find_tool(name: str, *, required: bool) -> str:
    """Return the path of a program; without it the calling test skips, or fails if all tools must be there."""
    path = shutil.which(name)
    if path is not None:
        return path
    reason = f"needs the program {name} (`make deps` installs what tests/apt.txt lists)"
    if required:
        pytest.fail(f"{reason}; KAIROS_REQUIRE_TOOLS allows no skip", pytrace=False)
    pytest.skip(reason)
