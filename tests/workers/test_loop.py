"""Which event loop: what the environment says, or uvloop."""

import pytest

from kairos.workers.errors import StartError
from kairos.workers.loop import loop_name


@pytest.mark.parametrize(("value", "name"), [("", "uvloop"), ("uvloop", "uvloop"), ("asyncio", "asyncio")])
def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch, value: str, name: str) -> None:
    monkeypatch.setenv("KAIROS_LOOP", value)

    assert loop_name() == name


def test_an_unknown_loop_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAIROS_LOOP", "trio")

    with pytest.raises(StartError, match=r"KAIROS_LOOP is 'trio': set it to one of uvloop, asyncio"):
        loop_name()
