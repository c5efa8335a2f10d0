"""The state directory, and the lock that keeps a second gateway out of it."""

import fcntl
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from kairos.workers.errors import StartError

LOCK_NAME = "kairos.lock"


def state_directory(asked: Path | None, environ: Mapping[str, str]) -> Path:
    """Return where state is kept: `asked`, else $STATE_DIRECTORY, else the place that the XDG specification gives."""
    if asked is not None:
        return asked
    if given := environ.get("STATE_DIRECTORY", "").split(":")[0]:  # systemd may give several
        return Path(given)
    if home := environ.get("XDG_STATE_HOME"):
        return Path(home, "kairos")
    try:
        return Path.home() / ".local" / "state" / "kairos"
    except RuntimeError:
        raise StartError("there is no home directory to keep state in: choose a place with --state-dir") from None


def make_private(directory: Path) -> None:
    """Create the directory for its owner alone (0700). One that exists stays as it is; nobody else may write there."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = directory.stat().st_mode
    except OSError as error:
        reason = f"the state directory {directory} cannot be made: {error.strerror}"
        raise StartError(f"{reason}; choose another with --state-dir") from None
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StartError(
            f"the state directory {directory} is open to others: chmod 700 it, or choose another with --state-dir"
        )


class StateLock:
    """Hold the state directory for one gateway, as long as this process lives or until `release`.

    The file has the process number of the holder, and is empty when there is none.
    """

    def __init__(self, directory: Path) -> None:
        make_private(directory)
        path = directory / LOCK_NAME
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            reason = f"the state directory {directory} is not writable: {error.strerror}"
            raise StartError(f"{reason}; choose another with --state-dir") from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._fd, 20, 0).decode(errors="replace").strip()
            self.forget()
            raise StartError(
                f"another gateway (pid {holder or 'unknown'}) uses the state directory {directory}: "
                "stop it, or choose another with --state-dir"
            ) from None
        os.truncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next gateway have it."""
        os.truncate(self._fd, 0)
        self.forget()

    def forget(self) -> None:
        """Close this process's copy. The lock is free when the last copy is closed, so a child does this first."""
        os.close(self._fd)
