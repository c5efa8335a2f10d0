"""Children: forked with what is theirs, heard to the last word, and reaped."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kairos.workers.channel import MAX_MESSAGE_BYTES, Channel, Message
from kairos.workers.children import Child, Children, how_it_ended

PATIENCE_SECONDS = 30


class Family:
    """The children of one parent, and what is known of them."""

    def __init__(self) -> None:
        self.children = Children()
        self.children.on_signal = lambda number: self.signals.append(number)
        self.signals: list[int] = []
        self.heard: list[Message] = []
        self.ends: list[str] = []

    def fork(self, main: Callable[[Channel], None], keep: list[socket.socket] | None = None) -> Child:
        return self.children.fork("child", main, said=self.heard.append, ended=self.ends.append, keep=keep or [])

    def turn_until(self, is_done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_done():
            assert time.monotonic() < deadline, f"heard {self.heard}, ends {self.ends}"
            self.children.turn(deadline)


@pytest.fixture
def family() -> Iterator[Family]:
    family = Family()
    yield family
    family.children.kill_all()


def listen(channel: Channel) -> list[Message]:
    """Wait for messages, in the child."""
    os.set_blocking(channel.fileno(), True)
    data = socket.socket(fileno=os.dup(channel.fileno())).recv(1, socket.MSG_PEEK)
    os.set_blocking(channel.fileno(), False)
    return channel.receive() if data else []


def is_open(fd: int) -> bool:
    return Path(f"/proc/self/fd/{fd}").is_symlink()


def file_behind(fd: int) -> str:
    """Return what tells an open file from others, in any process."""
    return str(Path(f"/proc/self/fd/{fd}").readlink())


def test_the_last_words_are_heard_before_the_end(family: Family) -> None:
    family.fork(lambda channel: channel.send("hello", n=1))

    family.turn_until(lambda: bool(family.ends))

    assert family.heard == [Message("hello", {"n": 1})]
    assert family.ends == ["exit code 0"]


def test_a_child_hears_what_it_is_told(family: Family) -> None:
    def repeat(channel: Channel) -> None:
        for message in listen(channel):
            channel.send(message.type, **message.fields)

    child = family.fork(repeat)
    family.children.send(child, "say", word="ß")

    family.turn_until(lambda: bool(family.ends))

    assert family.heard == [Message("say", {"word": "ß"})]


def test_what_does_not_fit_at_once_is_told_while_the_child_reads(family: Family) -> None:
    text = "x" * (MAX_MESSAGE_BYTES - 100)

    def measure(channel: Channel) -> None:
        messages: list[Message] = []
        while len(messages) < 3:
            messages += listen(channel)
        channel.send("lengths", lengths=[len(message.fields["text"]) for message in messages])

    child = family.fork(measure)
    for _ in range(3):
        family.children.send(child, "big", text=text)

    family.turn_until(lambda: bool(family.ends))

    assert family.heard[0].fields["lengths"] == [len(text)] * 3


def test_long_last_words_are_heard_to_their_end(family: Family) -> None:
    def farewell(channel: Channel) -> None:
        for _ in range(3):
            channel.send("farewell", text="x" * (MAX_MESSAGE_BYTES - 100))

    family.fork(farewell)

    family.turn_until(lambda: bool(family.ends))

    assert len(family.heard) == 3


@pytest.mark.parametrize(
    ("main", "how"),
    [
        (lambda _: os._exit(7), "exit code 7"),
        (lambda _: (_ for _ in ()).throw(SystemExit(3)), "exit code 3"),
        (lambda _: 1 / 0, "exit code 1"),
        (lambda _: os.kill(os.getpid(), signal.SIGKILL), "killed by SIGKILL"),
    ],
)
def test_it_is_known_how_a_child_ended(family: Family, main: Callable[[Channel], None], how: str) -> None:
    family.fork(main)

    family.turn_until(lambda: bool(family.ends))

    assert family.ends == [how]


def test_a_status_is_said_in_words() -> None:
    assert how_it_ended(0) == "exit code 0"
    assert how_it_ended(3 << 8) == "exit code 3"
    assert how_it_ended(signal.SIGSEGV) == "killed by SIGSEGV"


def test_a_child_holds_nothing_that_is_not_for_it(family: Family) -> None:
    """Or the end of the supervisor would not be seen, and listeners would live on in processes that do not accept."""
    kept, private = socket.socket(), socket.socket()
    closed: list[list[socket.socket]] = []
    sibling = family.fork(lambda _: signal.pause())

    def close(keep: object) -> None:
        closed.append([sock for sock in (kept, private) if sock not in keep])  # type: ignore[operator]
        for sock in closed[0]:
            sock.close()

    def tell(channel: Channel) -> None:
        channel.send("open", files=[file_behind(fd) for fd in range(1024) if is_open(fd)])

    family.children.private.append(close)
    family.fork(tell, [kept])
    family.turn_until(lambda: bool(family.heard))

    open_in_child = family.heard[0].fields["files"]
    assert file_behind(kept.fileno()) in open_in_child
    assert file_behind(private.fileno()) not in open_in_child
    assert file_behind(sibling.channel.fileno()) not in open_in_child
    assert "anon_inode:[eventpoll]" not in open_in_child
    kept.close()
    private.close()


def test_a_child_that_sends_nonsense_is_killed(family: Family) -> None:
    def babble(channel: Channel) -> None:
        os.write(channel.fileno(), b"\xff" * 100)
        signal.pause()

    family.fork(babble)

    family.turn_until(lambda: bool(family.ends))

    assert family.ends == ["killed by SIGKILL"]
    assert family.heard == []


def test_last_words_may_be_answered_with_a_kill(family: Family) -> None:
    """Who hears them cannot know that the child has already gone."""
    ends: list[str] = []
    child = family.children.fork(
        "child", lambda channel: channel.send("farewell"), said=lambda _: child.kill(), ended=ends.append
    )
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    os.kill(os.getpid(), signal.SIGCHLD)

    family.turn_until(lambda: bool(ends))

    assert ends == ["exit code 0"]


def test_a_child_that_stops_listening_is_not_waited_for_in_vain(family: Family) -> None:
    """The end of a channel is readable for ever: it must not keep the supervisor busy."""

    def leave_the_channel(channel: Channel) -> None:
        channel.close()
        signal.pause()

    child = family.fork(leave_the_channel)
    family.turn_until(lambda: child.channel.at_eof)
    started = time.monotonic()

    family.children.turn(started + 0.05)

    assert time.monotonic() - started >= 0.05
    child.kill()
    family.turn_until(lambda: bool(family.ends))


def test_signals_come_between_the_children(family: Family) -> None:
    os.kill(os.getpid(), signal.SIGHUP)

    family.turn_until(lambda: bool(family.signals))

    assert family.signals == [signal.SIGHUP]


def test_killing_all_leaves_nobody(family: Family) -> None:
    children = [family.fork(lambda _: signal.pause()) for _ in range(3)]

    family.children.kill_all()

    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child.pid, 0)
    assert family.ends == []
    family.children = Children()  # for the fixture to close


def test_streams_that_are_closed_are_replaced_before_anything_takes_their_place() -> None:
    script = """
import os, sys
from kairos.workers.children import Children, flush_streams, open_missing_streams
open_missing_streams()
ends = []
children = Children()
children.fork("child", lambda channel: None, said=print, ended=ends.append)
while not ends:
    children.turn(float("inf"))
flush_streams()
print(ends, os.readlink("/proc/self/fd/1"), file=sys.stderr)
"""
    closed = ["sh", "-c", 'exec "$0" -c "$1" <&- >&-', sys.executable, script]

    done = subprocess.run(closed, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_SECONDS)

    assert (done.returncode, done.stderr) == (0, "['exit code 0'] /dev/null\n")
