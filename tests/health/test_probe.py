"""Asking backends over real sockets how they are, on both event loops."""

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from kairos import __version__
from kairos.config.document import Backend, HealthCheck, Tls
from kairos.health.checker import NotAsked
from kairos.health.probe import probe, request
from kairos.protocols.proxy_protocol import LOCAL_V2
from tests.e2e.certificates import Authority
from tests.e2e.origin import HOST, Origin, Received

PATIENCE, NO_PATIENCE = 30.0, 0.05
CHECK = HealthCheck(path="/health", timeout=PATIENCE)
OK = b"HTTP/1.1 200 OK\r\n"

Ask = Callable[[Backend, HealthCheck], str | None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    loop = request.param()
    complaints: list[object] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))

    def run(backend: Backend, check: HealthCheck) -> str | None:
        answer: Awaitable[str | None] = probe(loop, backend, check)
        return loop.run_until_complete(answer)  # type: ignore[no-any-return]

    yield run
    for _ in range(5):  # connections that were closed last take a few turns to be gone
        loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert complaints == []


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def at(port: int, **more: object) -> Backend:
    return replace(Backend("http", HOST, port), **more)  # type: ignore[arg-type]


def asked(ask: Ask, answer: bytes | Callable[[Received], bytes], check: HealthCheck = CHECK) -> str | None:
    """Ask a backend that answers so."""
    with Origin(answer if callable(answer) else lambda _: answer) as origin:
        return ask(at(origin.port), check)


class Silent(Origin):
    """A backend that sends something, and then nothing."""

    def __init__(self, first: bytes) -> None:
        super().__init__()
        self._first = first

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self._first)
        await reader.read()


class Secure(Origin):
    """A backend that speaks TLS, and does not wait for a polite end of it."""

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await super().converse(reader, writer)
        finally:
            writer.transport.abort()


@pytest.mark.parametrize("status", [b"200 OK", b"204 No Content", b"302 Found\r\nLocation: /elsewhere", b"399 Odd"])
def test_well_is_who_answers_as_usual(ask: Ask, status: bytes) -> None:
    assert asked(ask, b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status) is None


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_another_status_is_not_well(ask: Ask, status: int) -> None:
    assert asked(ask, b"HTTP/1.1 %d Oh\r\nContent-Length: 0\r\n\r\n" % status) == f"answered with status {status}"


@pytest.mark.parametrize(("status", "is_well"), [(200, True), (204, False), (401, True), (404, True), (405, False)])
def test_which_status_is_expected_can_be_said(ask: Ask, status: int, is_well: bool) -> None:
    check = replace(CHECK, statuses=((200, 200), (401, 404)))
    reason = asked(ask, b"HTTP/1.1 %d Oh\r\nContent-Length: 0\r\n\r\n" % status, check)
    assert (reason is None) is is_well


def test_a_redirect_is_not_followed(ask: Ask) -> None:
    with Origin(lambda _: b"HTTP/1.1 301 Moved\r\nLocation: /moved\r\nContent-Length: 0\r\n\r\n") as origin:
        assert ask(at(origin.port), CHECK) is None
        assert [received.target for received in origin.received] == ["/health"]


def test_the_request_tells_who_asks(ask: Ask) -> None:
    with Origin() as origin:
        ask(at(origin.port), CHECK)
        (received,) = origin.received

    assert received.head == (
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: kairos-health/%b\r\nAccept: */*\r\n"
        b"Connection: close\r\n\r\n" % (origin.port, __version__.encode())
    )


def test_fields_may_be_added_and_replaced() -> None:
    check = replace(CHECK, host="well.example", headers=(("user-agent", "probe"), ("X-Key", "a b")))

    assert request(at(80), check) == (
        b"GET /health HTTP/1.1\r\nHost: well.example\r\nAccept: */*\r\nuser-agent: probe\r\nX-Key: a b\r\n"
        b"Connection: close\r\n\r\n"
    )


@pytest.mark.parametrize("framing", [b"Content-Length: 9\r\n\r\nall is ok", b"\r\nall is ok"])
def test_the_body_has_to_contain_what_is_expected(ask: Ask, framing: bytes) -> None:
    class Once(Origin):
        async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK + framing)
            writer.close()

    with Once() as origin:
        assert ask(at(origin.port), replace(CHECK, body="is ok")) is None
        reason = ask(at(origin.port), replace(CHECK, body="well"))
    assert reason == "the first 64 KiB of the body do not contain 'well'"


def test_of_a_huge_body_only_the_beginning_counts(ask: Ask) -> None:
    body = b"a" + bytes(1 << 20) + b"b"
    answer = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body

    assert asked(ask, answer, replace(CHECK, body="a")) is None
    assert asked(ask, answer, replace(CHECK, body="b")) is not None


def test_who_is_silent_is_not_waited_for(ask: Ask) -> None:
    for first in (b"", b"HTTP/1.1 2", OK + b"Content-Length: 9\r\n\r\nall"):
        with Silent(first) as origin:
            assert ask(at(origin.port), replace(CHECK, timeout=NO_PATIENCE)) == "timed out after 0.05 s"


def test_who_refuses_is_not_well(ask: Ask) -> None:
    with closing(socket.create_server((HOST, 0))) as sock:
        port = sock.getsockname()[1]

    assert ask(at(port), CHECK) == "Connection refused"
    assert ask(at(port), replace(CHECK, tcp_only=True)) == "Connection refused"


class Exhausted(asyncio.SelectorEventLoop):
    """An event loop on a machine that has no more of something."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    async def create_connection(self, *_: object, **__: object) -> Any:  # type: ignore[override]
        raise OSError(self._number, "oh")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EADDRNOTAVAIL])
def test_what_this_machine_lacks_says_nothing_about_a_backend(number: int) -> None:
    with closing(Exhausted(number)) as loop, pytest.raises(NotAsked, match=os.strerror(number)):
        loop.run_until_complete(probe(loop, at(80), CHECK))


def test_who_has_no_address_is_not_well(ask: Ask) -> None:
    assert ask(at(80, host="backend.invalid"), CHECK) == "its name is not known"


def test_who_closes_is_not_well(ask: Ask) -> None:
    assert asked(ask, b"") == "the connection was closed without an answer"


def test_who_speaks_something_else_is_not_well(ask: Ask) -> None:
    assert asked(ask, b"220 mail.example ESMTP\r\n\r\n") == "the answer cannot be read: the answer is malformed"


def test_who_resets_is_not_well(ask: Ask) -> None:
    class Resetting(Origin):
        async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(1)  # the rest is unread, so that the end is a reset
            writer.transport.abort()

    with Resetting() as origin:
        assert ask(at(origin.port), CHECK) is not None


def test_to_be_reached_can_be_enough(ask: Ask) -> None:
    with closing(socket.create_server((HOST, 0))) as sock:
        port = sock.getsockname()[1]
        assert ask(at(port), replace(CHECK, tcp_only=True)) is None
        assert ask(at(port, scheme="https"), replace(CHECK, tcp_only=True)) is None


def test_a_certificate_is_checked_as_for_requests(ask: Ask, authority: Authority) -> None:
    trusted = Tls(ca_file=str(authority.ca_file), server_name="well.example")
    with Secure(tls=authority.server("DNS:well.example")) as origin:
        backend = at(origin.port, scheme="https")

        unknown = ask(backend, CHECK)
        other = ask(replace(backend, tls=replace(trusted, server_name="other.example")), CHECK)
        assert ask(replace(backend, tls=trusted), CHECK) is None
        assert ask(replace(backend, tls=Tls(verify=False)), CHECK) is None

    assert unknown is not None
    assert unknown.startswith("TLS failed: no trusted authority signed the certificate")
    assert other == "TLS failed: the certificate of the backend is for another name"


def test_authorities_that_cannot_be_read_are_told(ask: Ask, tmp_path: Path) -> None:
    tls = Tls(ca_file=str(tmp_path / "none.pem"))
    reason = ask(at(443, scheme="https", tls=tls), CHECK)
    assert reason == f"the CA file {tmp_path}/none.pem cannot be used: No such file or directory"


def test_who_speaks_no_tls_is_not_well(ask: Ask) -> None:
    class Plain(Origin):
        async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(1)
            writer.write(OK + b"Content-Length: 0\r\n\r\n")
            await reader.read()

    with Plain() as origin:
        reason = ask(at(origin.port, scheme="https"), CHECK)
    assert reason == "TLS failed: the backend does not speak TLS on this port"


def test_who_does_not_finish_the_handshake_is_not_waited_for(ask: Ask) -> None:
    class Mute(Origin):
        async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

    with Mute() as origin:
        check = replace(CHECK, timeout=NO_PATIENCE)
        assert ask(at(origin.port, scheme="https"), check) == "timed out after 0.05 s"


def test_a_backend_with_a_name_is_asked_at_its_address(ask: Ask) -> None:
    with Origin(lambda _: OK + b"Content-Length: 0\r\n\r\n") as origin:
        assert ask(Backend("http", "app.test", origin.port, address=HOST), CHECK) is None

    assert origin.received[0].fields("Host") == [f"app.test:{origin.port}"]


@pytest.mark.parametrize(("version", "header"), [("v1", b"PROXY UNKNOWN\r\n"), ("v2", LOCAL_V2)])
def test_a_backend_that_wants_a_header_gets_one_of_our_own(
    ask: Ask, authority: Authority, version: str, header: bytes
) -> None:
    class Introduced(Origin):
        async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert await reader.readexactly(len(header)) == header
            await super().converse(reader, writer)

    with Introduced(lambda _: OK + b"Content-Length: 0\r\n\r\n") as origin:
        assert ask(at(origin.port, send_proxy_protocol=version), CHECK) is None
        assert len(origin.received) == 1


def test_a_header_goes_before_the_handshake(ask: Ask) -> None:
    with Silent(b"") as origin:
        backend = at(origin.port, scheme="https", send_proxy_protocol="v1")
        assert ask(backend, replace(CHECK, timeout=NO_PATIENCE)) == "timed out after 0.05 s"


def test_who_refuses_gets_no_header(ask: Ask) -> None:
    with closing(socket.create_server((HOST, 0))) as sock:
        port = sock.getsockname()[1]
    assert ask(at(port, send_proxy_protocol="v1"), CHECK) == "Connection refused"
