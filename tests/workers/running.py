"""A supervisor that runs with the fake gateway, as the tests see it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, Signals
from typing import Any, Self

from tests.e2e.log import PATIENCE_SECONDS, Log

HOST = "127.0.0.1"
GENERATION = r"generation (\d+) of the config is in force"


class Client:
    """One connection to a worker."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), PATIENCE_SECONDS)
        self._stream = self._socket.makefile("r")

    def ask(self, word: str) -> tuple[int, int, str]:
        """Return the slot and the pid of the worker, and its answer."""
        self.say(word)
        return self.hear()

    def say(self, word: str) -> None:
        """Send a word."""
        self._socket.sendall(f"{word}\n".encode())

    def hear(self) -> tuple[int, int, str]:
        """Read an answer; ConnectionError if there is none."""
        line = self._stream.readline()
        if not line:
            raise ConnectionError("the worker has gone")
        slot, pid, answer = line.rstrip("\n").split(" ", 2)
        return int(slot), int(pid), answer

    def close(self) -> None:
        """Leave."""
        self._stream.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Running:
    """A supervisor with its workers for the time of a `with` block, at whose end nobody may be left."""

    def __init__(self, folder: Path, *, workers: int = 2, drain_delay: float = 0, **more: Any) -> None:
        self.folder = folder
        self.settings: dict[str, Any] = {"listeners": [{"host": HOST, "port": 0}], "workers": workers}
        self.options = {
            "config": str(folder / "config.json"),
            "state_dir": str(folder / "state"),
            "drain_delay": drain_delay,
        }
        self._more = more
        self.process: subprocess.Popen[str]
        self.log: Log
        self.port = 0

    def write(self, reader: Any = None, **orders: Any) -> None:
        """Replace the config file."""
        config = {"settings": self.settings, "orders": orders, "reader": reader or {}}
        (self.folder / "config.json").write_text(json.dumps(config))

    def launch(self) -> Self:
        """Start the process, without waiting for anything."""
        arguments = json.dumps({"options": self.options, **self._more})
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.workers.fake_gateway", arguments],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stderr is not None
        self.log = Log(self.process.stderr)
        return self

    def started(self, **orders: Any) -> Self:
        """Start, and wait until every worker serves."""
        self.write(**orders)
        self.launch()
        self.port = int(self.log.wait_for(rf"serves http://{HOST}:(\d+)")[1])
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self.process.poll() is None:
            assert self.end(SIGINT) == 0
        if self.process.poll() is None:
            os.killpg(self.process.pid, SIGKILL)
            self.process.wait(PATIENCE_SECONDS)
        self.log.wait_for_end()
        print(self.log)  # for pytest to show when the test fails

    def connect(self) -> Client:
        """Open a connection."""
        return Client(self.port)

    def ask(self, word: str) -> tuple[int, int, str]:
        """Ask on a connection of its own."""
        with self.connect() as client:
            return client.ask(word)

    def pids(self) -> dict[int, int]:
        """Return the pid of the worker in each slot; ask until every slot has answered."""
        found: dict[int, int] = {}
        while len(found) < self.settings["workers"]:
            slot, pid, _ = self.ask("pid")
            found[slot] = pid
        return found

    def reload(self, expect: str = GENERATION, reader: Any = None, **orders: Any) -> str:
        """Replace the config, ask for a reload, and return the line that tells its result."""
        since = len(self.log)
        self.write(reader, **orders)
        self.send(SIGHUP)
        return self.log.wait_for(expect, since).string

    def send(self, number: Signals) -> None:
        """Send a signal to the supervisor."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Return the exit code, once every process is gone."""
        code = self.process.wait(PATIENCE_SECONDS)
        self.log.wait_for_end()
        return code

    def end(self, number: Signals) -> int:
        """Ask for the end and wait for it."""
        self.send(number)
        return self.wait()
