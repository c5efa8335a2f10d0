"""One request with its response, from the client's head to the last byte back."""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, cast

from kairos.errors import KairosError, Retry, UpstreamError
from kairos.filters import LocalReply
from kairos.protocols.http1 import chunked
from kairos.protocols.http1.head import CHUNKED, UNTIL_CLOSE, RequestHead, ResponseHead
from kairos.protocols.http1.serialize import interim_head, request_head, response_head
from kairos.proxy.replies import local_reply
from kairos.shm import layout

if TYPE_CHECKING:
    from kairos.proxy.downstream import Downstream
    from kairos.proxy.pool import Pool
    from kairos.proxy.snapshot import ProxyRoute, Snapshot
    from kairos.proxy.upstream import Upstream

# RFC 9110 section 9.2.2.
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
MOST_HELD = 64 << 10  # bytes of a request that wait for a connection
_NOSNIFF_AND_ID = b"X-Content-Type-Options: nosniff\r\nX-Request-ID: "
CLIENT_LEFT = 499  # never sent: it marks in the counters and the log that nobody was there to read an answer


class Exchange:
    """Carry one request to a backend and its response to the client.

    How it works: `begin` finds the route and asks its filters; `_try_next` takes a connection or opens one; `_send`
    writes the request; from then on the two connections call the methods that are named after what they have read.
    Whatever happens, `_end` runs once.
    """

    __slots__ = (
        "_attempts",
        "_choices",
        "_connecting",
        "_held",
        "_keeps_client",
        "_pending",
        "_rechunks",
        "_target",
        "backend",
        "connected",
        "downstream",
        "first_byte",
        "head",
        "reason",
        "request_bytes",
        "request_done",
        "request_id",
        "response_bytes",
        "route",
        "snapshot",
        "started",
        "status",
        "upstream",
    )

    def __init__(self, downstream: "Downstream", head: RequestHead, snapshot: "Snapshot") -> None:
        self.downstream = downstream
        self.head = head
        self.snapshot = snapshot
        self.route: ProxyRoute | None = None
        self.upstream: Upstream | None = None
        self.backend: str | None = None
        self.request_id = downstream.plane.request_id()
        self.request_done = head.body_length == 0
        self.request_bytes = len(head.raw)
        self.response_bytes = 0
        self.status = 0
        self.reason = ""
        self.started = monotonic()
        self.connected: float | None = None
        self.first_byte: float | None = None
        self._attempts = 0
        self._choices: Sequence[Pool] = ()
        self._connecting: asyncio.Task[None] | None = None
        self._held: list[bytes] | None = []  # the body so far, until it can no longer be sent to another backend
        self._keeps_client = False
        self._pending = b""  # the head of the response, until it is written together with the first of the body
        self._rechunks = False
        self._target = b""
        row = downstream.plane.row
        row.add(layout.REQUESTS, 1)
        row.add(layout.IN_FLIGHT, 1)

    @property
    def attempts(self) -> int:
        """How many backends were tried."""
        return self._attempts

    def begin(self) -> None:
        """Find out where the request goes, and send it there, or answer it here."""
        head = self.head
        try:
            match = self.snapshot.router.match(head.method, head.host, head.target)
        except KairosError as error:
            self.reply(LocalReply.refusal(error))
            return
        route = self.route = cast("ProxyRoute", match.destination)
        for step in route.filters:
            reply = step.look(head)
            if reply is not None:
                self.reply(reply)
                return
        self._target = match.upstream_target
        self._choices = route.balancer.choices()
        self._try_next()

    # What the client's connection reports.

    def request_body(self, data: bytes, done: bool) -> None:
        """Pass on a piece of the request's body, already framed for the backend; `done` tells that it was the last."""
        self.request_done = done
        self.request_bytes += len(data)
        if self.upstream is None:
            if self._held is not None:
                self._held.append(data)
            if self.request_bytes > MOST_HELD and not done:
                self.downstream.pause_reading()
            return
        self._held = None
        self.upstream.write(data)
        if done:
            self.upstream.await_head()

    def client_left(self, reason: str = "client_left") -> None:
        """Stop at once: nobody waits for the answer."""
        self.reason = reason
        if self.status == 0:
            self.status = CLIENT_LEFT
        self._drop_upstream()
        self._end()

    def request_failed(self, error: KairosError) -> None:
        """Answer a request whose body is at fault."""
        self._drop_upstream()
        if self.status:
            self.reason = error.reason
            self._end()
            self.downstream.abort()
        else:
            self.reply(LocalReply.refusal(error))

    # What the backend's connection reports.

    def interim(self, head: ResponseHead) -> None:
        """Pass on an interim answer (RFC 9110 section 15.2), unless the client is too old to know them."""
        if self.head.is_http11:
            self.downstream.write(interim_head(head))

    def begin_response(self, head: ResponseHead) -> None:
        """Prepare the head for the client; it is written with the first piece of the body."""
        downstream, plane = self.downstream, self.downstream.plane
        self.status = head.status
        self._held = None
        if plane.access_log is not None:
            self.first_byte = monotonic()
        is_http11 = self.head.is_http11
        unknown_length = head.body_length in (CHUNKED, UNTIL_CLOSE)
        self._rechunks = unknown_length and is_http11
        self._keeps_client = downstream.keeps_alive(self) and (is_http11 or not unknown_length)
        date = b"" if head.has_date else plane.ticker.date_line
        lines = b"".join((_NOSNIFF_AND_ID, self.request_id.encode(), b"\r\n", date, self._connection_line()))
        self._pending = response_head(head, lines, self._rechunks)

    def response_body(self, data: bytes) -> None:
        """Pass on a piece of the response's body."""
        if self._rechunks:
            data = chunked.encode((data,))
        data = self._with_head(data)
        if data:
            self.response_bytes += len(data)
            self.downstream.write(data)

    def end_response(self, data: bytes) -> None:
        """Pass on the last piece of the response's body."""
        self.upstream = None  # it may serve another exchange already: what this client does no longer concerns it
        if self._rechunks:
            data = chunked.encode((data,)) + chunked.LAST_CHUNK
        data = self._with_head(data)
        if data:
            self.response_bytes += len(data)
            self.downstream.write(data)
        self._end()
        self.downstream.exchange_ended(self._keeps_client)

    def upstream_failed(self, error: UpstreamError, upstream: "Upstream") -> None:
        """Send the request again where that is safe, else tell the client, or break off what it has begun to read."""
        self.upstream = None
        if self.status:
            self.reason = error.reason
            self._end()
            self.downstream.abort()
        elif upstream.is_reused and error.retry is Retry.IDEMPOTENT and self._may_resend():
            self._attempts -= 1  # an idle connection that the backend has closed says nothing about the backend
            self._try_next()
        else:
            self.downstream.plane.row.add(layout.UPSTREAM_FAILURES, 1)
            self.reply(LocalReply.refusal(error))

    # The way to a backend.

    def _try_next(self) -> None:
        pool = self._choices[self._attempts]
        self._attempts += 1
        self.backend = pool.address
        upstream = pool.take()
        if upstream is None:
            self._connecting = self.downstream.plane.loop.create_task(self._connect(pool))
        else:
            self._send(upstream, pool)

    async def _connect(self, pool: "Pool") -> None:
        try:
            upstream = await pool.connect()
            self._connecting = None
            self.connected = monotonic()
            self._send(upstream, pool)
        except UpstreamError as error:
            self._connecting = None
            if self._attempts < len(self._choices):
                self._try_next()
            else:
                self.reply(LocalReply.refusal(error))
        except Exception:
            self._connecting = None
            self.request_failed(KairosError("Internal error"))
            raise  # a defect: the loop's exception handler logs it

    def _send(self, upstream: "Upstream", pool: "Pool") -> None:
        self.upstream = upstream
        downstream = self.downstream
        data = request_head(self.head, self._target, pool.authority, downstream.forwarded, self.request_id.encode())
        if self._held:
            data = b"".join((data, *self._held))
        if not self.request_done:
            downstream.resume_reading()  # before the first write, which may pause it again
        upstream.send(self, data)
        if self.request_done:
            upstream.await_head()

    def _may_resend(self) -> bool:
        return self._held is not None and self.head.method in IDEMPOTENT

    def _drop_upstream(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if self.upstream is not None:
            self.upstream.abort()
            self.upstream = None

    # The way back.

    def reply(self, reply: LocalReply) -> None:
        """Answer here."""
        downstream = self.downstream
        self.status = reply.status
        self._keeps_client = downstream.keeps_alive(self)
        if reply.error is not None:
            self.reason = reply.error.reason
        path = self.head.target.partition(b"?")[0].decode("latin-1")
        lines = downstream.plane.ticker.date_line + self._connection_line()
        data = local_reply(reply, self.request_id, lines, path=path, has_body=self.head.method != b"HEAD")
        self.response_bytes += len(data)
        downstream.plane.row.add(layout.LOCAL_REPLIES, 1)
        downstream.write(data)
        self._end()
        downstream.exchange_ended(self._keeps_client)

    def _with_head(self, data: bytes) -> bytes:
        """Put the head before the first piece, so that both leave in one write."""
        if self._pending:
            data = self._pending + data
            self._pending = b""
        return data

    def _connection_line(self) -> bytes:
        if not self._keeps_client:
            return b"Connection: close\r\n"
        return b"" if self.head.is_http11 else b"Connection: keep-alive\r\n"

    def _end(self) -> None:
        """Count and log; always, and once."""
        plane = self.downstream.plane
        row = plane.row
        row.add(layout.IN_FLIGHT, -1)
        row.add(layout.RESPONSES_1XX + min(self.status // 100, 5) - 1, 1)  # RFC 9110 section 15: 600 and up are errors
        if self.route is not None:
            row.add(self.route.column, 1)
        row.add(layout.BYTES_IN, self.request_bytes)
        row.add(layout.BYTES_OUT, self.response_bytes)
        if plane.access_log is not None:
            plane.access_log.write(self)
