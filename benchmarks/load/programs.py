"""A program that serves on a port for the time of a `with` block."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from benchmarks.load.errors import LoadError

HOST = "127.0.0.1"
START_SECONDS = 20.0
END_SECONDS = 15.0
LOG_LINES = 15  # of a program that failed


class Program:
    """Run a command, on one CPU if asked, and wait until it accepts on `port`. Its output goes to a file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        port: int,
        folder: Path,
        *,
        cpu: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.port = port
        self._command = [*pinned(cpu), *command]
        self._environment = environment
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        try:
            self._wait_until_it_accepts()
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()

    @property
    def pid(self) -> int:
        """The process that was started; others may descend from it."""
        return self._process.pid

    def log(self) -> str:
        """Return what the program wrote."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def check(self) -> None:
        """LoadError if the program has ended."""
        if self._process.poll() is not None:
            raise self._failure(f"has ended with exit code {self._process.returncode}")

    def _wait_until_it_accepts(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self.check()
            with socket.socket() as probe:
                if probe.connect_ex((HOST, self.port)) == 0:
                    return
            time.sleep(0.02)
        raise self._failure(f"does not accept on port {self.port}")

    def _failure(self, what: str) -> LoadError:
        tail = "\n".join(f"    {line}" for line in self.log().splitlines()[-LOG_LINES:])
        return LoadError(f"{self.name} {what}: {' '.join(self._command)}\n{tail}")

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def pinned(cpu: int | None) -> list[str]:
    """Return the words to put before a command that shall run on one CPU."""
    return [] if cpu is None else ["taskset", "--cpu-list", str(cpu)]


def free_port() -> int:
    """Return a port on which nobody listens now."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


def version(*command: str) -> str:
    """Return the first line that a command writes."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return (result.stdout.splitlines() or ["?"])[0].strip()
