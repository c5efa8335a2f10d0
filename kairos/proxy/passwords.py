"""Where passwords are checked: a few threads beside the loop, and a short queue before them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from kairos.errors import Overloaded

MAX_THREADS = 2  # each needs the memory of a hash, and a core
MAX_WAITING = 64


class PasswordPool:
    """Checks passwords for one worker. The threads are started with the first."""

    __slots__ = ("_loop", "_pool", "_running")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pool: ThreadPoolExecutor | None = None
        self._running: dict[bytes, asyncio.Future[bool]] = {}

    async def run(self, key: bytes, check: Callable[[], bool]) -> bool:
        """Return what `check` says; two with the same key are one. Raises Overloaded if too many wait."""
        running = self._running.get(key)
        if running is None:
            if len(self._running) >= MAX_WAITING:
                raise Overloaded(MAX_WAITING, setting="waiting passwords", reason="too_many_passwords")
            if self._pool is None:
                self._pool = ThreadPoolExecutor(MAX_THREADS, "passwords")
            running = self._running[key] = self._loop.run_in_executor(self._pool, check)
            running.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(running)  # who leaves does not take the others' answer away
