"""Real gateways and real backends for the tests of the whole."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.gateway import Config, Gateway
from tests.e2e.origin import Origin


@pytest.fixture
def origin() -> Iterator[Origin]:
    """Run a backend that answers `hello`."""
    with Origin() as running:
        yield running


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Start a gateway that is ready to serve; at the end of the test it must leave cleanly."""
    with ExitStack() as running:

        def start(config: Config, *arguments: str, workers: int = 1) -> Gateway:
            return running.enter_context(Gateway(tmp_path, config, *arguments, workers=workers))

        yield start
