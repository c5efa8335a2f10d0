"""A worker: one process, one event loop, one gateway, which does what the supervisor says over the channel."""

import asyncio
import gc
import logging
import os
import random
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from kairos._speedups import keep_freed_memory
from kairos.config.listening import Listener
from kairos.errors import KairosError
from kairos.proxy.identities import Identities
from kairos.shm import layout
from kairos.shm.zone import Zone
from kairos.workers import documents
from kairos.workers.channel import Channel, Message
from kairos.workers.loop import loop_name
from kairos.workers.spare import SpareDescriptor

DRAIN_SECONDS = 25.0  # when the supervisor is gone and nobody says how long
MAX_REASONS = 100
# Pieces of bodies have up to 256 KiB and come and go: memory that went back to the kernel each time would have to be
# mapped and cleared again for the next.
KEPT_BYTES, LARGEST_BLOCK, HEAP_STEP = 8 << 20, 1 << 20, 1 << 20
MAX_REASON_LENGTH = 2000

logger = logging.getLogger("kairos.worker")

Listening = tuple[Listener, socket.socket]


class Gateway(Protocol):
    """What a worker drives."""

    async def prepare(self, document: bytes, generation: int) -> Any:
        """Build a snapshot beside the one that is served; raises KairosError. May be cancelled."""

    def commit(self, snapshot: Any) -> None:
        """Serve by this snapshot from now on."""

    def start(self, listening: Sequence[Listening], /) -> None:
        """Begin to accept; called once, after the first commit."""

    def certify(self, listener: int, rules: bytes) -> None:
        """Show other certificates at the listener of this number from the next handshake on."""

    def unready(self) -> None:
        """Let readiness fail; still accepting."""

    async def drain(self, seconds: float) -> None:
        """Take nothing new, finish what runs, stop hard after `seconds`. May be cancelled, and called again."""

    def reopen_logs(self) -> None:
        """Open the log files anew by their names."""


class GatewayFactory(Protocol):
    """What makes the gateway of a worker."""

    def __call__(
        self,
        loop: asyncio.AbstractEventLoop,
        zone: Zone,
        slot: int,
        identities: Mapping[Listener, Identities],
    ) -> Gateway:
        """Make it for the worker in a slot; `identities` are what the listeners show that speak TLS."""


MakeGateway = Callable[[asyncio.AbstractEventLoop, Zone, int], Gateway]


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes event loops of the kind that is asked for."""
    if loop_name() == "asyncio":
        return asyncio.new_event_loop
    import uvloop  # here, because it may be absent where it is not wanted

    return uvloop.new_event_loop


def main(
    make_gateway: MakeGateway, slot: int, listening: Sequence[Listening], zone: Zone, channel: Channel
) -> None:
    """Be the worker in a slot until the supervisor says otherwise, or is gone. Runs in a freshly forked process."""
    random.seed()  # or all workers would draw the same numbers
    gc.set_threshold(10_000, 20, 1_000)  # full collections would hold requests up
    keep_freed_memory(KEPT_BYTES, LARGEST_BLOCK, HEAP_STEP)
    zone.row(slot).store(layout.PID, os.getpid())
    loop = loop_factory()()
    asyncio.set_event_loop(loop)
    worker = Worker(loop, make_gateway(loop, zone, slot), listening, channel)
    loop.run_until_complete(worker.run())
    # The loop is not closed: the process ends here, and must not wait for a thread that resolves a name.


class Worker:
    """Obey the channel."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, gateway: Gateway, listening: Sequence[Listening], channel: Channel
    ) -> None:
        self._loop = loop
        self._gateway = gateway
        self._listening = listening
        self._channel = channel
        self._spare = SpareDescriptor()
        self._news = asyncio.Event()
        self._preparing: asyncio.Task[None] | None = None
        self._prepared: tuple[int, Any] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._has_started = False
        self._is_unready = False

    async def run(self) -> None:
        """Do what the messages say until a drain is over. What fails here ends the process, which is replaced."""
        self._loop.add_reader(self._channel.fileno(), self._news.set)
        while self._draining is None or not self._draining.done():
            await self._news.wait()
            self._news.clear()
            with self._spare.given_up():
                for message in self._channel.receive():
                    self._obey(message)
            if self._channel.at_eof:
                self._loop.remove_reader(self._channel.fileno())
                if self._draining is None:
                    logger.warning("the supervisor is gone: draining")
                    self._drain(DRAIN_SECONDS)
        await self._draining
        self._spare.close()
        self._say("drained")

    def _obey(self, message: Message) -> None:
        match message.type:
            case "prepare":
                self._prepare(message)
            case "commit":
                self._commit(message.fields["generation"])
            case "abort":
                self._forget_prepared()
            case "certify":
                self._certify(message)
            case "unready":
                self._is_unready = True
                self._gateway.unready()
            case "drain":
                self._drain(message.fields["seconds"])
            case "reopen_logs":
                self._gateway.reopen_logs()
            case _:
                raise ValueError(f"the supervisor said {message.type!r}")

    def _certify(self, message: Message) -> None:
        if message.lost_fds:
            logger.error("too many open files to take new certificates over: those before stay in use")
            return
        (fd,) = message.fds
        try:
            rules = documents.read(fd)
        finally:
            os.close(fd)
        self._gateway.certify(message.fields["listener"], rules)

    def _prepare(self, message: Message) -> None:
        self._forget_prepared()
        generation = message.fields["generation"]
        if message.lost_fds:
            self._refuse(generation, ["too many open files to take the config over"])
            return
        (fd,) = message.fds
        try:
            document = documents.read(fd)
        finally:
            os.close(fd)
        gc.disable()  # a collection would visit all that is being built, again and again; until commit or forgotten
        self._preparing = self._loop.create_task(self._build(document, generation))

    async def _build(self, document: bytes, generation: int) -> None:
        """Prepare a snapshot and answer; whatever goes wrong is a reason to refuse the document."""
        try:
            self._prepared = generation, await self._gateway.prepare(document, generation)
        except KairosError as error:
            self._refuse(generation, error.message.splitlines()[:MAX_REASONS])
        except Exception as error:
            logger.exception("cannot prepare generation %d", generation)
            self._refuse(generation, [f"{type(error).__name__}: {error}"[:MAX_REASON_LENGTH]])
        else:
            self._say("ready", generation=generation)

    def _refuse(self, generation: int, reasons: list[str]) -> None:
        gc.enable()
        self._say("failed", generation=generation, reasons=reasons)

    def _forget_prepared(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
        self._preparing = self._prepared = None
        gc.enable()

    def _commit(self, generation: int) -> None:
        if self._prepared is None or self._prepared[0] != generation:
            raise ValueError(f"generation {generation} is not prepared")
        self._gateway.commit(self._prepared[1])
        self._preparing = self._prepared = None
        if not self._has_started:
            self._has_started = True
            self._gateway.start(self._listening)
            if self._is_unready:  # the end came before the beginning
                self._gateway.unready()
        gc.freeze()  # no collection visits the snapshot; it has no cycles, so that its last reference frees it
        gc.enable()
        self._say("committed", generation=generation)

    def _drain(self, seconds: float) -> None:
        """Drain, within a new time if a drain runs already."""
        self._forget_prepared()
        if self._draining is not None:
            self._draining.cancel()
        self._draining = self._loop.create_task(self._gateway.drain(seconds))
        self._draining.add_done_callback(lambda _: self._news.set())

    def _say(self, kind: str, **fields: Any) -> None:
        self._channel.send(kind, **fields)
        if self._channel.has_backlog:
            self._loop.add_writer(self._channel.fileno(), self._flush)

    def _flush(self) -> None:
        self._channel.flush()
        if not self._channel.has_backlog:
            self._loop.remove_writer(self._channel.fileno())
