"""Signals: what was caught can be waited for, and afterwards everything is as it was."""

import os
import select
import signal
from collections.abc import Iterator

import pytest

from kairos.workers.signals import HANDLED, SignalQueue, leave_to_the_supervisor


@pytest.fixture
def queue() -> Iterator[SignalQueue]:
    queue = SignalQueue()
    yield queue
    queue.close()


def test_signals_wait_in_the_queue_in_their_order(queue: SignalQueue) -> None:
    assert queue.take() == []
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGTERM)

    assert select.select([queue], [], [], 0)[0] == [queue]
    assert queue.take() == [signal.SIGHUP, signal.SIGTERM]
    assert queue.take() == []


def test_closing_puts_everything_back() -> None:
    before = [signal.getsignal(number) for number in HANDLED]

    SignalQueue().close()

    assert [signal.getsignal(number) for number in HANDLED] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_child_takes_no_signal_for_its_parent(queue: SignalQueue) -> None:
    pid = os.fork()
    if pid == 0:
        leave_to_the_supervisor()
        for number in HANDLED:
            os.kill(os.getpid(), number)
        os._exit(7)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert set(queue.take()) <= {signal.SIGCHLD}
