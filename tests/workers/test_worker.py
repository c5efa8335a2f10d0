"""A worker does what the supervisor says, and says what became of it."""

import asyncio
import gc
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from kairos.errors import KairosError
from kairos.workers import documents
from kairos.workers.channel import Channel, Message
from kairos.workers.worker import DRAIN_SECONDS, Worker, loop_factory
from tests.workers.test_channel import few_descriptors

PATIENCE_SECONDS = 30


class ScriptedGateway:
    """Write down what it is told, and do what the document says."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.collected: list[bool] = []
        self.may_go_on = asyncio.Event()
        self.drains = asyncio.Event()

    async def prepare(self, document: bytes, generation: int) -> bytes:
        self.collected.append(gc.isenabled())
        if document == b"bad":
            raise KairosError("line one\nline two")
        if document == b"broken":
            raise ZeroDivisionError("a mistake in the gateway")
        if document == b"slow":
            await self.may_go_on.wait()
        self.done.append(("prepare", generation))
        return document

    def commit(self, snapshot: bytes) -> None:
        if snapshot == b"uncommittable":
            raise ZeroDivisionError("a mistake in the gateway")
        self.done.append(("commit", snapshot))

    def start(self, sockets: Sequence[socket.socket], /) -> None:
        self.done.append("start")

    def unready(self) -> None:
        self.done.append("unready")

    async def drain(self, seconds: float) -> None:
        self.done.append(("drain", seconds))
        self.drains.set()
        if seconds == 25:
            await self.may_go_on.wait()

    def reopen_logs(self) -> None:
        self.done.append("reopen_logs")


class Supervisor:
    """The other end of the channel."""

    def __init__(self, channel: Channel, gateway: ScriptedGateway) -> None:
        self.channel = channel
        self.gateway = gateway
        self._readable = asyncio.Event()
        self._messages: list[Message] = []
        asyncio.get_running_loop().add_reader(channel.fileno(), self._readable.set)

    def leave(self) -> None:
        if self.channel.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.channel.fileno())
            self.channel.close()

    def say(self, kind: str, **fields: Any) -> None:
        self.channel.send(kind, **fields)

    def prepare(self, document: bytes, generation: int) -> None:
        fd = documents.seal(document)
        self.channel.send("prepare", [fd], generation=generation)
        os.close(fd)

    async def hear(self) -> Message:
        while not self._messages:
            await self._readable.wait()
            self._readable.clear()
            self._messages = self.channel.receive()
        return self._messages.pop(0)

    async def committed(self, document: bytes, generation: int) -> None:
        self.prepare(document, generation)
        assert await self.hear() == Message("ready", {"generation": generation})
        self.say("commit", generation=generation)
        assert await self.hear() == Message("committed", {"generation": generation})


Tale = Callable[[Supervisor], Awaitable[None]]


def tell(tale: Tale) -> list[Any]:
    """Run a worker while the supervisor tells its tale, and return what the gateway did."""

    async def run() -> list[Any]:
        ours, theirs = Channel.pair()
        gateway = ScriptedGateway()
        supervisor = Supervisor(ours, gateway)
        worker = Worker(asyncio.get_running_loop(), gateway, (), theirs)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
                tasks.create_task(worker.run())
                await tale(supervisor)
        finally:
            supervisor.leave()
            theirs.close()
            gc.unfreeze()  # what the worker froze is not its alone here
        return gateway.done

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(run())


async def end(supervisor: Supervisor) -> None:
    supervisor.say("drain", seconds=0)
    assert await supervisor.hear() == Message("drained", {})


def test_it_begins_to_accept_with_the_first_commit_and_only_then() -> None:
    async def tale(supervisor: Supervisor) -> None:
        await supervisor.committed(b"one", 1)
        await supervisor.committed(b"two", 2)
        await end(supervisor)

    assert tell(tale) == [
        *(("prepare", 1), ("commit", b"one"), "start"),
        *(("prepare", 2), ("commit", b"two")),
        ("drain", 0),
    ]


def test_what_is_built_is_never_visited_by_the_collector() -> None:
    collections: list[str] = []

    def note(phase: str, _: dict[str, int]) -> None:
        collections.append(phase)

    async def tale(supervisor: Supervisor) -> None:
        gc.callbacks.append(note)
        await supervisor.committed(b"one", 1)
        gc.callbacks.remove(note)
        assert supervisor.gateway.collected == [False]
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
        await end(supervisor)

    tell(tale)

    assert collections == []


@pytest.mark.parametrize("document", [b"bad", b"broken"])
def test_the_collector_works_again_after_a_refusal(document: bytes) -> None:
    async def tale(supervisor: Supervisor) -> None:
        supervisor.prepare(document, 1)
        await supervisor.hear()
        assert gc.isenabled()
        await end(supervisor)

    tell(tale)


def test_a_document_that_it_has_no_descriptor_for_is_refused() -> None:
    """With the spare one there is room for one document, not for two at once."""

    async def tale(supervisor: Supervisor) -> None:
        for generation in (1, 2):
            supervisor.prepare(b"one", generation)
        with few_descriptors(0):
            answer = await supervisor.hear()
        assert answer == Message(
            "failed", {"generation": 2, "reasons": ["too many open files to take the config over"]}
        )
        await end(supervisor)

    tell(tale)


def test_reasons_come_line_by_line() -> None:
    async def tale(supervisor: Supervisor) -> None:
        supervisor.prepare(b"bad", 1)
        assert await supervisor.hear() == Message("failed", {"generation": 1, "reasons": ["line one", "line two"]})
        await end(supervisor)

    assert tell(tale) == [("drain", 0)]


def test_a_mistake_in_the_gateway_is_a_reason_too(caplog: pytest.LogCaptureFixture) -> None:
    async def tale(supervisor: Supervisor) -> None:
        supervisor.prepare(b"broken", 1)
        answer = await supervisor.hear()
        assert answer.fields["reasons"] == ["ZeroDivisionError: a mistake in the gateway"]
        await end(supervisor)

    tell(tale)
    assert "cannot prepare generation 1" in caplog.text


def test_what_is_aborted_is_not_built_to_its_end() -> None:
    async def tale(supervisor: Supervisor) -> None:
        supervisor.prepare(b"slow", 1)
        supervisor.say("abort", generation=1)
        supervisor.prepare(b"two", 2)
        assert await supervisor.hear() == Message("ready", {"generation": 2})
        supervisor.gateway.may_go_on.set()
        await end(supervisor)

    assert tell(tale) == [("prepare", 2), ("drain", 0)]


def test_a_newer_document_takes_the_place_of_one_that_is_being_prepared() -> None:
    async def tale(supervisor: Supervisor) -> None:
        supervisor.prepare(b"slow", 1)
        await supervisor.committed(b"two", 2)
        supervisor.gateway.may_go_on.set()
        await end(supervisor)

    assert tell(tale) == [("prepare", 2), ("commit", b"two"), "start", ("drain", 0)]


@pytest.mark.parametrize("document", [b"uncommittable", None], ids=["a failure", "nothing prepared"])
def test_a_commit_that_fails_ends_the_process(document: bytes | None) -> None:
    async def tale(supervisor: Supervisor) -> None:
        if document is not None:
            supervisor.prepare(document, 1)
            await supervisor.hear()
        supervisor.say("commit", generation=1)
        await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as raised:
        tell(tale)

    assert raised.group_contains((ZeroDivisionError, ValueError))


def test_it_goes_on_serving_while_it_is_not_ready() -> None:
    async def tale(supervisor: Supervisor) -> None:
        await supervisor.committed(b"one", 1)
        supervisor.say("unready")
        supervisor.say("reopen_logs")
        await end(supervisor)

    assert tell(tale)[-3:] == ["unready", "reopen_logs", ("drain", 0)]


def test_who_becomes_unready_before_it_has_begun_stays_so() -> None:
    async def tale(supervisor: Supervisor) -> None:
        supervisor.say("unready")
        await supervisor.committed(b"one", 1)
        await end(supervisor)

    assert tell(tale) == ["unready", ("prepare", 1), ("commit", b"one"), "start", "unready", ("drain", 0)]


def test_a_second_drain_takes_the_place_of_the_first() -> None:
    async def tale(supervisor: Supervisor) -> None:
        supervisor.say("drain", seconds=25)
        await supervisor.gateway.drains.wait()
        await end(supervisor)

    assert tell(tale) == [("drain", 25), ("drain", 0)]


def test_without_a_supervisor_it_drains_and_ends() -> None:
    async def tale(supervisor: Supervisor) -> None:
        await supervisor.committed(b"one", 1)
        supervisor.leave()
        supervisor.gateway.may_go_on.set()

    assert tell(tale)[-1] == ("drain", DRAIN_SECONDS)


def test_an_order_that_it_does_not_know_ends_the_process() -> None:
    async def tale(supervisor: Supervisor) -> None:
        supervisor.say("dance")
        await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as raised:
        tell(tale)

    assert raised.group_contains(ValueError, match="dance")
