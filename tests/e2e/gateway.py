"""A real gateway: `python -m kairos` in a process of its own, with its own config, state and port."""

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGTERM, Signals
from typing import Any, Self

from tests.e2e.log import PATIENCE_SECONDS, Log

HOST = "127.0.0.1"
INHERITED = ("KAIROS_PURE_PYTHON", "KAIROS_REQUIRE_SPEEDUPS", "KAIROS_LOOP")  # other settings must not leak into a test

RELOADED = r"reload: (generation \d+ of the config is in force|refused|the config has not changed)"

LAUNCHER = """\
import fcntl, os, sys
names, numbers, command = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
aside = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in numbers]
for index, fd in enumerate(aside):
    os.dup2(fd, 3 + index)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(numbers)), LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        """Decode the body."""
        return json.loads(self.body)


class Gateway:
    """Run a gateway for the time of a `with` block; at its end it must leave with exit code 0 and no traceback.

    `arguments` are put behind those that give config, port, workers and state; the last of two equal options counts.
    The sockets in `inherits` are handed over by their names, as systemd does.
    """

    def __init__(
        self,
        folder: Path,
        config: Config | Path,
        *arguments: str,
        workers: int = 1,
        inherits: Mapping[str, socket.socket] | None = None,
    ) -> None:
        self.config_path = config if isinstance(config, Path) else folder / "config.json"
        if not isinstance(config, Path):
            self.write(config)
        self._command = [
            *(sys.executable, "-m", "kairos", "run", "--config", str(self.config_path), "--host", HOST, "--port", "0"),
            *("--workers", str(workers), "--state-dir", str(folder / "state"), "--drain-delay", "0", *arguments),
        ]
        self._inherited = [sock.fileno() for sock in (inherits or {}).values()]
        if inherits:
            numbers = ",".join(map(str, self._inherited))
            self._command[:0] = [sys.executable, "-c", LAUNCHER, ":".join(inherits), numbers]
        self.process: subprocess.Popen[str]
        self.log: Log
        self.port = 0

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._command,
            env=clean_environment(),
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            pass_fds=self._inherited,
        )
        assert self.process.stderr is not None
        self.log = Log(self.process.stderr)
        try:
            self.port = int(self.log.wait_for(rf"serves http://{HOST}:(\d+)")[1])
            assert self.request("GET", "/ready").status == 200  # waits in the queue until a worker accepts
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self.kill()
        elif self.process.poll() is None:
            self.stop()
        print(self.log)  # for pytest to show when the test fails

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request on a connection of its own."""
        connection = self.connect()
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def is_refused(self) -> bool:
        """Say whether nobody listens at the gateway's port."""
        try:
            socket.create_connection((HOST, self.port), PATIENCE_SECONDS).close()
        except ConnectionRefusedError:
            return True
        return False

    def connect(self) -> http.client.HTTPConnection:
        """Open a connection, for tests that keep one alive or look at its bytes."""
        return http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE_SECONDS)

    def write(self, config: Config) -> None:
        """Replace the config file; the gateway does not look at it before a reload."""
        draft = self.config_path.with_suffix(".draft")
        draft.write_text(json.dumps(config, indent=2), encoding="utf-8")
        draft.replace(self.config_path)

    def reload(self, config: Config, expect: str = RELOADED) -> str:
        """Replace the config file, tell the gateway, and return the line that matches `expect`."""
        since = len(self.log)
        self.write(config)
        self.send(SIGHUP)
        return self.log.wait_for(expect, since).string

    def send(self, number: Signals) -> None:
        """Send a signal to the supervisor."""
        self.process.send_signal(number)

    def stop(self, number: Signals = SIGTERM) -> None:
        """End the gateway and demand that it leaves cleanly, and takes its children along."""
        self.send(number)
        exit_code = self.process.wait(PATIENCE_SECONDS)
        self.log.wait_for_end()
        assert exit_code == 0, f"exit code {exit_code}; the log:\n{self.log}"
        assert "Traceback" not in str(self.log), f"a traceback in the log:\n{self.log}"

    def kill(self) -> None:
        """End everything at once, because the test has failed or wants a crash."""
        os.killpg(self.process.pid, SIGKILL)
        self.process.wait(PATIENCE_SECONDS)


def clean_environment() -> dict[str, str]:
    """Return our environment without settings for the gateway, but in the same mode."""
    foreign = {name: value for name, value in os.environ.items() if not name.startswith(("KAIROS_", "RUST_LOG"))}
    return foreign | {name: os.environ[name] for name in INHERITED if name in os.environ}
