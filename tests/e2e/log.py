"""The lines that a process writes, as they come."""

import re
import threading
from typing import IO

PATIENCE_SECONDS = 30.0


class Log:
    """Collect the lines of a stream and wait for those that a test expects."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._is_complete = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._collect, name="log", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._lines)

    def __str__(self) -> str:
        return "".join(self._lines)

    def wait_for(self, pattern: str, since: int = 0) -> re.Match[str]:
        """Return the first match in a line, of those after the first `since`."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_complete or self._find(pattern, since), PATIENCE_SECONDS)
            found = self._find(pattern, since)
        assert found, f"no line with {pattern!r}; the log:\n{self}"
        return found

    def wait_for_end(self) -> None:
        """Wait until the process, and all to which it gave the stream, are gone."""
        self._thread.join(PATIENCE_SECONDS)
        assert self._is_complete, f"someone still holds the log open:\n{self}"

    def _find(self, pattern: str, since: int) -> re.Match[str] | None:
        return next((match for line in self._lines[since:] if (match := re.search(pattern, line))), None)

    def _collect(self) -> None:
        with self._stream:
            for line in self._stream:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._is_complete = True
            self._changed.notify_all()
