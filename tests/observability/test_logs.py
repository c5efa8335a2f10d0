"""The application log: one line per event on stderr, from the configured level up."""

import logging
import re
from collections.abc import Iterator

import pytest

from kairos.observability import logs


@pytest.fixture(autouse=True)
def same_logging_afterwards() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(level)


def test_an_event_is_one_line_with_time_level_name_and_process(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")

    logging.getLogger("kairos.test").warning("something %s", "happened")

    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}"
    line = capsys.readouterr().err
    assert re.fullmatch(moment + r" WARNING kairos\.test\[\d+\]: something happened\n", line)


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("trace", "diwe"),
        ("debug", "diwe"),
        ("INFO", "iwe"),
        ("warn", "we"),
        ("warning", "we"),
        ("Error", "e"),
        ("off", ""),
    ],
)
def test_a_level_shows_itself_and_what_is_worse(level: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level)
    log = logging.getLogger("kairos.test")

    log.debug("d")
    log.info("i")
    log.warning("w")
    log.error("e")

    assert [line[-1] for line in capsys.readouterr().err.splitlines()] == list(shown)


def test_configuring_again_replaces_what_was(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("error")
    logs.configure("info")

    logging.getLogger("kairos.test").info("once")

    assert len(capsys.readouterr().err.splitlines()) == 1
