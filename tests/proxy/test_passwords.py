"""Passwords are checked beside the loop, by few threads, and the same one only once at a time."""

import asyncio
import threading

import pytest

from kairos.errors import Overloaded
from kairos.proxy.passwords import MAX_THREADS, MAX_WAITING, PasswordPool


def test_equal_checks_are_one_and_run_in_another_thread() -> None:
    threads: list[int] = []
    gate = threading.Event()

    def check() -> bool:
        gate.wait()
        threads.append(threading.get_ident())
        return True

    async def story() -> None:
        pool = PasswordPool(asyncio.get_running_loop())
        waiting = [asyncio.create_task(pool.run(b"same", check)) for _ in range(5)]
        await asyncio.sleep(0)
        waiting[0].cancel()  # who leaves does not take the answer of the others away
        gate.set()
        assert await asyncio.gather(*waiting[1:]) == [True] * 4

    asyncio.run(story())
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


def test_not_more_than_so_many_wait() -> None:
    gate = threading.Event()
    names: set[str] = set()

    def check() -> bool:
        names.add(threading.current_thread().name)
        gate.wait()
        return False

    async def story() -> None:
        pool = PasswordPool(asyncio.get_running_loop())
        waiting = [asyncio.create_task(pool.run(b"%d" % number, check)) for number in range(MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await pool.run(b"one more", check)
        gate.set()
        assert not any(await asyncio.gather(*waiting))
        assert not await pool.run(b"one more", check)

    asyncio.run(story())
    assert len(names) <= MAX_THREADS
