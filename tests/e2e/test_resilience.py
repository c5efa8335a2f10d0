"""Backends die, hang and come back; clients do not notice."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL, SIGTERM, SIGUSR1, SIGUSR2

from tests.e2e.configs import config, route
from tests.e2e.gateway import HOST, Gateway
from tests.e2e.load import Load, Posts
from tests.e2e.log import PATIENCE_SECONDS
from tests.e2e.mortal import Mortal, mortals
from tests.e2e.origin import Origin

STREAMS = 1000
RETRY = {"max_retries": 10, "initial_backoff_ms": 5, "max_backoff_ms": 100, "budget_percent": 100}
BREAKER = {"timeout_ms": 200, "success_threshold": 1}


def status_and_reason(gateway: Gateway) -> tuple[int, str]:
    answer = gateway.request("GET", "/a")
    return answer.status, answer.json()["reason"] if answer.status >= 400 else ""


def test_a_dead_backend_is_refused_at_once_after_five_failures_whichever_worker_is_asked(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    with mortals(1, tmp_path / "ledger") as (backend,):
        gateway = start_gateway(config(route("/a", circuit_breaker={"timeout_ms": 1000}, **hosts(backend))), workers=2)
        assert status_and_reason(gateway) == (200, "")
        backend.end(SIGKILL)

        seen = [status_and_reason(gateway) for _ in range(8)]
        backend.start()

    assert seen == [(502, seen[0][1])] + [(502, "connect_refused")] * 4 + [(503, "circuit_open")] * 3


def test_ten_backends_are_rolled_killed_and_made_slow_under_load(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    chance = random.Random(4)
    ledger = tmp_path / "ledger"
    with mortals(10, ledger) as backends:
        routes = config(
            route("/get", retry=RETRY, circuit_breaker=BREAKER, **hosts(*backends)),
            route("/post", retry=RETRY, circuit_breaker=BREAKER, **hosts(*backends)),
        )
        gateway = start_gateway(routes, workers=2)
        with (
            Load(gateway.port, "/get", clients=6) as gets,
            Posts(gateway.port, "/post", expected=(200, 502)) as posts,
        ):
            for backend in backends:
                slow = chance.choice(backends)
                slow.process.send_signal(SIGUSR1)
                fall_and_rise(backend, SIGTERM, gets)
                fall_and_rise(chance.choice(backends), SIGKILL, gets)
                if slow.process.poll() is None:
                    slow.process.send_signal(SIGUSR2)
            posts.wait_for(10)
        executed = Counter(ledger.read_text().split())

    assert gets.failures == []
    assert posts.failures == []
    assert [number for number, times in executed.items() if times > 1] == []
    assert len(executed) >= posts.answered * 0.9


def fall_and_rise(backend: Mortal, number: int, load: Load) -> None:
    """End a backend, let the load notice, and start it again."""
    backend.end(number)
    load.wait_for(30)
    backend.start()
    load.wait_for(10)


def hosts(*backends: Mortal) -> dict[str, object]:
    return {"backends": [one.backend for one in backends]}


class Streams(Origin):
    """A backend that begins every answer with one chunk, and ends it when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = 0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        self.begun += 1
        await self._may_answer.wait()
        writer.write(b"4\r\nlast\r\n0\r\n\r\n")
        await writer.drain()
        assert head


def test_a_drain_loses_nothing_of_a_thousand_streams(start_gateway: Callable[..., Gateway]) -> None:
    async def stream(port: int, begun: asyncio.Semaphore) -> bytes:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        received = await reader.readexactly(len(b"5\r\nfirst\r\n"))
        begun.release()
        received += await reader.read()
        writer.close()
        return received

    async def all_streams(gateway: Gateway, origin: Streams) -> list[bytes]:
        begun = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(stream(gateway.port, begun)) for _ in range(STREAMS)]
        for _ in tasks:
            await begun.acquire()
        gateway.send(SIGTERM)
        while not await asyncio.to_thread(gateway.is_refused):
            pass
        origin.release()
        return await asyncio.gather(*tasks)

    with Streams() as origin:
        origin.hold()
        gateway = start_gateway(config(route("/a", origin)), workers=2)
        received = asyncio.run(all_streams(gateway, origin))

        assert set(received) == {b"5\r\nfirst\r\n4\r\nlast\r\n0\r\n\r\n"}
        assert gateway.process.wait(PATIENCE_SECONDS) == 0
