"""Two connections that have changed from HTTP to another protocol: what one sends, the other gets."""

import asyncio
from typing import TYPE_CHECKING

from kairos.config.policies import WebSocket
from kairos.protocols.websocket.frames import ABNORMAL, GOING_AWAY
from kairos.proxy import patience
from kairos.proxy.end import End, scanner
from kairos.proxy.ticker import NEVER
from kairos.shm import layout

if TYPE_CHECKING:
    from kairos.protocols.websocket.handshake import Agreement
    from kairos.proxy.plane import DataPlane
    from kairos.proxy.pool import Pool
    from kairos.proxy.tunnels import Group

BUFFER_HIGH = 64 << 10  # unsent bytes above which transports pause who writes
CLOSE_SECONDS = 5.0  # for what is left when one side has gone, or both have been told to go

Taken = tuple[asyncio.Transport, bytes]
"""A connection, and what has been read from it already."""


class Tunnel:
    """Both ends, and what holds for them together. It knows nothing of the exchange and of the config before it."""

    __slots__ = (
        "_is_closing",
        "_is_counted",
        "_plane",
        "_pool",
        "_stall",
        "backend",
        "client",
        "code",
        "deadline",
        "ends_at",
        "group",
        "is_websocket",
        "leaves_at",
        "settings",
    )

    def __init__(
        self, plane: "DataPlane", group: "Group", settings: WebSocket, pool: "Pool", agreement: "Agreement"
    ) -> None:
        """`pool` has counted an exchange that its backend has in flight, `group` a connection."""
        self._plane = plane
        self._pool = pool
        self._is_counted = False
        self._is_closing = False
        self._stall = settings.stall
        self.settings = settings
        self.ends_at = NEVER  # because of its age
        self.leaves_at = NEVER  # because its route has been removed
        self.group = group
        self.code = 0  # of the first Close
        self.deadline = NEVER
        self.is_websocket = agreement.is_websocket
        self.client = End(self, plane, scanner(settings, agreement, is_masked=True), is_client=True)
        self.backend = End(self, plane, scanner(settings, agreement, is_masked=False), is_client=False)

    def begin(self, client: Taken, backend: Taken, *, is_counted: bool, life: float) -> None:
        """Take the connections over. `is_counted` tells that the pool has counted that of the backend."""
        plane, self._is_counted = self._plane, is_counted
        plane.tunnels.add(self)
        plane.ticker.watch(self)
        plane.row.add(layout.WEBSOCKETS, 1)
        plane.row.add(layout.WEBSOCKETS_OPEN, 1)
        self.group.tunnels.add(self)
        if life:
            self.ends_at = plane.ticker.now + life
        self.client.join(self.backend, client[0])
        self.backend.join(self.client, backend[0])
        for end in (self.client, self.backend):
            if end.transport.get_write_buffer_size() > BUFFER_HIGH:  # so its protocol has been told, which we are now
                end.pause_writing()
        for end, (_, early) in ((self.backend, backend), (self.client, client)):
            if early:
                end.data_received(early)
        self.look_again()
        if self.group.is_removed:
            self.route_removed()
        if plane.is_draining and self.is_websocket:
            self.close(GOING_AWAY)

    # What the ends report.

    def saw_close(self, code: int) -> None:
        """Remember the first Close, whichever side it came from."""
        if not self.code:
            self.code = code

    def ended(self, end: End) -> bool:
        """Pass on that one side sends no more; say whether its connection stays open for what it is still sent."""
        if self._is_closing:
            return False
        end.peer.end_writing()
        self.look_again()
        if end.peer.has_ended:
            end.peer.let_go()
            return False
        return end.transport.can_write_eof()

    def lost(self, end: End) -> None:
        """End the other connection too, when everything is sent; after the second one end altogether."""
        row = self._plane.row
        if end is self.client:
            row.add(layout.CONNECTIONS_OPEN, -1)
        else:
            row.add(layout.UPSTREAM_OPEN, -1)
            self._pool.left()
            if self._is_counted:
                self._pool.opened(-1)
        peer = end.peer
        if peer.is_lost:
            self._end()
            return
        awaits_answer = self._is_closing and end.is_over
        peer.is_alone(awaits_answer)
        self._begin_to_close()

    def _end(self) -> None:
        plane = self._plane
        plane.tunnels.discard(self)
        plane.ticker.forget(self)
        plane.row.add(layout.WEBSOCKETS_OPEN, -1)
        self.group.left(self, (self.code or ABNORMAL) if self.is_websocket else None)
        self.client.forget()
        self.backend.forget()

    # How it ends.

    def close(self, code: int) -> None:
        """End with a Close frame both ways, each between two frames; a tunnel of other bytes just ends."""
        if self._is_closing:
            return
        self.saw_close(code)
        self._begin_to_close()
        for end in (self.client, self.backend):
            if self.is_websocket:
                end.finish(code)
            else:
                end.let_go()
        for end in (self.client, self.backend):
            if self.is_websocket:
                end.close_if_answered()

    def abort(self) -> None:
        """Break both connections off."""
        for end in (self.client, self.backend):
            end.abort()

    def _begin_to_close(self) -> None:
        self._is_closing = True
        self.deadline = self._plane.ticker.now + CLOSE_SECONDS

    def route_removed(self) -> None:
        """Live on for as long as the route has said that its connections may."""
        if self.settings.removal is not None:
            self.leaves_at = self._plane.ticker.now + self.settings.removal
            self.look_again()

    def route_returned(self) -> None:
        """Live on."""
        self.leaves_at = NEVER

    # What the ticker calls.

    def look_again(self) -> None:
        """Set the deadline anew."""
        if not self._is_closing:
            self.deadline = patience.next_look(self)

    def slowed(self, now: float) -> None:
        """Look in time whether a side that reads slowly reads at all."""
        if self._stall and now + self._stall < self.deadline:
            self.deadline = now + self._stall

    def expired(self, now: float) -> None:
        """Give up, or ask whether the other sides live."""
        if self._is_closing:
            if any(end.is_busy(now, CLOSE_SECONDS) for end in (self.client, self.backend)):
                self.deadline = now + CLOSE_SECONDS
            else:
                self.deadline = NEVER
                self.abort()
            return
        if patience.is_stuck(self, now):
            self.abort()
            return
        if patience.is_over(self, now):
            self.close(GOING_AWAY)
            return
        if self.is_websocket and self.settings.ping:
            for end in (self.client, self.backend):
                if patience.is_silent(end, self.settings, now):
                    end.ask(now)
        self.look_again()
