"""Accept and send: the twin of `sockets.pyx`."""

import os
from typing import Any, Protocol


class Listening(Protocol):
    """A non-blocking socket that listens."""

    def accept(self) -> tuple[Any, object]:
        """Return the next client, or raise OSError."""


def accept_one(listening: Listening) -> int:
    """Accept from a non-blocking socket. Return the descriptor, or -1 if nobody waits.

    Raises OSError.
    """
    try:
        accepted, _ = listening.accept()
    except (BlockingIOError, InterruptedError):
        return -1
    return int(accepted.detach())


def send_now(fd: int, data: bytes) -> int:
    """Send as much as a socket takes without waiting; return how much that was, 0 also if there is an error."""
    try:
        return os.write(fd, data)
    except OSError:
        return 0
