"""One request with its response, from the client's head to the last byte back."""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, cast

from kairos.errors import BadRequest, KairosError, Overloaded, PayloadTooLarge, Retry, UpstreamError
from kairos.filters import LocalReply
from kairos.protocols.http1 import chunked
from kairos.protocols.http1.fields import trailer_section
from kairos.protocols.http1.head import CHUNKED, UNTIL_CLOSE, RequestHead, ResponseHead
from kairos.protocols.http1.serialize import host_line, interim_head, request_head, response_head
from kairos.proxy import limits, unavailable
from kairos.proxy.recovery import LATER_STATUSES, Recovery, may_resend, seconds_told
from kairos.proxy.replies import NOSNIFF_AND_ID, local_reply, of_the_gateway
from kairos.proxy.ticker import NEVER
from kairos.resilience.breaker import PROBE, REFUSED
from kairos.resilience.retry import Outcome
from kairos.shm import layout

if TYPE_CHECKING:
    from kairos.proxy.crowd import Crowd
    from kairos.proxy.downstream import Downstream
    from kairos.proxy.generation import ProxyRoute, Snapshot
    from kairos.proxy.pool import Pool
    from kairos.proxy.target import Target
    from kairos.proxy.upstream import Upstream

# RFC 9110 section 9.2.2.
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
MOST_HELD = 64 << 10  # bytes of a request that wait for a connection, or are kept to be sent again
_NOSNIFF_AND_ID = NOSNIFF_AND_ID
CLIENT_LEFT = 499  # never sent: it marks in the counters and the log that nobody was there to read an answer

# C integers when compiled, and then not seen from outside.
_CHUNKED = CHUNKED
_UNTIL_CLOSE = UNTIL_CLOSE
_NEVER = NEVER
_MOST_HELD = MOST_HELD
_PROBE, _REFUSED = PROBE, REFUSED
_LAST_BIT = 1 << 62
_REQUESTS = layout.REQUESTS
_IN_FLIGHT = layout.IN_FLIGHT
_RESPONSES_1XX = layout.RESPONSES_1XX
_BYTES_IN = layout.BYTES_IN
_BYTES_OUT = layout.BYTES_OUT


class Exchange:
    """Carry one request to a backend and its response to the client.

    How it works: `find_route` asks the router and the route's filters; `begin` chooses a backend and takes a connection
    or opens one; `_send` writes the request; from then on the two connections call the methods that are named after
    what they have read. An attempt that fails is followed by one with another backend, within a round at once, or later
    in a new round if the route retries. Whatever happens, `_end` runs once.
    """

    __slots__ = (
        "_choices",
        "_connecting",
        "_connection_options",
        "_deadline",
        "_error",
        "_forwarded",
        "_held",
        "_is_admitted",
        "_is_probe",
        "_is_trusted",
        "_keeps_client",
        "_last",
        "_pending",
        "_rechunks",
        "_recovery",
        "_taken",
        "_target",
        "_tried",
        "attempts",
        "client",
        "connected",
        "downstream",
        "first_byte",
        "head",
        "limit",
        "reason",
        "request_bytes",
        "request_done",
        "request_id",
        "response_bytes",
        "route",
        "snapshot",
        "started",
        "status",
        "target",
        "upstream",
    )

    route: "ProxyRoute"

    def __init__(self, downstream: "Downstream", head: RequestHead, snapshot: "Snapshot") -> None:
        self._start(downstream, head, snapshot)  # with types when compiled

    def _start(self, downstream: "Downstream", head: RequestHead, snapshot: "Snapshot") -> None:
        plane = downstream.plane
        self.downstream = downstream
        self.head = head
        self.snapshot = snapshot
        self.route = None  # type: ignore[assignment]  # until one is found
        self.upstream: Upstream | None = None
        client = downstream.client(snapshot)
        self._is_trusted = client.is_trusted
        request_id = None
        if self._is_trusted:
            self.client, self._forwarded, request_id = client.told(head)
        else:
            self.client, self._forwarded = client.address, client.lines(head.host)
        self.request_id = plane.request_id() if request_id is None else request_id
        self.request_done = head.body_length == 0
        self._held: list[bytes] | None = None if self.request_done else []  # the body, while it could be sent again
        self.request_bytes = len(head.raw)
        self.response_bytes = 0
        self.status = 0
        self.reason = ""
        self.limit: str | None = None
        self.started = 0.0 if plane.access_log is None else monotonic()
        self.connected = 0.0
        self.first_byte = 0.0
        self.attempts = 0  # how many backends were tried
        self.target: Target | None = None  # the backend that was tried last
        self._choices: Sequence[Target] = ()
        self._connecting: asyncio.Task[None] | None = None
        self._connection_options: bytes | None = None  # what the backend says of its connection
        self._deadline = 0.0  # for the head of the response, all attempts together; 0 until the request has been sent
        self._error: KairosError | None = None  # of the last attempt
        self._is_admitted = False  # counted in the crowd of the route
        self._is_probe = False  # this attempt finds out for a breaker how the backend is
        self._keeps_client = False
        self._pending: ResponseHead | None = None  # written with the first of the body
        self._rechunks = False
        self._recovery: Recovery | None = None  # made with the first failure
        self._taken: Pool | None = None  # the pool whose backend has this exchange in flight
        self._target = b""
        self._last = 0  # the bit of the last one
        self._tried = 0  # a bit for each of the choices that had its turn in this round
        plane.in_flight += 1
        plane.row.add(_REQUESTS, 1)
        plane.row.add(_IN_FLIGHT, 1)

    @property
    def backend(self) -> str | None:
        """The address of the backend that was tried last."""
        return self.target.pool.address if self.target is not None else None

    def find_route(self) -> bool:
        """Find out where the request goes; say whether it goes on, or has been answered here."""
        head, snapshot = self.head, self.snapshot
        try:
            if self.downstream.plane.in_flight > snapshot.requests:
                raise Overloaded(snapshot.requests)
            if head.target == b"*":
                self.reply(of_the_gateway())
                return False
            match = snapshot.matcher.match(head.method, head.host, head.target)
            route: ProxyRoute = match.endpoint.destination  # type: ignore[assignment]
            self.route = route
            if route.head_limits is not None:
                error = limits.head_over(route.head_limits, head.raw)
                if error is not None:
                    raise error
            if head.body_length > route.body_bytes:
                raise PayloadTooLarge(head.body_length, route.body_bytes)
        except KairosError as error:
            self.reply(LocalReply.refusal(error))
            return False
        for step in route.filters:
            reply = step.look(head)
            if reply is not None:
                self.reply(reply)
                return False
        self._target = match.upstream_target
        self._choices = route.balancer.choices(self.client)
        return True

    def begin(self) -> None:
        """Send the request on its way."""
        if self.request_done:
            self._start_clock()
        crowd = self.route.crowd
        if crowd is None:
            self._try_next()
        elif not self.go_on() and not crowd.wait(self):
            self.refuse(crowd.full())

    def go_on(self) -> bool:
        """Send the request on its way if there is room in the route and its backends; say whether there was."""
        crowd = cast("Crowd", self.route.crowd)
        if not crowd.enter():
            return False
        self._is_admitted = True
        target = self._choose()
        if target is None and unavailable.is_busy(self._choices):
            self._is_admitted = False
            crowd.leave()
            return False
        self._go_to(target)
        return True

    def refuse(self, error: KairosError) -> None:
        """Answer with an error."""
        self.reply(LocalReply.refusal(error))

    # What the client's connection reports.

    def request_body(self, data: bytes, done: bool) -> None:
        """Pass on a piece of the request's body, already framed for the backend; `done` tells that it was the last."""
        self.request_done = done
        self.request_bytes += len(data)
        if done:
            self._start_clock()
        held = self._held
        if held is not None:
            held.append(data)
            if self.request_bytes > _MOST_HELD:
                if self.upstream is not None:
                    self._held = None  # it is gone, and too long to be sent again
                elif not done:
                    self.downstream.pause_reading()
        if self.upstream is not None:
            self.upstream.write(data)
            if done:
                self.upstream.await_head(self._deadline)

    def client_left(self, reason: str = "client_left", error: KairosError | None = None) -> None:
        """Stop at once: nobody waits for the answer. `error` tells of a limit that was met."""
        self.reason = reason
        if error is not None:
            self._note(error)
        if self.status == 0:
            self.status = CLIENT_LEFT
        self._drop_upstream()
        self._end()

    def request_failed(self, error: KairosError) -> None:
        """Answer a request whose body is at fault."""
        self._drop_upstream()
        if self.status:
            self._note(error)
            self._end()
            self.downstream.abort()
        else:
            self.reply(LocalReply.refusal(error))

    # What the backend's connection reports.

    def interim(self, head: ResponseHead) -> None:
        """Pass on an interim answer (RFC 9110 section 15.2), unless the client is too old to know them."""
        if self.head.is_http11:
            self.downstream.write(interim_head(head))

    def begin_response(self, head: ResponseHead) -> bool:
        """Prepare the head for the client; it is written with the first piece of the body.

        Return False if the request is sent again instead, and this answer is of no use.
        """
        downstream, plane = self.downstream, self.downstream.plane
        target = cast("Target", self.target)
        target.answered(plane.ticker.now, head.status, self._is_probe)
        self._is_probe = False
        if head.status >= 400 and not self._takes_error(head, target):
            return False
        self.status = head.status
        self._held = None
        if plane.access_log is not None:
            self.first_byte = monotonic()
        is_http11 = self.head.is_http11
        unknown_length = head.body_length == _CHUNKED or head.body_length == _UNTIL_CLOSE
        self._rechunks = unknown_length and is_http11
        self._keeps_client = downstream.keeps_alive(self) and (is_http11 or not unknown_length)
        self._pending = head
        self._connection_options = head.connection
        return True

    def response_body(self, data: bytes) -> None:
        """Pass on a piece of the response's body."""
        if self._rechunks:
            data = chunked.encode((data,))
        data = self._with_head(data)
        if data:
            self.response_bytes += len(data)
            self.downstream.write(data)

    def end_response(self, data: bytes, trailers: list[tuple[bytes, bytes]] | None) -> None:
        """Pass on the last piece of the response's body, and what trailers the client can take."""
        self.upstream = None  # it may serve another exchange already: what this client does no longer concerns it
        if self._rechunks:
            lines = b""
            if trailers and self.head.takes_trailers:
                lines = trailer_section(trailers, self._connection_options, drops_underscores=False)
            data = chunked.encode((data,)) + chunked.last_chunk(lines)
        data = self._with_head(data)
        if data:
            self.response_bytes += len(data)
            self.downstream.write(data)
        self._end()
        self.downstream.exchange_ended(self._keeps_client)

    def upstream_failed(self, error: UpstreamError, upstream: "Upstream") -> None:
        """Send the request again where that is safe, else tell the client, or break off what it has begun to read."""
        self.upstream = None
        target = cast("Target", self.target)
        if self.status:
            target.failed(self.downstream.plane.ticker.now, False, error.reason)
            self._note(error)
            self._end()
            self.downstream.abort()
        elif upstream.is_reused and error.retry is not Retry.NEVER:  # this says nothing about the backend
            outcome = Outcome.STALE_UNSENT if error.retry is Retry.ALWAYS else Outcome.STALE_SENT
            if self._is_whole() and may_resend(outcome, self):
                self.attempts -= 1
                self._attempt(target)
            else:
                self.refuse(error)
        else:
            self.downstream.plane.row.add(layout.UPSTREAM_FAILURES, 1)
            self._count_failure(error)
            if not self._recover(Outcome.LOST):
                self.refuse(error)

    # The way to a backend.

    def _start_clock(self) -> None:
        """Begin to count the time that the answer may take: the last byte of the request is here."""
        seconds = self.route.exchange_seconds
        self._deadline = self.downstream.plane.ticker.now + seconds if seconds else _NEVER

    def start_round(self) -> None:
        """Try all backends again, and another one than the last first."""
        self._tried = self._last
        target = self._choose()
        if target is None:
            self._tried = 0
            target = self._choose()
        self._go_to(target)

    def _try_next(self) -> None:
        self._go_to(self._choose())

    def _choose(self) -> "Target | None":
        """Return the first in order of choice that takes the request, of those whose turn has not been in this round.

        Where none is well, health is ignored: then it is more likely that what judges it is wrong.
        """
        now = self.downstream.plane.ticker.now
        for is_picky in (True, False):
            bit = 1
            for target in self._choices:
                if not self._tried & bit and (not is_picky or target.is_well(now)):
                    verdict = target.take(now)
                    if verdict != _REFUSED:
                        self._tried |= bit
                        self._last = bit
                        self._is_probe = verdict == _PROBE
                        return target
                if bit < _LAST_BIT:  # those beyond share a bit
                    bit <<= 1
        return None

    def _go_to(self, target: "Target | None") -> None:
        """Make an attempt with this backend; if there is none, come back to what went wrong before."""
        if target is not None:
            self._attempt(target)
        elif self._error is None:
            self.refuse(unavailable.reason(self._choices, self.downstream.plane.ticker.now))
        elif not self._recover(Outcome.NOT_CONNECTED):
            self.refuse(self._error)

    def _attempt(self, target: "Target") -> None:
        self.target = target
        self.attempts += 1
        upstream = target.pool.take(self.is_idempotent())
        if upstream is None:
            self._connecting = self.downstream.plane.loop.create_task(self._connect(target))
        else:
            self._send(upstream, target.pool)

    async def _connect(self, target: "Target") -> None:
        try:
            upstream = await target.pool.connect(self.route.connect_seconds, target.most_connections)
            self._connecting = None
            self.connected = monotonic()
            self._send(upstream, target.pool)
        except (UpstreamError, Overloaded) as error:
            self._connecting = None
            self._count_failure(error)
            if self.has_time_for(0.0):
                self._error = error
                self._try_next()
            else:
                self.refuse(unavailable.too_late(self.route, error.message))
        except Exception:
            self._connecting = None
            self.request_failed(KairosError("Internal error"))
            raise  # a defect: the loop's exception handler logs it

    def _send(self, upstream: "Upstream", pool: "Pool") -> None:
        self.upstream = upstream
        if self._taken is not pool:
            self._leave_backend()
            self._taken = pool
            pool.entered()
        head = self.head
        host = pool.host_line
        if self.route.preserves_host and head.host:
            host = host_line(head.host)
        data = request_head(head, self._target, host, self._forwarded, self.request_id, self._is_trusted)
        if self._held:
            data = b"".join((data, *self._held))
        if not self.request_done:
            self.downstream.resume_reading()  # before the first write, which may pause it again
        upstream.send(self, data)
        if self.request_done:
            upstream.await_head(self._deadline)

    def is_idempotent(self) -> bool:
        """Say whether the backend may get this request twice, by its method (RFC 9110 section 9.2.2)."""
        return self.head.method in IDEMPOTENT

    def has_time_for(self, pause: float) -> bool:
        """Say whether there is time for another attempt after a pause."""
        return self._deadline == 0 or self.downstream.plane.ticker.now + pause < self._deadline

    def _is_whole(self) -> bool:
        """Say whether what has come of the request is still here, so that it could be sent again."""
        return self._held is not None or self.request_bytes == len(self.head.raw)

    def _recover(self, outcome: Outcome, told_seconds: float = 0.0) -> bool:
        """Let the request be sent again later, if the route retries and it is safe; say whether it will be."""
        policy = self.route.retry
        if policy is None or not self._is_whole():
            return False
        if self._recovery is None:
            self._recovery = Recovery(self, self.downstream.plane, policy)
        if not self._recovery.try_again(outcome, told_seconds, has_others=self._others_are_well()):
            return False
        self._leave_backend()
        return True

    def _takes_error(self, head: ResponseHead, target: "Target") -> bool:
        """Look at an answer that is an error; say whether the client gets it, or the request is sent again."""
        if head.status >= 500:
            target.erred(self.downstream.plane.ticker.now, self._others_are_well())
        policy = self.route.retry
        if policy is None:
            return True
        told = seconds_told(head.raw) if head.status in LATER_STATUSES else None
        if told is None and head.status not in policy.statuses:
            return True
        if not self._recover(Outcome.LISTED if told is None else Outcome.RETRY_LATER, told or 0.0):
            return True
        self._drop_upstream()
        return False

    def _others_are_well(self) -> bool:
        now = self.downstream.plane.ticker.now
        return any(one is not self.target and not one.is_drained and one.is_well(now) for one in self._choices)

    def _count_failure(self, error: KairosError) -> None:
        """Let the backend's breaker know of a failure, unless it was we who did not want a connection."""
        target = cast("Target", self.target)
        if isinstance(error, UpstreamError):
            target.failed(self.downstream.plane.ticker.now, self._is_probe, error.reason)
            self._is_probe = False

    def _drop_upstream(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if self.upstream is not None:
            self.upstream.abort()
            self.upstream = None

    def _leave_backend(self) -> None:
        if self._taken is not None:
            self._taken.left()
            self._taken = None

    def _end_probe(self) -> None:
        """Let another request be the probe: this one has told nothing."""
        self._is_probe = False
        target = cast("Target", self.target)
        if target.breaker is not None:
            target.breaker.abandoned()

    # The way back.

    def reply(self, reply: LocalReply) -> None:
        """Answer here."""
        downstream = self.downstream
        self.status = reply.status
        is_refused = isinstance(reply.error, BadRequest)  # RFC 9112 section 9.6: nothing after it can be trusted
        self._keeps_client = downstream.keeps_alive(self) and not is_refused
        if reply.error is not None:
            self._note(reply.error)
        path = self.head.target.partition(b"?")[0].decode("latin-1")
        lines = downstream.plane.ticker.date_line + self.snapshot.via + self._connection_line()
        data = local_reply(reply, self.request_id, lines, path=path, has_body=self.head.method != b"HEAD")
        self.response_bytes += len(data)
        downstream.plane.row.add(layout.LOCAL_REPLIES, 1)
        downstream.write(data)
        self._end()
        downstream.exchange_ended(self._keeps_client)

    def _note(self, error: KairosError) -> None:
        """Remember why the exchange did not go well."""
        self.reason = error.reason
        if error.limit is not None:
            self.limit = str(error.limit)
            plane = self.downstream.plane
            plane.limit_log.tell(plane.ticker.now, error, self.client)

    def _with_head(self, data: bytes) -> bytes:
        """Put the head before the first piece, so that both leave in one write."""
        head = self._pending
        if head is None:
            return data
        self._pending = None
        date = b"" if head.has_date else self.downstream.plane.ticker.date_line
        coding = b"Transfer-Encoding: chunked\r\n" if self._rechunks else b""
        via, connection = self.snapshot.via, self._connection_line()
        own = (coding, _NOSNIFF_AND_ID, self.request_id, b"\r\n", date, via, connection, b"\r\n", data)
        return response_head(head, own)

    def _connection_line(self) -> bytes:
        if not self._keeps_client:
            return b"Connection: close\r\n"
        return b"" if self.head.is_http11 else b"Connection: keep-alive\r\n"

    def _end(self) -> None:
        """Count and log; always, and once."""
        plane = self.downstream.plane
        row = plane.row
        self._leave_backend()
        if self._recovery is not None:
            self._recovery.end()
        if self._is_probe:
            self._end_probe()
        plane.in_flight -= 1
        row.add(_IN_FLIGHT, -1)
        row.add(_RESPONSES_1XX + min(self.status // 100, 5) - 1, 1)  # RFC 9110 section 15: 600 and up are errors
        if self.route is not None:
            row.add(self.route.column, 1)
            if self.route.crowd is not None:
                self.route.crowd.left(self, self._is_admitted)
        row.add(_BYTES_IN, self.request_bytes)
        row.add(_BYTES_OUT, self.response_bytes)
        if plane.access_log is not None:
            plane.access_log.write(self)
