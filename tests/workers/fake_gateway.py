"""A gateway that is only as much as the supervisor needs, in processes of its own.

`python -m tests.workers.fake_gateway '<arguments as JSON>'` runs the real supervisor with real workers. Its config is a
JSON file: `settings` for the document, `orders` for the gateway, and `reader` for the config child. A client sends a
word and gets a line with the slot and the pid of its worker.
"""

import asyncio
import json
import logging
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kairos.config.document import Settings, encode_lines
from kairos.config.listening import Listener
from kairos.errors import KairosError
from kairos.shm import layout
from kairos.shm.zone import Zone
from kairos.workers import documents, supervisor
from kairos.workers.channel import Channel
from kairos.workers.options import RunOptions

BEAT_SECONDS = 0.05

logger = logging.getLogger("fake")


def read_config(options: RunOptions, channel: Channel) -> None:
    """Be a config child that does as the config file says."""
    try:
        config = json.loads(options.config.read_text())
    except OSError as error:
        channel.send("refused", lines=[f"{options.config}: {error.strerror}"], exit=3)
        return
    reader = config.get("reader", {})
    if reader.get("hangs"):
        logger.warning("the reader hangs")
        signal.pause()
    if reader.get("crashes"):
        os.abort()
    if "refuses" in reader:
        channel.send("refused", lines=reader["refuses"], exit=1)
        return
    fields = config["settings"]
    settings = Settings(**{**fields, "listeners": tuple(Listener(**one) for one in fields["listeners"])})
    fd = documents.seal(encode_lines([settings, config.get("orders", {})]))
    channel.send("document", [fd], findings=reader.get("findings", []))


class FakeGateway:
    """Do as the orders in the document say."""

    def __init__(self, loop: asyncio.AbstractEventLoop, zone: Zone, slot: int, identities: object) -> None:
        self._loop = loop
        self._zone = zone
        self._row = zone.row(slot)
        self._slot = slot
        self._orders: dict[str, Any] = {}
        self._servers: list[asyncio.Server] = []
        self._sockets: Sequence[socket.socket] = ()
        self._open: set[asyncio.Task[None]] = set()
        self._is_ready = True
        self._beat()

    def _beat(self) -> None:
        self._row.store(layout.HEARTBEAT, time.monotonic_ns())
        self._loop.call_later(BEAT_SECONDS, self._beat)

    async def prepare(self, document: bytes, generation: int) -> dict[str, Any]:
        orders: dict[str, Any] = json.loads(document.splitlines()[1])
        if self._slot in orders.get("unpreparable", ()):
            raise KairosError(f"slot {self._slot} cannot prepare this")
        if self._slot in orders.get("crashes_at_prepare", ()):
            os.abort()
        is_successor = self._zone.cells.fetch_add(self._zone.word(b"prepared %d" % self._slot), 1) > 0
        if self._slot in orders.get("slow_to_prepare", ()) or (is_successor and orders.get("slow_successors")):
            logger.warning("slot %d takes its time", self._slot)
            await asyncio.sleep(3600)
        return orders

    def commit(self, snapshot: dict[str, Any]) -> None:
        word = self._zone.word(b"crashes")
        if self._zone.cells.fetch_add(word, 1) < snapshot.get("crashes_at_commit", 0):
            raise RuntimeError("this commit fails")
        self._orders = snapshot

    def start(self, listening: Sequence[tuple[Listener, socket.socket]]) -> None:
        self._sockets = [sock for _, sock in listening]
        for sock in self._sockets:
            self._loop.add_reader(sock.fileno(), self._accept, sock)

    def _accept(self, sock: socket.socket) -> None:
        while True:
            try:
                client, _ = sock.accept()
            except BlockingIOError:
                return
            client.setblocking(False)
            self._row.add(layout.CONNECTIONS_ACCEPTED, 1)
            self._row.add(layout.CONNECTIONS_OPEN, 1)
            task = self._loop.create_task(self._serve(client))
            self._open.add(task)
            task.add_done_callback(self._open.discard)

    async def _serve(self, client: socket.socket) -> None:
        with client:
            while word := (await self._loop.sock_recv(client, 100)).decode().strip():
                self._row.add(layout.REQUESTS, 1)
                await self._loop.sock_sendall(client, (self._answer(word) + "\n").encode())
        self._row.add(layout.CONNECTIONS_OPEN, -1)

    def _answer(self, word: str) -> str:
        answers = {
            "text": lambda: self._orders.get("text", ""),
            "ready": lambda: self._is_ready,
            "random": lambda: random.getrandbits(64),
            "open": lambda: self._zone.total(layout.CONNECTIONS_OPEN),
            "pid": os.getpid,
            "imports": lambda: sorted(sys.modules.keys() & {"pydantic", "aiohttp"}),
            "hang": hang,
        }
        return f"{self._slot} {os.getpid()} {answers[word]()}"

    def certify(self, listener: int, rules: bytes) -> None:
        raise NotImplementedError

    def unready(self) -> None:
        self._is_ready = False
        logger.warning("slot %d is not ready", self._slot)

    async def drain(self, seconds: float) -> None:
        logger.warning("slot %d drains for %g s", self._slot, seconds)
        for sock in self._sockets:
            if sock.fileno() >= 0:
                self._accept(sock)
                self._loop.remove_reader(sock.fileno())
                sock.close()
        logger.warning("slot %d accepts no more", self._slot)
        if self._open:
            await asyncio.wait(self._open, timeout=seconds)
        logger.warning("slot %d leaves with %d open", self._slot, len(self._open))

    def reopen_logs(self) -> None:
        logger.warning("slot %d reopens its logs", self._slot)


def hang() -> None:
    """Never come back, and show up in a stack dump."""
    while True:
        pass


def extra() -> None:
    """Be a process beside the workers."""
    logger.warning("extra process %d runs", os.getpid())
    while True:
        signal.pause()


def main(arguments: str) -> int:
    """Run the supervisor as the arguments say."""
    given = json.loads(arguments)
    options = given["options"]
    for name in ("config", "state_dir"):
        options[name] = Path(options[name])
    return supervisor.run(
        RunOptions(**options),
        extra_children=[extra] * given.get("extra_children", 0),
        programs=supervisor.Programs(read_config, lambda: FakeGateway),
        timing=supervisor.Timing(**given.get("timing", {})),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
