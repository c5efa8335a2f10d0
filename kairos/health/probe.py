"""Ask one backend how it is: connect, and unless that is all, send a GET request and judge the answer."""

import asyncio
import errno
import os
import socket
import ssl
from typing import Any, cast

from kairos import __version__
from kairos.config.document import Backend, HealthCheck
from kairos.health.answer import MOST_BODY_BYTES, Answer, Unwell
from kairos.health.checker import NotAsked
from kairos.proxy import tls_faults, upstream_tls
from kairos.proxy.owned import OF_OUR_OWN

USER_AGENT = f"kairos-health/{__version__}"
OUR_FAULT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL)


async def probe(loop: asyncio.AbstractEventLoop, backend: Backend, check: HealthCheck) -> str | None:
    """Return in words why the backend is not well, or None if it is. The check's timeout is for all of it.

    Raises NotAsked if this machine has no descriptors, ports or memory left.
    """
    try:
        async with asyncio.timeout(check.timeout):
            await _ask(loop, backend, check)
    except TimeoutError:
        return f"timed out after {check.timeout:g} s"
    except (OSError, ValueError, Unwell) as error:  # ValueError: a file with certificates cannot be read
        if isinstance(error, OSError) and error.errno in OUR_FAULT:
            raise NotAsked(os.strerror(error.errno)) from None
        return _in_words(error)
    return None


def request(backend: Backend, check: HealthCheck) -> bytes:
    """Return the request of a check."""
    fields = {"Host": check.host or backend.authority, "User-Agent": USER_AGENT, "Accept": "*/*"}
    own = {name.lower() for name, _ in check.headers}
    lines = [f"{name}: {value}" for name, value in fields.items() if name.lower() not in own]
    lines += [f"{name}: {value}" for name, value in check.headers]
    return "\r\n".join((f"GET {check.path} HTTP/1.1", *lines, "Connection: close\r\n\r\n")).encode()


def judge(answer: Answer, check: HealthCheck) -> None:
    """Raise Unwell unless a complete answer is as the check expects it."""
    if not any(low <= answer.status <= high for low, high in check.statuses):
        raise Unwell(f"answered with status {answer.status}")
    if check.body is not None and check.body.encode() not in answer.body:
        raise Unwell(f"the first {MOST_BODY_BYTES >> 10} KiB of the body do not contain {check.body!r}")


async def _ask(loop: asyncio.AbstractEventLoop, backend: Backend, check: HealthCheck) -> None:
    conversation = _Conversation(loop, b"" if check.tcp_only else request(backend, check))
    place: dict[str, Any] = {"host": backend.address or backend.host, "port": backend.port}
    if backend.send_proxy_protocol is not None:
        place = {"sock": await _introduced(loop, backend, OF_OUR_OWN[backend.send_proxy_protocol])}
    is_tls = backend.scheme in upstream_tls.SCHEMES and not check.tcp_only
    tls = backend.tls or upstream_tls.SYSTEM
    try:
        await loop.create_connection(
            lambda: cast("asyncio.Protocol", conversation),
            **place,
            ssl=upstream_tls.context_of(tls) if is_tls else None,
            server_hostname=tls.server_name or backend.host if is_tls else None,
            ssl_handshake_timeout=check.timeout if is_tls else None,
        )
        if not check.tcp_only:
            await conversation.done
            judge(conversation.answer, check)
    finally:
        conversation.close()


async def _introduced(loop: asyncio.AbstractEventLoop, backend: Backend, header: bytes) -> socket.socket:
    """Connect, and send a PROXY header."""
    found = await loop.getaddrinfo(backend.address or backend.host, backend.port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    try:
        await loop.sock_connect(sock, address)
        await loop.sock_sendall(sock, header)
    except BaseException:
        sock.close()
        raise
    return sock


class _Conversation:
    """The connection of one check: it sends the request, and `done` when the answer is there, or why it is not."""

    __slots__ = ("_request", "_transport", "answer", "done")

    def __init__(self, loop: asyncio.AbstractEventLoop, request: bytes) -> None:
        self._request = request
        self._transport: asyncio.Transport | None = None
        self.answer = Answer()
        self.done: asyncio.Future[None] = loop.create_future()

    def close(self) -> None:
        """Leave, whatever has been reached: nothing more that comes is of interest."""
        if not self.done.cancel() and not self.done.cancelled():
            self.done.exception()  # looked at now, so that asyncio does not complain that nobody has
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._request:
            self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self.done.done():
            return
        try:
            if self.answer.feed(data):
                self.done.set_result(None)
        except Unwell as error:
            self.done.set_exception(error)

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None and not self.done.done():
            self.done.set_exception(error)
        self._end()

    def pause_writing(self) -> None:
        """Go on: a request is small."""

    def resume_writing(self) -> None:
        """Go on."""

    def _end(self) -> None:
        if self.done.done():
            return
        try:
            self.answer.end()
            self.done.set_result(None)
        except Unwell as error:
            self.done.set_exception(error)


def _in_words(error: Exception) -> str:
    """Say why a backend could not be asked."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {tls_faults.fault(error).message}"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else str(error)
    return str(error)
