"""What the command line asked for."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of `kairos run`; None leaves the decision to the config file, then to its default."""

    config: Path = Path("config.json")
    host: str | None = None
    port: int | None = None
    workers: int | None = None
    state_dir: Path | None = None
    log_level: str | None = None
    drain_delay: float = 5.0
    demo: bool = False
    allow_inactive: bool = False
