"""The directory of the cache: private, one for each start of a gateway, and gone with its last worker.

Every worker holds a shared lock on a file in it as long as it lives, so that nobody takes the directory for one that a
dead gateway has left. Its name has a secret of the zone: nobody else can have made it before us.
"""

import fcntl
import logging
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 (what is made there is private, and its name cannot be guessed)
FILES, UNFINISHED, RULES, LOCK = "files", "unfinished", "rules", "lock"

_GONE = "-gone"  # at the end of the name of a directory that somebody is removing, or was killed while he did
_TRIES = 5
_log = logging.getLogger("kairos.cache")


def base_directory(fallback: Path) -> Path:
    """Return where to put the directory of the cache: in memory if there is such a place, else at `fallback`."""
    return MEMORY if MEMORY.is_dir() and os.access(MEMORY, os.W_OK | os.X_OK) else fallback


class Place:
    """The directory of one gateway below `base`; `mark` is its secret in hexadecimal, the same for all its workers."""

    __slots__ = ("_base", "_lock", "root")

    def __init__(self, base: Path, mark: str) -> None:
        self._base = base
        self._lock = -1
        self.root = base / f"{_prefix()}{mark}"

    def open(self) -> None:
        """Make the directory, or join those who use it; may be done again if it was taken away. Raises OSError."""
        for _ in range(_TRIES):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._be_sure_it_is_ours()
            lock = os.open(self.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            if self._hold(lock):
                break
            os.close(lock)
        else:
            raise OSError(0, "it is being removed")
        self._let_go()
        self._lock = lock
        for name in (FILES, UNFINISHED, RULES):
            (self.root / name).mkdir(mode=0o700, exist_ok=True)

    def close(self) -> None:
        """Leave; the last one removes the directory."""
        if self._lock < 0:
            return
        with suppress(OSError):
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            gone = self.root.rename(self.root.with_name(self.root.name + _GONE))  # so that nobody joins meanwhile
            shutil.rmtree(gone, ignore_errors=True)
        self._let_go()

    def leftovers(self) -> Iterator[None]:
        """Remove what gateways of this user have left that were killed, one file at a step."""
        for path in self._base.glob(f"{_prefix()}*"):
            if path != self.root and (gone := _taken(path)):
                _log.info("removing %s, which a gateway has left", gone)
                yield from _emptied(gone)

    def _be_sure_it_is_ours(self) -> None:
        found = self.root.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise PermissionError(0, "others may write to it")

    def _hold(self, lock: int) -> bool:
        """Lock it for us and our like; say whether it is still the one that others see."""
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return os.fstat(lock).st_ino == (self.root / LOCK).stat().st_ino
        return False

    def _let_go(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _prefix() -> str:
    return f"kairos-cache-{os.geteuid()}-"


def _taken(path: Path) -> Path | None:
    """Give a directory that nobody uses the name of one that is being removed; None if it is not left over."""
    with suppress(OSError):
        if path.lstat().st_uid != os.geteuid():
            return None
        if path.name.endswith(_GONE):
            return path
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)  # one that is being made has none yet
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return path.rename(path.with_name(path.name + _GONE))
        finally:
            os.close(lock)
    return None


def _emptied(root: Path) -> Iterator[None]:
    """Remove a directory and all in it, one file at a step."""
    with suppress(OSError):
        for folder, folders, names in os.walk(root, topdown=False):
            for name in names:
                Path(folder, name).unlink(missing_ok=True)
                yield
            for name in folders:
                Path(folder, name).rmdir()
        root.rmdir()
