"""The transport over TLS, between real sockets: what goes in comes out, and each end is seen as what it is."""

import asyncio
import ctypes
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from kairos._speedups import handle_of
from kairos.config.pairs import Pair
from kairos.proxy import openssl
from kairos.proxy.identities import Identities, TlsRules
from kairos.proxy.poller import IN, Poller
from kairos.proxy.tls_transport import RECORD_BYTES, TlsTransport
from tests import certificates

LARGE = bytes(range(256)) * (8 * RECORD_BYTES // 256) + b"the end"


class Recorder:
    """A protocol that keeps what it is told."""

    def __init__(self) -> None:
        self.transport: TlsTransport
        self.received = b""
        self.told: list[str] = []
        self.error: Exception | None = None
        self.keeps_open = False
        self.on_data: Callable[[], None] = lambda: None
        self.lost = asyncio.Event()

    def connection_made(self, transport: TlsTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.on_data()

    def eof_received(self) -> bool:
        self.told.append("end")
        return self.keeps_open

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, error: Exception | None) -> None:
        self.error = error
        self.told.append("lost")
        self.lost.set()


class Client:
    """The other end, which does one thing at a time in a thread."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock

    async def do(self, what: Callable[[], object]) -> object:
        return await asyncio.get_running_loop().run_in_executor(None, what)

    async def sends(self, data: bytes) -> None:
        await self.do(lambda: self.sock.sendall(data))

    async def receives(self, size: int = 0) -> bytes:
        """Return `size` bytes, or everything up to close_notify; raises ssl.SSLEOFError if the end has none."""

        def read() -> bytes:
            data = b""
            while not size or len(data) < size:
                piece = self.sock.recv(65536)
                if not piece:
                    break
                data += piece
            return data

        found = await self.do(read)
        assert isinstance(found, bytes)
        return found


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop = request.param()
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture(scope="module")
def identities() -> Identities:
    identities = Identities()
    identities.follow(TlsRules((Pair((), *certificates.pair()),)))
    return identities


class Shaking:
    """A handshake under way."""

    connection: Any = None
    server_name: str | None = None


@asynccontextmanager
async def connection(identities: Identities, small: bool = False) -> AsyncIterator[tuple[Recorder, Client]]:
    """Shake hands; `small` makes the buffers of the kernel so."""
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.settimeout(30)
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    ours.setblocking(False)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    shaking = Shaking()
    server, _ = identities.begin(ours, shaking)
    shaking.connection = server
    loop = asyncio.get_running_loop()
    waiting = loop.run_in_executor(None, lambda: trusting.wrap_socket(theirs, suppress_ragged_eofs=False))
    while True:
        try:
            server.do_handshake()
            break
        except ssl.SSLWantReadError:
            await asyncio.sleep(0.001)
    client, recorder = Client(await waiting), Recorder()
    poller = Poller(loop)
    transport = TlsTransport(loop, ours, server, ("192.0.2.1", 1), poller)
    poller.watch(ours.fileno(), transport, IN)
    transport.start(recorder)
    try:
        yield recorder, client
    finally:
        client.sock.close()
        recorder.transport.abort()
        await recorder.lost.wait()
        poller.close()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; the time limit of the test bounds it."""
    while not is_so():
        await asyncio.sleep(0.001)


def test_what_arrives_is_told_and_what_is_written_arrives(
    loop: asyncio.AbstractEventLoop, identities: Identities
) -> None:
    async def scenario() -> None:
        async with connection(identities) as (recorder, client):
            await client.sends(LARGE)
            await until(lambda: len(recorder.received) == len(LARGE))
            assert recorder.received == LARGE
            recorder.transport.write(b"")
            recorder.transport.write(b"hello")
            assert await client.receives(5) == b"hello"
            assert recorder.transport.get_extra_info("peername") == ("192.0.2.1", 1)
            assert recorder.transport.get_extra_info("socket").fileno() > 0
            assert recorder.transport.get_extra_info("color", "red") == "red"
            assert recorder.transport.get_protocol() is recorder
        assert recorder.told == ["end", "lost"] or recorder.told == ["lost"]

    loop.run_until_complete(scenario())


def test_who_reads_slowly_holds_the_protocol_back_and_misses_nothing(
    loop: asyncio.AbstractEventLoop, identities: Identities
) -> None:
    async def scenario() -> None:
        async with connection(identities, small=True) as (recorder, client):
            transport = recorder.transport
            transport.set_write_buffer_limits(65536, 16384)
            for start in range(0, len(LARGE), 10_000):
                transport.write(LARGE[start : start + 10_000])
            assert recorder.told == ["pause"]
            assert transport.get_write_buffer_size() > 65536
            assert await client.receives(len(LARGE)) == LARGE
            await until(lambda: transport.get_write_buffer_size() == 0)
            assert recorder.told == ["pause", "resume"]

    loop.run_until_complete(scenario())


def test_of_much_that_is_written_at_once_what_the_kernel_has_taken_is_known(
    loop: asyncio.AbstractEventLoop, identities: Identities
) -> None:
    async def scenario() -> None:
        async with connection(identities) as (recorder, client):
            data = 8 * LARGE
            recorder.transport.write(data)
            waiting = recorder.transport.get_write_buffer_size()
            assert 0 < waiting < len(data)
            first = await client.receives(2 * len(LARGE))
            await until(lambda: recorder.transport.get_write_buffer_size() < waiting)
            assert first + await client.receives(len(data) - len(first)) == data

    loop.run_until_complete(scenario())


def test_a_read_comes_back_after_each_message_without_data(
    loop: asyncio.AbstractEventLoop, identities: Identities
) -> None:
    """Else a client that changes its keys for ever would be all that the worker hears of."""
    pointer, number = ctypes.c_void_p, ctypes.c_int

    async def scenario() -> None:
        async with connection(identities) as (recorder, client):
            recorder.transport.pause_reading()
            found, handle = openssl.library(), handle_of(client.sock._sslobj, client.sock.context)  # type: ignore[attr-defined]
            assert found is not None
            for _ in range(3):
                assert found.SSL_key_update(pointer(handle), number(0)) == 1
                assert found.SSL_do_handshake(pointer(handle)) == 1
            await client.sends(b"at last")
            server = recorder.transport.get_extra_info("ssl_object")
            for _ in range(3):
                with pytest.raises(ssl.SSLWantReadError):
                    server.read(RECORD_BYTES)
            assert server.read(RECORD_BYTES) == b"at last"
            recorder.transport.resume_reading()
            await client.sends(b"as usual")
            await until(lambda: recorder.received == b"as usual")

    loop.run_until_complete(scenario())


def test_a_defect_of_the_protocol_ends_the_connection(loop: asyncio.AbstractEventLoop, identities: Identities) -> None:
    async def scenario() -> None:
        async with connection(identities) as (recorder, client):
            defect = RuntimeError("a defect")

            def fail() -> None:
                raise defect

            told: list[Any] = []
            asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
            recorder.on_data = fail
            await client.sends(b"hello")
            await recorder.lost.wait()
            assert recorder.error is defect
            assert told == [defect]

    loop.run_until_complete(scenario())


@pytest.mark.parametrize("size", [5, len(LARGE)])
def test_close_sends_everything_and_close_notify(
    loop: asyncio.AbstractEventLoop, identities: Identities, size: int
) -> None:
    async def scenario() -> None:
        async with connection(identities, small=True) as (recorder, client):
            recorder.transport.write(LARGE[:size])
            recorder.transport.close()
            recorder.transport.close()
            recorder.transport.write(b"too late")
            assert recorder.transport.is_closing()
            assert not recorder.transport.is_reading()
            assert await client.receives() == LARGE[:size]
            await recorder.lost.wait()
            assert recorder.error is None
        assert [word for word in recorder.told if word == "lost"] == ["lost"]

    loop.run_until_complete(scenario())


def test_abort_is_seen_as_an_end_that_is_none(loop: asyncio.AbstractEventLoop, identities: Identities) -> None:
    async def scenario() -> None:
        async with connection(identities) as (recorder, client):
            recorder.transport.write(b"half")
            recorder.transport.abort()
            assert "lost" not in recorder.told  # that comes a moment later
            with pytest.raises(ssl.SSLEOFError):
                await client.receives()

    loop.run_until_complete(scenario())


def test_after_our_end_the_peer_can_go_on(loop: asyncio.AbstractEventLoop, identities: Identities) -> None:
    async def scenario() -> None:
        async with connection(identities, small=True) as (recorder, client):
            transport = recorder.transport
            assert transport.can_write_eof()
            transport.write(LARGE)
            transport.write_eof()
            transport.write(b"too late")
            assert await client.receives() == LARGE
            await client.sends(LARGE)
            await until(lambda: len(recorder.received) == len(LARGE))
            assert recorder.received == LARGE
            assert recorder.told == ["pause", "resume"]
            client.sock.close()
            await recorder.lost.wait()
            assert recorder.told == ["pause", "resume", "end", "lost"]

    loop.run_until_complete(scenario())


def test_what_comes_in_the_moment_of_our_end_is_dropped_until_theirs(
    loop: asyncio.AbstractEventLoop, identities: Identities
) -> None:
    async def scenario() -> None:
        async with connection(identities) as (recorder, client):
            transport = recorder.transport
            transport.pause_reading()
            await client.sends(b"on its way")
            transport.resume_reading()
            transport.write(b"enough")
            transport.write_eof()
            assert await client.receives() == b"enough"
            await client.sends(LARGE)
            assert "lost" not in recorder.told
            client.sock.close()
            await recorder.lost.wait()
            assert recorder.received == b""
            assert recorder.told == ["end", "lost"]

    loop.run_until_complete(scenario())


@pytest.mark.parametrize("is_polite", [True, False])
@pytest.mark.parametrize("keeps_open", [True, False])
def test_the_end_of_the_other_side_is_told_once(
    loop: asyncio.AbstractEventLoop, identities: Identities, is_polite: bool, keeps_open: bool
) -> None:
    async def scenario() -> None:
        async with connection(identities) as (recorder, client):
            recorder.keeps_open = keeps_open
            await client.sends(b"last words")
            if is_polite:
                client.sock.setblocking(False)
                with pytest.raises(ssl.SSLWantReadError):
                    client.sock.unwrap()
                client.sock.settimeout(30)
            else:
                socket.socket.shutdown(client.sock, socket.SHUT_WR)
            await until(lambda: "end" in recorder.told)
            assert recorder.received == b"last words"
            if keeps_open:
                recorder.transport.write(b"mine")
                assert not recorder.transport.is_closing()
            else:
                await recorder.lost.wait()
                assert recorder.error is None
        assert recorder.told.count("end") == recorder.told.count("lost") == 1

    loop.run_until_complete(scenario())


def test_nothing_is_told_while_reading_is_paused(loop: asyncio.AbstractEventLoop, identities: Identities) -> None:
    async def scenario() -> None:
        async with connection(identities) as (recorder, client):
            transport = recorder.transport
            recorder.on_data = transport.pause_reading
            await client.sends(LARGE[: 3 * RECORD_BYTES])
            for count in (1, 2, 3):
                await until(lambda count=count: len(recorder.received) == count * RECORD_BYTES)  # type: ignore[misc]
                assert not transport.is_reading()
                await asyncio.sleep(0.01)
                assert len(recorder.received) == count * RECORD_BYTES
                transport.resume_reading()
            assert transport.is_reading()

    loop.run_until_complete(scenario())


def test_a_peer_that_is_gone_is_an_error_and_no_more(loop: asyncio.AbstractEventLoop, identities: Identities) -> None:
    async def scenario() -> None:
        async with connection(identities) as (recorder, client):
            recorder.transport.pause_reading()
            client.sock.close()
            while not recorder.transport.is_closing():
                recorder.transport.write(b"x")
            await recorder.lost.wait()
            assert isinstance(recorder.error, OSError)
            recorder.transport.resume_reading()
            recorder.transport.close()

    loop.run_until_complete(scenario())


def test_a_reset_is_told_although_something_came_before_it(
    loop: asyncio.AbstractEventLoop, identities: Identities
) -> None:
    async def scenario() -> None:
        async with connection(identities) as (recorder, client):
            recorder.transport.write(b"never read, and so the end is a reset")
            client.sock.sendall(b"some, ")
            client.sock.sendall(b"and the last")
            client.sock.close()
            await recorder.lost.wait()
            assert recorder.received == b"some, and the last"

    loop.run_until_complete(scenario())


def test_bytes_that_are_no_record_are_an_error(loop: asyncio.AbstractEventLoop, identities: Identities) -> None:
    async def scenario() -> None:
        async with connection(identities) as (recorder, client):
            socket.socket.send(client.sock, b"GET / HTTP/1.1\r\n\r\n")
            await recorder.lost.wait()
            assert isinstance(recorder.error, ssl.SSLError)

    loop.run_until_complete(scenario())


class Unwilling:
    """A connection of OpenSSL whose last words do not fit into the socket."""

    def read(self, *_: object) -> int:
        raise ssl.SSLWantReadError

    def write(self, data: bytes) -> int:
        return len(data)

    def shutdown(self) -> None:
        raise ssl.SSLWantWriteError


def test_who_waits_to_say_goodbye_is_not_woken_by_what_still_arrives(loop: asyncio.AbstractEventLoop) -> None:
    async def scenario() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        with theirs:
            while True:
                try:
                    ours.send(bytes(1024))
                except BlockingIOError:
                    break
            poller, recorder = Poller(loop), Recorder()
            seen = poller.open()
            transport = TlsTransport(loop, ours, Unwilling(), None, poller)
            poller.watch(ours.fileno(), transport, IN)
            transport.start(recorder)
            theirs.sendall(b"too late")
            transport.close()
            looks = 0
            for _ in range(10):
                looks += len(seen.poll(0))
                await asyncio.sleep(0)
            assert looks == 0
            transport.abort()
            await recorder.lost.wait()
            poller.close()

    loop.run_until_complete(scenario())


def test_the_socket_is_closed_even_if_the_protocol_fails_at_the_end(
    loop: asyncio.AbstractEventLoop, identities: Identities
) -> None:
    async def scenario() -> None:
        async with connection(identities) as (recorder, _client):
            told: list[Any] = []
            asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
            defect, lost = RuntimeError("a defect"), recorder.lost

            class Failing:
                def __call__(self, error: Exception | None) -> None:
                    lost.set()
                    raise defect

            recorder.connection_lost = Failing()  # type: ignore[method-assign]
            recorder.transport.abort()
            await until(lambda: bool(told))
            assert told == [defect]
            assert recorder.transport.get_extra_info("socket").fileno() == -1

    loop.run_until_complete(scenario())
