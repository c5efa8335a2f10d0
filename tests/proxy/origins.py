"""A backend with an idle timeout, for worlds whose clock stands still."""

from collections.abc import Callable

from kairos.proxy.ticker import TICK_SECONDS
from tests.proxy.messages import OK
from tests.proxy.world import Peer, Server, World

WAY_SECONDS = 0.005  # how long a request is on its way


class TimedOrigin:
    """Answer every request, and close what has been idle for `timeout` seconds, give or take `jitter` of it.

    A request that is on its way when that happens finds its connection reset: it is counted in `stale`, and not acted
    upon. If the origin `is_silent`, nothing else tells that a connection was closed. `draw` gives a number between two.
    `closes` counts the connections that were closed while they were idle.
    """

    def __init__(self, world: World, server: Server, draw: Callable[[float, float], float]) -> None:
        self.timeout = 10.0
        self.jitter = 0.0
        self.most_requests = 0
        self.is_silent = False
        self.stale = 0
        self.closes = 0
        self.acted_on: list[bytes] = []
        self.reused = 0
        self.oldest_reuse = 0.0
        self._world = world
        self._server = server
        self._draw = draw
        self._ends: dict[Peer, float] = {}
        self._idle_since: dict[Peer, float] = {}
        self._served: dict[Peer, int] = {}

    def lets_pass(self, seconds: float) -> None:
        """Let time pass, and close whatever is due."""
        now, end = self._world.clock(), self._world.clock() + seconds
        while now < end:
            self._forget_lost()
            due = min(self._ends.values(), default=end)
            now = min(end, max(due, now), now + max(TICK_SECONDS, seconds / 20))
            self._world.clock.advance(now - self._world.clock())
            self._world.settle()
            for peer in [peer for peer, when in self._ends.items() if when <= now]:
                self._ends.pop(peer)
                if not peer.is_lost and not self.is_silent:
                    self.closes += 1
                    peer.leaves()

    def restarts(self) -> None:
        """Close all connections at once, whatever their age."""
        for peer in self._ends:
            if not peer.is_lost:
                peer.leaves()
        self._ends.clear()

    def serves(self) -> None:
        """Answer the requests that have come."""
        while waiting := [peer for peer in self._server.connections if not peer.is_lost and peer.transport.written]:
            for peer in waiting:
                self._serve(peer)

    def _serve(self, peer: Peer) -> None:
        now, request = self._world.clock(), peer.receives()
        if peer in self._idle_since:
            age = now - self._idle_since[peer]
            if peer not in self._ends or now > self._ends[peer] - WAY_SECONDS:
                self.stale += 1
                self._ends.pop(peer, None)
                peer.resets()
                return
            self.reused += 1
            self.oldest_reuse = max(self.oldest_reuse, age)
        self.acted_on.append(request)
        served = self._served[peer] = self._served.get(peer, 0) + 1
        self._idle_since[peer] = now
        self._ends[peer] = now + self._draw(self.timeout * (1 - self.jitter), self.timeout * (1 + self.jitter))
        peer.sends(OK)
        if served == self.most_requests:
            peer.leaves()

    def _forget_lost(self) -> None:
        for kept in (self._ends, self._idle_since, self._served):
            for peer in [peer for peer in kept if peer.is_lost]:
                del kept[peer]
        self._server.connections[:] = [peer for peer in self._server.connections if not peer.is_lost]
        self._world.peers[:] = [peer for peer in self._world.peers if not peer.is_lost]
