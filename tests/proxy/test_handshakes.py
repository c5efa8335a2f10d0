"""Connections on their way into TLS: who does not get there is counted, told within bounds, and let go."""

import asyncio
import errno
import logging
import select
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from select import epoll
from typing import Any

import pytest
import uvloop

from kairos.config import listening
from kairos.config.pairs import Pair
from kairos.proxy.handshakes import DRAIN_SECONDS
from kairos.proxy.identities import Identities, TlsRules
from kairos.proxy.listener import Listener
from kairos.proxy.listener_options import ListenerOptions
from kairos.proxy.plane import DataPlane
from kairos.shm import layout
from tests import certificates, pki
from tests.proxy.world import plane_on

GARBAGE = b"\x16\x03\x01\x00\x05garbage"


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop = request.param()
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


class Scene:
    """A listener that speaks TLS."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        client_auth: str = "none",
        client_ca: bytes = b"",
        is_ready: bool = True,
    ) -> None:
        self.plane: DataPlane = plane_on(loop)
        self.identities = Identities()
        certificate, key = certificates.pair()
        if is_ready:
            pair = Pair((), certificate, key)
            self.identities.follow(TlsRules((pair,), client_auth=client_auth, client_ca=client_ca or certificate))
        config = listening.Listener(tls=listening.ListenerTls(()))
        self.listener = Listener(self.plane, sock, options=ListenerOptions(config, self.identities))
        self.listener.start()
        self._address = sock.getsockname()

    def connect(self) -> socket.socket:
        return socket.create_connection(self._address, 30)

    async def shake(self, sock: socket.socket, shown: pki.Certificate | None = None) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if shown is not None:
            context.load_cert_chain(shown.cert, shown.key)
        found = await asyncio.get_running_loop().run_in_executor(None, context.wrap_socket, sock)
        assert isinstance(found, ssl.SSLSocket)
        return found

    def count(self, column: int) -> int:
        return self.plane.row.load(column)

    def pass_time(self, seconds: float) -> None:
        """Tick until so much time has passed, in each of the ticker's slots."""
        for _ in range(4):
            self.plane.ticker.advance(self.plane.ticker.now + seconds / 4, 0.0)

    async def until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            await asyncio.sleep(0.001)

    async def end(self) -> None:
        self.listener.close()
        self.listener.abort()
        for downstream in list(self.plane.downstreams):
            downstream.abort()
        await self.until(lambda: not self.plane.downstreams)


@pytest.fixture
def run(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[..., None]]:
    with closing(socket.create_server(("127.0.0.1", 0))) as sock:

        def run(story: Callable[[Scene], Any], **options: Any) -> None:
            async def scenario() -> None:
                scene = Scene(loop, sock, **options)
                await story(scene)
                await scene.end()

            loop.run_until_complete(scenario())

        yield run


def test_who_shakes_hands_is_a_client_that_speaks_tls(run: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        with await scene.shake(scene.connect()):
            await scene.until(lambda: bool(scene.plane.downstreams))
            (downstream,) = scene.plane.downstreams
            assert downstream.is_secure
            assert downstream.address == "127.0.0.1"
            assert not downstream.has_certificate
            assert not scene.listener.is_starting
            assert (scene.count(layout.TLS_HANDSHAKES), scene.count(layout.TLS_FAILURES)) == (1, 0)

    run(story)


def test_where_certificates_are_asked_for_it_is_told_that_there_is_none(run: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        with await scene.shake(scene.connect()):
            await scene.until(lambda: bool(scene.plane.downstreams))
            (downstream,) = scene.plane.downstreams
            assert downstream.has_certificate
            assert downstream.server_name == b""

    run(story, client_auth="optional")


def test_a_certificate_with_a_name_that_cannot_be_read_does_not_count(
    run: Callable[..., None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = pki.authority(tmp_path)
    mallory = authority.issue("mallory", "m.test").forged(authority, b"m.test", b"m.te\xff\xff")

    async def story(scene: Scene) -> None:
        with await scene.shake(scene.connect(), mallory) as sock:
            await scene.until(lambda: scene.count(layout.TLS_FAILURES) == 1)
            assert not scene.listener.is_starting
            assert not scene.plane.downstreams
            assert sock.recv(1) == b""

    caplog.set_level(logging.INFO)
    run(story, client_auth="required", client_ca=authority.cert.read_bytes())
    assert "the client's certificate is not accepted: a name in it cannot be read" in caplog.text


def test_who_does_not_go_on_is_let_go_in_time(run: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    async def story(scene: Scene) -> None:
        with scene.connect() as sock:
            await scene.until(lambda: scene.listener.is_starting)
            scene.pass_time(9.0)
            assert scene.listener.is_starting
            scene.pass_time(8.0)  # whatever its slot in the ticker, it is asked after more than 10 s
            assert not scene.listener.is_starting
            with suppress(ConnectionResetError):  # if nothing was read yet of what has come
                assert sock.recv(1) == b""
            assert scene.count(layout.TLS_FAILURES) == 1

    caplog.set_level(logging.INFO)
    run(story)
    assert "127.0.0.1: the TLS handshake has failed: it took more than 10 s" in caplog.text


def test_a_drain_waits_a_moment_and_no_longer(run: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        with scene.connect() as sock:
            await scene.until(lambda: scene.listener.is_starting)
            scene.listener.drain(scene.plane.ticker.now)
            assert scene.listener.is_starting
            scene.listener.drain(scene.plane.ticker.now + DRAIN_SECONDS)
            assert not scene.listener.is_starting
            assert sock.recv(1) == b""

    run(story)


def test_failures_are_counted_and_told_once_per_second(
    run: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    async def story(scene: Scene) -> None:
        for count in (1, 2, 3):
            with scene.connect() as sock:
                sock.sendall(GARBAGE)
                await scene.until(lambda count=count: scene.count(layout.TLS_FAILURES) == count)  # type: ignore[misc]
        scene.pass_time(2.0)
        with scene.connect() as sock:
            sock.sendall(GARBAGE)
            await scene.until(lambda: scene.count(layout.TLS_FAILURES) == 4)

    caplog.set_level(logging.INFO)
    run(story)
    first, second = [one.getMessage() for one in caplog.records if "handshake has failed" in one.getMessage()]
    assert "more since" not in first
    assert second.endswith("(2 more since the last)")


def test_who_leaves_is_counted_and_not_told(run: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    async def story(scene: Scene) -> None:
        scene.connect().close()
        await scene.until(lambda: scene.count(layout.TLS_FAILURES) == 1)

    caplog.set_level(logging.INFO)
    run(story)
    assert "handshake" not in caplog.text


def test_plain_http_gets_an_answer(run: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        with scene.connect() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await scene.until(lambda: scene.count(layout.TLS_FAILURES) == 1)
            answer = sock.recv(65536)
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b"plain_http_to_tls" in answer
            assert sock.recv(1) == b""

    run(story)


def test_nobody_is_let_in_while_there_is_no_certificate(run: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        with scene.connect() as sock:
            found = await asyncio.get_running_loop().run_in_executor(None, sock.recv, 1)
            assert found == b""
        assert not scene.plane.downstreams

    run(story, is_ready=False)


class Refusing:
    """An epoll set that takes nothing more."""

    def __init__(self) -> None:
        self._epoll = epoll()

    def register(self, _: int, __: int) -> None:
        raise OSError(errno.ENOSPC, "no space for it")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._epoll, name)


def test_a_socket_that_the_kernel_does_not_watch_is_closed_and_told_of(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(select, "epoll", Refusing)

    async def story(scene: Scene) -> None:
        with scene.connect() as sock:
            await scene.until(lambda: bool(scene.count(layout.TLS_FAILURES)))
            assert sock.recv(1) == b""
        assert not scene.listener.is_starting
        scene.plane.poller.close()

    run(story)
    assert "the kernel does not watch its socket: no space for it" in caplog.text
