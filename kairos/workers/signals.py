"""Signals as something that a selector can wait for."""

import signal
import socket
from types import FrameType

TERMINATION = (signal.SIGTERM, signal.SIGINT)
HANDLED = (*TERMINATION, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD)


def _leave_to_the_queue(number: int, frame: FrameType | None) -> None:
    """Do nothing: a signal that has no Python function would not be written to the wakeup descriptor."""


class SignalQueue:
    """Catch the signals that the supervisor acts on, from now until `close`."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._before = {number: signal.signal(number, _leave_to_the_queue) for number in HANDLED}
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def fileno(self) -> int:
        """Return the descriptor that is readable when a signal has come."""
        return self._reader.fileno()

    def take(self) -> list[int]:
        """Return the numbers of the signals that came, oldest first."""
        try:
            return list(self._reader.recv(4096))
        except BlockingIOError:
            return []

    def close(self) -> None:
        """Put everything back as it was."""
        signal.set_wakeup_fd(-1)
        for number, action in self._before.items():
            signal.signal(number, action)
        self.forget()

    def forget(self) -> None:
        """Close this process's copy."""
        self._reader.close()
        self._writer.close()


def leave_to_the_supervisor() -> None:
    """Let a child ignore what only the supervisor acts on; for use right after the fork, with these signals blocked."""
    signal.set_wakeup_fd(-1)
    for number in HANDLED:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
