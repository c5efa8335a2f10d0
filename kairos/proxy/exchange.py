"""One request with its response, from the client's head to the last byte back."""

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, cast

from kairos.errors import BadRequest, KairosError, Overloaded, Retry, UpstreamError
from kairos.filters import Identity, LocalReply
from kairos.protocols.event_stream import EventStream
from kairos.protocols.http1.head import RequestHead, ResponseHead
from kairos.protocols.http1.serialize import host_line, interim_head, request_head
from kairos.proxy import json_bodies, unavailable
from kairos.proxy.answer import Answer
from kairos.proxy.attempts import Attempts
from kairos.proxy.caching.purge import SAFE, invalidate
from kairos.proxy.recovery import may_resend
from kairos.proxy.replies import local_reply
from kairos.proxy.ticker import NEVER
from kairos.resilience.retry import Outcome
from kairos.shm import layout

if TYPE_CHECKING:
    from kairos.proxy.caching.fetch import Fetch
    from kairos.proxy.caching.reel import Reel
    from kairos.proxy.caching.waiter import Waiter
    from kairos.proxy.crowd import Crowd
    from kairos.proxy.downstream import Downstream
    from kairos.proxy.generation import ProxyRoute, Snapshot
    from kairos.proxy.json_bodies import HeldAnswer
    from kairos.proxy.pool import Pool
    from kairos.proxy.target import Target
    from kairos.proxy.upgrade import Upgrade
    from kairos.proxy.upstream import Upstream
    from kairos.traffic.transform_json import JsonChange

# RFC 9110 section 9.2.2.
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
MOST_HELD = 64 << 10  # bytes of a request that wait for a connection, or are kept to be sent again
CLIENT_LEFT = 499  # never sent: it marks in the counters and the log that nobody was there to read an answer

# C integers when compiled, and then not seen from outside.
_NEVER = NEVER
_MOST_HELD = MOST_HELD
_REQUESTS = layout.REQUESTS
_IN_FLIGHT = layout.IN_FLIGHT
_RESPONSES_1XX = layout.RESPONSES_1XX
_BYTES_IN = layout.BYTES_IN
_BYTES_OUT = layout.BYTES_OUT


class Exchange:
    """Carry one request to a backend and its response to the client.

    How it works: `admission` finds the route and asks its filters; `begin` chooses a backend and takes a connection or
    opens one; `_send` writes the request; from then on the two connections call the methods that are named after what
    they have read. An attempt that fails is followed by one with another backend, within a round at once, or later
    in a new round if the route retries. Whatever happens, `_end` runs once.
    """

    __slots__ = (
        "_answer",
        "_deadline",
        "_has_told",
        "_held",
        "_held_answer",
        "_is_admitted",
        "_is_due",
        "_is_leaving",
        "_is_trusted",
        "_taken",
        "attempts",
        "caching",
        "change",
        "client",
        "connected",
        "downstream",
        "first_byte",
        "forwarded",
        "head",
        "identity",
        "keeps_client",
        "limit",
        "lines",
        "reason",
        "request_bytes",
        "request_done",
        "request_id",
        "request_lines",
        "response_bytes",
        "route",
        "snapshot",
        "started",
        "status",
        "target",
        "task",
        "upgrade",
        "upstream",
    )

    _answer: Answer
    route: "ProxyRoute"

    def __init__(self, downstream: "Downstream", head: RequestHead, snapshot: "Snapshot") -> None:
        self._start(downstream, head, snapshot)  # with types when compiled

    def _start(self, downstream: "Downstream", head: RequestHead, snapshot: "Snapshot") -> None:
        plane = downstream.plane
        self.downstream = downstream
        self.head = head
        self.snapshot = snapshot
        self.route = None  # type: ignore[assignment]  # until one is found
        self.upstream: Upstream | Reel | None = None
        self.caching: Fetch | None = None  # what it does for the cache while a backend is asked
        client = downstream.client(snapshot)
        self._is_trusted = client.is_trusted
        request_id = None
        if self._is_trusted:
            self.client, self.forwarded, request_id = client.told(head)
        else:
            self.client, self.forwarded = client.address, client.lines(head.host)
        self.request_id = plane.request_id() if request_id is None else request_id
        self.request_done = head.body_length == 0
        self._held: list[bytes] | None = None if self.request_done else []  # the body, while it could be sent again
        self.request_bytes = len(head.raw)
        self.identity: Identity | None = None
        self.upgrade: Upgrade | None = None  # what the client would like to change to, where that is allowed
        self.lines = b""  # for the client, from filters
        self.request_lines = b""  # for the backend, from filters
        self.response_bytes = 0
        self.status = 0
        self.reason = ""
        self.limit: str | None = None
        self.started = 0.0 if plane.access_log is None else monotonic()
        self.connected = 0.0
        self.first_byte = 0.0
        self.attempts = Attempts()
        self._answer = None  # type: ignore[assignment]  # until it begins
        self.task: asyncio.Task[None] | Waiter | None = None  # that waits for a filter, an answer or a connection
        self._deadline = 0.0  # for the head of the response, all attempts together; 0 until the request has been sent
        self._has_told = False  # an interim answer has gone to the client
        self.change: JsonChange | None = None  # what the body goes through, while the head waits for it
        self._is_due = False  # all that the head waits for is the body
        self._held_answer: HeldAnswer | None = None
        self._is_admitted = False  # counted in the crowd of the route
        self._is_leaving = False  # an event stream ends after the event that is on its way
        self.keeps_client = False
        self._taken: Pool | None = None  # the pool whose backend has this exchange in flight
        self.target = b""
        plane.in_flight += 1
        plane.row.add(_REQUESTS, 1)
        plane.row.add(_IN_FLIGHT, 1)

    @property
    def backend(self) -> str | None:
        """The address of the backend that was tried last."""
        target = self.attempts.target
        return target.pool.address if target is not None else None

    @property
    def pattern(self) -> str:
        """The external path of the route."""
        return self.route.pattern

    @property
    def now(self) -> float:
        """The time of the ticker."""
        return self.downstream.plane.ticker.now

    @property
    def is_secure(self) -> bool:
        """Whether the client speaks TLS, to us or to a proxy that says so in a PROXY header."""
        return self.downstream.is_secure

    def begin(self) -> None:
        """Send the request on its way, unless a filter has yet to decide, or a body is held."""
        if self.task is not None:
            return
        if self.change is not None:
            self._is_due = True
            self.head = json_bodies.ask_for_body(self)
            return
        if self.request_done:
            self._start_clock()
        self.attempts.choices = self.route.balancer.choices(self.client, self.head)
        crowd = self.route.crowd
        if crowd is None:
            self._go_to(self.attempts.choose(self.downstream.plane.ticker.now))
        elif (crowd.has_line() or not self.go_on()) and not crowd.wait(self):
            self.find_no_room()

    def go_on(self) -> bool:
        """Send the request on its way if there is room in the route and its backends; say whether there was."""
        crowd = cast("Crowd", self.route.crowd)
        if not self.has_time_for(0.0):
            self.refuse(unavailable.too_late(self.route, "there was no room in time"))
            return True
        if not crowd.enter():
            return False
        self._is_admitted = True
        target = self.attempts.choose(self.downstream.plane.ticker.now)
        if target is None and unavailable.is_busy(self.attempts.choices):
            self._is_admitted = False
            crowd.leave()
            return False
        self._go_to(target)
        return True

    def find_no_room(self) -> None:
        """Answer that the route, or all its backends, have as many requests as they may have."""
        crowd = cast("Crowd", self.route.crowd)
        now = self.downstream.plane.ticker.now
        self.refuse(unavailable.reason(self.attempts.choices, now) if crowd.has_room() else crowd.full())

    def refuse(self, error: KairosError) -> None:
        """Answer with an error, unless something is stored that is better than that."""
        if self.caching is not None and self.caching.stands_in(self, error.status):
            return
        self.reply(LocalReply.refusal(error))

    # What the client's connection reports.

    def request_body(self, data: bytes, done: bool) -> None:
        """Pass on a piece of the request's body, already framed for the backend; `done` tells that it was the last."""
        change = self.change
        if change is not None:
            if not data and not done:
                return
            self.change = None
            if change.is_changed:
                self.head = json_bodies.changed_request(self.head, len(data))
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
            upstream = cast("Upstream", self.upstream)
            upstream.write(data)
            if done:
                upstream.await_head(self._deadline)
        if self._is_due:
            self._is_due = False
            self.begin()

    def client_left(self, reason: str = "client_left", error: KairosError | None = None) -> None:
        """Stop at once: nobody waits for the answer. `error` tells of a limit that was met."""
        self.reason = reason
        if error is not None:
            self._note(error)
        if self.status == 0:
            self.status = CLIENT_LEFT
        self.drop_upstream()
        self._end()

    def request_failed(self, error: KairosError) -> None:
        """Answer a request whose body is at fault."""
        self.drop_upstream()
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
            self._has_told = True
            self.downstream.write(interim_head(head))

    def begin_response(self, head: ResponseHead) -> bool:
        """Take the head of an answer.

        Return False if the request is sent again instead, and this answer is of no use.
        """
        plane = self.downstream.plane
        self.attempts.answered(plane.ticker.now, head.status)
        if head.status >= 400 and self.attempts.recover_from(self, head):
            self.drop_upstream()
            self._leave_backend()
            return False
        change = self.route.response_change
        if change is not None:
            head = ResponseHead(change.apply(head.raw, self.head), self.head.method == b"HEAD")
            head, self._held_answer = json_bodies.of_response(change, self.head, head)
        return self._held_answer is not None or self.take_answer(head)

    def take_answer(self, head: ResponseHead) -> bool:
        """Let the client have this answer; return False if it gets one that is stored instead."""
        self.attempts.accepted()
        if self.snapshot.has_cache and head.status < 400 and self.head.method not in SAFE:
            invalidate(self, head)
        if self.caching is not None:
            taken = self.caching.answered(self, head)
            if taken is None:
                return False
            head = taken
        self.begin_answer(head)
        return True

    def begin_answer(self, head: ResponseHead) -> None:
        """Begin the answer with this head, wherever it comes from."""
        self._held_answer = None
        self.status = head.status
        self._held = None
        if self.downstream.plane.access_log is not None:
            self.first_byte = monotonic()
        self._answer = Answer(self, head)
        self._is_leaving = self.downstream.plane.is_draining

    def response_body(self, data: bytes) -> None:
        """Pass on a piece of the response's body."""
        if self._held_answer is not None:
            data = self._held_answer.piece(self, data)
            if not data:
                return
        if self.caching is not None:
            data = self.caching.passed(data)
        events = self._answer.events
        if events is None:
            self._pass_on(self._answer.piece(self, data))
        else:
            self._pass_on_events(events, data)

    def _pass_on_events(self, events: EventStream, data: bytes) -> None:
        whole = events.take(data)
        if whole and self._is_leaving:
            self._end_stream(data[:whole])
        else:
            self._pass_on(self._answer.piece(self, data))

    def is_event_stream(self) -> bool:
        """Say whether the answer has not ended, and can end between any two events."""
        return self.upstream is not None and self._answer is not None and self._answer.events is not None

    def leave(self) -> None:
        """End an event stream as soon as it is between two events."""
        self._is_leaving = True
        self.drain()

    def drain(self) -> None:
        """End an event stream that has to leave if it is between two events; anything else may finish."""
        if self._is_leaving and self.is_event_stream() and self._answer.events.is_between:  # type: ignore[union-attr]
            self._end_stream(b"")

    def _end_stream(self, data: bytes) -> None:
        """End the answer although the backend has more: the client will ask for what follows somewhere else."""
        self.keeps_client = False
        self.drop_upstream()
        if self.caching is not None:
            self.caching.ended(self)  # this is not all of it, so nobody else gets it
            self.caching = None
        self.end_response(data, None)

    def end_response(self, data: bytes, trailers: list[tuple[bytes, bytes]] | None) -> None:
        """Pass on the last piece of the response's body, and what trailers the client can take."""
        self.upstream = None  # it may serve another exchange already: what this client does no longer concerns it
        if self._held_answer is not None:
            body = self._held_answer.last_piece(self, data)
            if body is None:
                return
            data = body
        if self.caching is not None:
            left = self.caching.last(self, data)
            if left is None:
                return
            data = left
        self.goes_on(self._answer.last_piece(self, data, trailers))

    def goes_on(self, data: bytes) -> None:
        """Pass on what has been made of the response's body; end with it, or let more of it come."""
        self._pass_on(data)
        if self._answer.is_busy():
            return
        if self.upstream is None:
            self._end()
            self.downstream.exchange_ended(self.keeps_client)
        elif not self.downstream.is_full:
            self.upstream.resume_reading()

    def client_reads_on(self) -> None:
        """Let more of the response come, if that is what the client has waited for."""
        if self.upstream is not None and not (self.status and self._answer.is_busy()):
            self.upstream.resume_reading()

    def _pass_on(self, data: bytes) -> None:
        if data:
            self.response_bytes += len(data)
            self.downstream.write(data)

    def switched(self, data: bytes) -> "Pool":
        """Send the client the 101 of the backend, and end here: a tunnel has the connections now.

        Return the pool whose backend goes on to have this in flight.
        """
        plane = self.downstream.plane
        self.attempts.answered(plane.ticker.now, 101)
        self.attempts.accepted()
        self.status = 101
        if plane.access_log is not None:
            self.first_byte = monotonic()
        self.response_bytes += len(data)
        self.downstream.write(data)
        pool, self._taken = cast("Pool", self._taken), None
        self.upstream = None
        self._end()
        return pool

    def upstream_failed(self, error: UpstreamError, upstream: "Upstream") -> None:
        """Send the request again where that is safe, else tell the client, or break off what it has begun to read."""
        self.upstream = None
        plane, attempts = self.downstream.plane, self.attempts
        if self.status:
            attempts.failed(plane.ticker.now, error)
            self._note(error)
            self._end()
            self.downstream.abort()
        elif upstream.is_reused and error.retry is not Retry.NEVER:  # this says nothing about the backend
            outcome = Outcome.STALE_UNSENT if error.retry is Retry.ALWAYS else Outcome.STALE_SENT
            if self.is_whole() and may_resend(outcome, self):
                attempts.count -= 1
                self._attempt(cast("Target", attempts.target))
            else:
                self.refuse(error)
        elif error.retry is Retry.ALWAYS and self.is_whole():  # as if there had been no connection
            plane.row.add(layout.UPSTREAM_FAILURES, 1)
            self._leave_backend()
            self._not_connected(error)
        else:
            plane.row.add(layout.UPSTREAM_FAILURES, 1)
            had_little_time = attempts.count > 1 or self.route.crowd is not None
            if error.reason != "exchange_timeout" or not had_little_time:
                attempts.failed(plane.ticker.now, error)
            if attempts.recover(self, Outcome.LOST):
                self._leave_backend()
            else:
                self.refuse(error)

    # The way to a backend.

    def _start_clock(self) -> None:
        """Begin to count the time that the answer may take: the last byte of the request is here."""
        seconds = self.route.exchange_seconds
        self._deadline = self.downstream.plane.ticker.now + seconds if seconds else _NEVER

    def start_round(self) -> None:
        """Try all backends again."""
        self._go_to(self.attempts.begin_round(self.downstream.plane.ticker.now))

    def _go_to(self, target: "Target | None") -> None:
        """Make an attempt with this backend; if there is none, come back to what went wrong before."""
        attempts = self.attempts
        if target is not None:
            self._attempt(target)
        elif attempts.error is None:
            self.refuse(unavailable.reason(attempts.choices, self.downstream.plane.ticker.now))
        elif attempts.recover(self, Outcome.NOT_CONNECTED):
            self._leave_backend()
        else:
            self.refuse(attempts.error)

    def _attempt(self, target: "Target") -> None:
        self.attempts.target = target
        self.attempts.count += 1
        upstream = target.pool.take(self.is_idempotent(), self)
        if upstream is None:
            self.task = self.downstream.plane.loop.create_task(self._connect(target))
        else:
            self._send(upstream, target.pool)

    async def _connect(self, target: "Target") -> None:
        try:
            upstream = await target.pool.connect(self.route.connect_seconds, target.most_connections, self)
            self.task = None
            self.connected = monotonic()
            self._send(upstream, target.pool)
        except (UpstreamError, Overloaded) as error:
            self.task = None
            self._not_connected(error)
        except Exception:
            self.task = None
            self.request_failed(KairosError("Internal error"))
            raise  # a defect: the loop's exception handler logs it

    def _not_connected(self, error: UpstreamError | Overloaded) -> None:
        """Go on with the next backend of this round, if there is time."""
        attempts, now = self.attempts, self.downstream.plane.ticker.now
        attempts.failed(now, error)
        if self.has_time_for(0.0):
            attempts.error = error.with_traceback(None)  # which leads back here, and so to a cycle
            self._go_to(attempts.choose(now))
        else:
            self.refuse(unavailable.too_late(self.route, error.message))

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
        lines = self.forwarded
        if self.request_lines:
            lines += self.request_lines
        copies = self.route.copies
        if self.caching is not None and self.caching.strips:
            copies = self.caching.cache.copies
        is_trusted = self._is_trusted and not self.downstream.has_certificate  # then we say more than the peer may
        usual = copies.trusted_request if is_trusted else copies.request
        data = request_head(head, self.target, host, lines, self.request_id, usual)
        if self.route.request_change is not None:
            data = self.route.request_change.head(data)
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

    def is_whole(self) -> bool:
        """Say whether the request could be sent again: what has come of it is here, and the client knows of nothing."""
        is_here = self._held is not None or self.request_bytes == len(self.head.raw)
        return is_here and not self._has_told

    def drop_upstream(self) -> None:
        """Break off whatever is under way to a backend."""
        if self.task is not None:
            self.task.cancel()
            self.task = None
        if self.upstream is not None:
            self.upstream.abort()
            self.upstream = None

    def _leave_backend(self) -> None:
        if self._taken is not None:
            self._taken.left()
            self._taken = None

    # The way back.

    def reply(self, reply: LocalReply) -> None:
        """Answer here."""
        downstream = self.downstream
        self.status = reply.status
        is_refused = isinstance(reply.error, BadRequest)  # RFC 9112 section 9.6: nothing after it can be trusted
        self.keeps_client = downstream.keeps_alive(self) and not is_refused
        if reply.error is not None:
            self._note(reply.error)
        path = self.head.target.partition(b"?")[0].decode("latin-1")
        lines = downstream.plane.ticker.date_line + self.snapshot.via + self.connection_line() + self.lines
        data = local_reply(reply, self.request_id, lines, path=path, has_body=self.head.method != b"HEAD")
        self.response_bytes += len(data)
        downstream.plane.row.add(layout.LOCAL_REPLIES, 1)
        downstream.write(data)
        self._end()
        downstream.exchange_ended(self.keeps_client)

    def _note(self, error: KairosError) -> None:
        """Remember why the exchange did not go well."""
        self.reason = error.reason
        if error.limit is not None:
            self.limit = str(error.limit)
            plane = self.downstream.plane
            plane.limit_log.tell(plane.ticker.now, error, self.client)

    def connection_line(self) -> bytes:
        """Return the field that tells the client whether its connection goes on, if it has to be told."""
        if not self.keeps_client:
            return b"Connection: close\r\n"
        return b"" if self.head.is_http11 else b"Connection: keep-alive\r\n"

    def _end(self) -> None:
        """Count and log; always, and once."""
        plane = self.downstream.plane
        row = plane.row
        self._leave_backend()
        if self.caching is not None:
            self.caching.ended(self)
        self.attempts.end(plane.ticker.now)
        plane.in_flight -= 1
        row.add(_IN_FLIGHT, -1)
        row.add(_RESPONSES_1XX + min(self.status // 100, 5) - 1, 1)  # RFC 9110 section 15: 600 and up are errors
        if self.route is not None:
            row.add(self.route.column, 1)
            if self.route.crowd is not None:
                self.route.crowd.left(self, self._is_admitted)
        if self.upgrade is not None:
            self.upgrade.end()
        row.add(_BYTES_IN, self.request_bytes)
        row.add(_BYTES_OUT, self.response_bytes)
        if plane.access_log is not None:
            plane.access_log.write(self)
