"""The channel: messages arrive whole, in order and with their descriptors, however the bytes are cut."""

import array
import asyncio
import gc
import os
import resource
import selectors
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import pack

import pytest

from kairos.workers.channel import MAX_FDS, MAX_MESSAGE_BYTES, Channel, ChannelError, Message

Pair = tuple[Channel, Channel]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = Channel.pair()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def raw() -> Iterator[tuple[socket.socket, Channel]]:
    """A channel whose other side sends what it likes."""
    ours, theirs = socket.socketpair()
    channel = Channel(theirs)
    with ours:
        yield ours, channel
    channel.close()


def file_with(content: bytes) -> int:
    fd = os.memfd_create("content")
    os.write(fd, content)
    return fd


def open_fds() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


@contextmanager
def few_descriptors(free: int) -> Iterator[None]:
    """Leave this process so many descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    fillers = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, open_fds())) + 10, hard))
    try:
        while True:
            fillers.append(os.dup(0))
    except OSError:
        for fd in fillers[:free]:
            os.close(fd)
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in fillers[free:]:
            os.close(fd)


def frame(body: bytes, fds: int = 0) -> bytes:
    return pack("=IH", len(body), fds) + body


def exchange(sender: Channel, receiver: Channel) -> list[Message]:
    """Take turns until everything that was sent has arrived."""
    messages = receiver.receive()
    while sender.has_backlog:
        sender.flush()
        messages += receiver.receive()
    return messages


def test_messages_arrive_in_order_with_their_fields(pair: Pair) -> None:
    ours, theirs = pair
    ours.send("prepare", generation=3)
    ours.send("failed", reasons=["größer", "kleiner"])

    assert theirs.receive() == [
        Message("prepare", {"generation": 3}),
        Message("failed", {"reasons": ["größer", "kleiner"]}),
    ]
    assert theirs.receive() == []


def test_both_sides_may_speak(pair: Pair) -> None:
    ours, theirs = pair
    ours.send("a")
    theirs.send("b")

    assert [message.type for message in ours.receive() + theirs.receive()] == ["b", "a"]


def test_descriptors_come_with_their_message(pair: Pair) -> None:
    ours, theirs = pair
    files = [file_with(b"%d" % number) for number in range(3)]
    ours.send("none")
    ours.send("one", files[:1])
    ours.send("two", files[1:])
    for fd in files:
        os.close(fd)  # the channel has its own

    messages = theirs.receive()

    contents = [[os.pread(fd, 10, 0) for fd in message.fds] for message in messages]
    assert contents == [[], [b"0"], [b"1", b"2"]]
    assert not any(os.get_inheritable(fd) for message in messages for fd in message.fds)
    for message in messages:
        for fd in message.fds:
            os.close(fd)


def test_what_the_socket_does_not_take_at_once_is_sent_later(pair: Pair) -> None:
    ours, theirs = pair
    text = "x" * (MAX_MESSAGE_BYTES - 100)
    fd = file_with(b"late")
    ours.send("big", text=text)
    ours.send("small", [fd])
    os.close(fd)
    assert ours.has_backlog

    big, small = exchange(ours, theirs)

    assert big.fields["text"] == text
    assert os.pread(small.fds[0], 10, 0) == b"late"
    os.close(small.fds[0])


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_message_may_arrive_in_pieces(raw: tuple[socket.socket, Channel], cut: int) -> None:
    peer, channel = raw
    data = frame(b'{"type":"a","n":1}')
    peer.send(data[:cut])
    assert channel.receive() == []

    peer.send(data[cut:] + data)

    assert channel.receive() == [Message("a", {"n": 1})] * 2


def test_the_end_comes_after_the_last_words(pair: Pair) -> None:
    ours, theirs = pair
    ours.send("last")
    ours.close()

    assert [message.type for message in theirs.receive()] == ["last"]
    assert theirs.at_eof


def test_speaking_to_someone_who_is_gone_does_nothing(pair: Pair) -> None:
    ours, theirs = pair
    fd = file_with(b"")
    theirs.close()
    before = open_fds()

    ours.send("hello", [fd])
    assert ours.receive() == []
    ours.send("hello", [fd])

    assert ours.at_eof
    assert not ours.has_backlog
    assert open_fds() == before
    os.close(fd)


def test_a_message_has_a_largest_size(pair: Pair) -> None:
    ours, _ = pair
    with pytest.raises(ChannelError, match="too large"):
        ours.send("big", text="x" * MAX_MESSAGE_BYTES)
    with pytest.raises(ChannelError, match="too large"):
        ours.send("many", [0] * (MAX_FDS + 1))

    assert not ours.has_backlog


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (pack("=IH", MAX_MESSAGE_BYTES + 1, 0), "is no message"),
        (pack("=IH", 2, MAX_FDS + 1), "is no message"),
        (frame(b'{"type":"a"}', fds=1), "without its descriptors"),
        (frame(b"{"), "not JSON"),
        (frame(b"[]"), "no type"),
        (frame(b'{"type":1}'), "no type"),
    ],
)
def test_nonsense_is_refused(raw: tuple[socket.socket, Channel], data: bytes, complaint: str) -> None:
    peer, channel = raw
    peer.send(data)

    with pytest.raises(ChannelError, match=complaint):
        channel.receive()


def test_a_message_with_more_descriptors_than_it_says_is_refused(raw: tuple[socket.socket, Channel]) -> None:
    peer, channel = raw
    before = open_fds()
    fds = array.array("i", [peer.fileno()] * 2)
    peer.sendmsg([frame(b'{"type":"a"}', fds=1)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])

    with pytest.raises(ChannelError, match="not its own"):
        channel.receive()
    assert open_fds() == before


@pytest.mark.parametrize("free", [0, 1])
def test_who_has_too_many_open_files_gets_the_message_alone(pair: Pair, free: int) -> None:
    ours, theirs = pair
    fd = file_with(b"")
    ours.send("none")
    ours.send("two", [fd, fd])
    ours.send("one", [fd])
    os.close(fd)
    before = open_fds()

    with few_descriptors(free):
        first, *others = theirs.receive()
        for message in others:
            for received in message.fds:
                os.close(received)

    assert first == Message("none", {})
    assert [(message.type, message.lost_fds) for message in others] == [("two", True), ("one", free < 1)]
    assert open_fds() == before


def test_closing_closes_what_nobody_took() -> None:
    gc.collect()
    before = open_fds()
    ours, theirs = Channel.pair()
    fd = file_with(b"")
    ours.send("x" * (MAX_MESSAGE_BYTES // 2))
    ours.send("x", [fd])  # stays in the backlog
    os.close(fd)
    peer, half = socket.socketpair()
    channel = Channel(half)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [peer.fileno()]))]
    peer.sendmsg([frame(b'{"type":"a"}', fds=1)[:5]], rights)  # a descriptor whose message never comes
    peer.close()
    assert channel.receive() == []

    ours.close()
    theirs.close()
    channel.close()

    assert open_fds() == before


def test_a_selector_can_wait_for_it(pair: Pair) -> None:
    ours, theirs = pair
    with selectors.DefaultSelector() as selector:
        selector.register(theirs, selectors.EVENT_READ)
        assert selector.select(0) == []
        ours.send("hello")
        assert len(selector.select(0)) == 1


def test_an_event_loop_can_wait_for_it(pair: Pair) -> None:
    ours, theirs = pair
    text = "x" * (MAX_MESSAGE_BYTES // 2)

    async def conversation() -> list[Message]:
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[list[Message]] = loop.create_future()
        messages: list[Message] = []

        def read() -> None:
            messages.extend(theirs.receive())
            if len(messages) == 3:
                arrived.set_result(messages)

        def write() -> None:
            ours.flush()
            if not ours.has_backlog:
                loop.remove_writer(ours.fileno())

        loop.add_reader(theirs.fileno(), read)
        for _ in range(3):
            ours.send("big", text=text)
        loop.add_writer(ours.fileno(), write)
        return await asyncio.wait_for(arrived, 30)

    assert [message.fields["text"] for message in asyncio.run(conversation())] == [text] * 3
