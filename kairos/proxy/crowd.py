"""How many requests a route has in progress, and the line of those that wait until there is room."""

from collections import deque
from typing import TYPE_CHECKING

from kairos.errors import Overloaded

if TYPE_CHECKING:
    from kairos._speedups.selection import Loads
    from kairos.proxy.exchange import Exchange
    from kairos.proxy.plane import DataPlane


class Crowd:
    """The requests of one route, where they are limited.

    Requests are counted in the worker's row, and added up over all workers. They are counted before they are compared,
    so that two workers never both let the last one in. The line is of one worker: it moves up when one of its own
    requests ends, and at every tick, in case one of another worker has.
    """

    __slots__ = ("_column", "_line", "_loads", "_longest", "_most", "_plane", "_seconds")

    def __init__(
        self, plane: "DataPlane", column: int, loads: "Loads", *, most: int, longest: int, seconds: float
    ) -> None:
        """`column` counts, `loads` adds up; `most` is 0 for any number; in the line wait up to `longest`."""
        self._plane = plane
        self._column = column
        self._loads = loads
        self._most = most
        self._longest = longest
        self._seconds = seconds
        self._line: deque[tuple[float, Exchange]] = deque()

    def has_line(self) -> bool:
        """Say whether requests wait, whose turn is before that of a new one."""
        return bool(self._line)

    def has_room(self) -> bool:
        """Say whether another request could be let in."""
        return not self._most or self._loads.load(0) < self._most

    def enter(self) -> bool:
        """Let a request in and count it, if there is room."""
        row = self._plane.row
        row.add(self._column, 1)
        if self._most and self._loads.load(0) > self._most:
            row.add(self._column, -1)
            return False
        return True

    def leave(self) -> None:
        """Count one request less."""
        self._plane.row.add(self._column, -1)

    def left(self, exchange: "Exchange", was_admitted: bool) -> None:
        """Note that a request has ended, in the route or in the line."""
        if was_admitted:
            self.leave()
            if self._line:
                self._plane.loop.call_soon(self._move_up)
        elif self._line:
            self._line = deque(one for one in self._line if one[1] is not exchange)

    def wait(self, exchange: "Exchange") -> bool:
        """Put a request at the end of the line, unless that is too long."""
        if len(self._line) >= self._longest:
            return False
        if not self._line:
            self._plane.crowds.add(self)
        self._line.append((self._plane.ticker.now + self._seconds, exchange))
        return True

    def move_up(self, now: float) -> None:
        """Let in those for whom there is room now, and refuse those who have waited too long."""
        for _ in range(len(self._line)):
            until, exchange = self._line.popleft()
            if exchange.go_on():
                continue
            if until > now:
                self._line.appendleft((until, exchange))
                break
            exchange.find_no_room()
        if not self._line:
            self._plane.crowds.discard(self)

    def _move_up(self) -> None:
        self.move_up(self._plane.ticker.now)

    def full(self) -> Overloaded:
        """Return what is told to those who find no room."""
        return Overloaded(self._most, setting="concurrency.max_requests", reason="route_busy")
