"""Bodies that are larger than memory should be, and clients that leave in the middle."""

import json
import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGCONT

import pytest

from tests.e2e.configs import config, route
from tests.e2e.gateway import Gateway
from tests.e2e.log import PATIENCE_SECONDS
from tests.e2e.origin import Origin
from tests.e2e.peers import (
    PIECE,
    Backend,
    Peer,
    client_of,
    forget_peak,
    is_connecting_to,
    resident,
    stop,
    wait_until,
    workers_of,
)

GIB = 2**30
MIB = 2**20
PAUSE_EVERY = 256 * MIB  # much more than all buffers on the way can hold
MAX_GROWTH = 32 * MIB
ENDLESS = {"connect_seconds": 0, "body_stall_seconds": 0, "response_head_seconds": 0, "response_stall_seconds": 0}


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend() as listening:
        yield listening


@pytest.fixture
def start(start_gateway: Callable[..., Gateway], tmp_path: Path) -> Callable[[Backend], Gateway]:
    """Start two workers that wait without end and let everything through; the access log is `access.log`."""

    def start_in_front_of(backend: Backend) -> Gateway:
        settings = {
            "limits": {"max_request_body_bytes": 2 * GIB},
            "timeouts": ENDLESS,
            "logging": {"access_log": str(tmp_path / "access.log")},
        }
        return start_gateway(config(route("/a", backends=[backend.entry]), **settings), workers=2)

    return start_in_front_of


class TestMemory:
    """However slow the reader is, what is on its way does not pile up in the gateway."""

    def test_a_gibibyte_up(self, start: Callable[[Backend], Gateway], backend: Backend) -> None:
        gateway = start(backend)
        with client_of(gateway) as client, constant_memory(gateway):
            client.send(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % GIB)
            with backend.accept() as served:
                served.receive_head()

                pass_slowly(client, served)

                served.answer()
                assert client.receive_head().startswith(b"HTTP/1.1 200 ")

    def test_a_gibibyte_down(self, start: Callable[[Backend], Gateway], backend: Backend) -> None:
        gateway = start(backend)
        with client_of(gateway) as client, constant_memory(gateway):
            client.send(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            with backend.accept() as served:
                served.receive_head()
                served.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIB)
                assert client.receive_head().startswith(b"HTTP/1.1 200 ")

                pass_slowly(served, client)


class TestClientLeaves:
    """The backend is not left working for nobody. Nothing here ends by a timeout."""

    def test_while_the_backend_does_not_accept(self, start: Callable[[Backend], Gateway]) -> None:
        with Backend(backlog=0) as full:
            gateway = start(full)
            with client_of(gateway) as first, client_of(gateway) as second:
                first.send(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")  # takes the only place in the queue
                second.send(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
                wait_until(lambda: is_connecting_to(full.port), gateway)

                first.close()
                second.close()

                wait_until(lambda: not is_connecting_to(full.port), gateway)
            with full.accept() as served:
                served.receive_to_the_end()

    @pytest.mark.parametrize("way", ["end", "reset"])
    def test_while_the_backend_does_not_read(
        self, start: Callable[[Backend], Gateway], backend: Backend, tmp_path: Path, way: str
    ) -> None:
        gateway = start(backend)
        with client_of(gateway) as client:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
            client.send(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % GIB)
            with backend.accept() as served:
                client.send_until_nobody_reads()

                if way == "reset":
                    client.reset()
                else:  # it is seen if it is not queued behind data that finds no room
                    wait_until(lambda: not client.has_unsent() or not served.sock.recv(64 * 1024), gateway)
                    client.close()

                wait_until(lambda: "client_left" in reasons(tmp_path), gateway)
                assert served.receive_to_the_end() < GIB

    def test_while_the_backend_reads_late(self, start: Callable[[Backend], Gateway], backend: Backend) -> None:
        """The end of the connection comes behind all that was sent, which is why the gateway cannot see it earlier."""
        gateway = start(backend)
        with client_of(gateway) as client:
            client.send(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % GIB)
            with backend.accept() as served:
                client.send_until_nobody_reads()

                client.close()

                assert served.receive_to_the_end() < GIB

    def test_before_its_body_is_complete(self, start: Callable[[Backend], Gateway], backend: Backend) -> None:
        gateway = start(backend)
        with client_of(gateway) as client:
            client.send(b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            with backend.accept() as served:
                served.receive_head()

                client.close()

                received = bytearray(100)
                count = read_all(served, received)
                assert b"hello" in received[:count]
                assert not received[:count].endswith(b"0\r\n\r\n")  # or the body would look complete

    def test_while_it_waits_for_the_head(self, start: Callable[[Backend], Gateway], backend: Backend) -> None:
        gateway = start(backend)
        with client_of(gateway) as client:
            client.send(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            with backend.accept() as served:
                served.receive_head()

                client.close()

                assert served.receive_to_the_end() == 0

    @pytest.mark.parametrize("reads", [True, False], ids=["reading", "not reading"])
    def test_in_the_middle_of_an_answer(
        self, start: Callable[[Backend], Gateway], backend: Backend, reads: bool
    ) -> None:
        gateway = start(backend)
        with client_of(gateway) as client:
            client.send(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            with backend.accept() as served:
                served.receive_head()
                served.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIB)
                if reads:
                    served.send(PIECE)
                    client.receive_head()
                else:
                    assert served.send_until_nobody_reads() < GIB

                client.close()

                assert served.receive_to_the_end() == 0

    def test_and_others_are_served_on(self, start_gateway: Callable[..., Gateway], origin: Origin) -> None:
        gateway = start_gateway(config(route("/a", origin)), workers=2)
        origin.hold()
        clients = [client_of(gateway) for _ in range(50)]
        for client in clients:
            client.send(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        origin.wait_for(len(clients))

        for client in clients:
            client.close()
        origin.release()

        assert [gateway.request("GET", "/a").body for _ in range(10)] == [b"hello"] * 10


@contextmanager
def constant_memory(gateway: Gateway) -> Iterator[None]:
    """Demand that no worker grows much in a block, even for a moment."""
    before = {worker: resident(worker) for worker in workers_of(gateway)}
    for worker in before:
        forget_peak(worker)
    yield
    assert workers_of(gateway) == list(before)
    growth = [resident(worker, "VmHWM") - was for worker, was in before.items()]
    assert max(growth) < MAX_GROWTH, f"the workers grew by {growth} bytes"


def pass_slowly(sender: Peer, reader: Peer) -> None:
    """Pass a GiB from one end to the other. Now and then the reader waits until nothing moves any more."""
    stalled = threading.Event()
    thread = threading.Thread(target=sender.send_and_tell, args=(GIB, stalled), name="sender", daemon=True)
    thread.start()
    buffer, received = bytearray(len(PIECE)), 0
    for pause in range(PAUSE_EVERY, GIB + 1, PAUSE_EVERY):
        stalled.clear()
        assert stalled.wait(PATIENCE_SECONDS), "the sender is never held up"
        while received < pause:
            count = reader.sock.recv_into(buffer, min(len(buffer), pause - received))
            assert count, f"the connection ended after {received} bytes"
            received += count
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def read_all(peer: Peer, into: bytearray) -> int:
    """Read until the other side ends the connection; return how much that was."""
    count = 0
    try:
        while more := peer.sock.recv_into(memoryview(into)[count:]):
            count += more
    except ConnectionError:
        pass
    return count


def reasons(folder: Path) -> list[str]:
    """Return why requests failed, from the access log; of a line that is being written nothing."""
    lines = (folder / "access.log").read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line)["reason"] for line in lines]


def test_an_early_refusal_arrives_although_the_backend_takes_no_more(start_gateway: Callable[..., Gateway]) -> None:
    with Backend() as backend:
        gateway = start_gateway(config(route("/a", backends=[backend.entry])), workers=2)
        with client_of(gateway) as client:
            client.send(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 101000\r\n\r\n" + bytes(1000))
            served = backend.accept()
            served.receive_head()
            select.select([served.sock], [], [])  # the start of the body is here, and nobody reads it
            for worker in workers_of(gateway):
                stop(worker)
            client.send(bytes(100_000))
            served.send(b"HTTP/1.1 501 Unsupported\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
            served.close()
            for worker in workers_of(gateway):
                os.kill(worker, SIGCONT)

            assert client.receive_head().startswith(b"HTTP/1.1 501 ")
