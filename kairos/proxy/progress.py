"""Progress: whether bytes that are due arrive, and fast enough."""

from math import inf


class Progress:
    """Watch a flow of bytes over windows of time. No clock: callers pass `now`.

    How it works: a window begins with `begin` and lasts `seconds`, in which at least `rate` bytes per second have to
    come. A flow without any byte for `seconds` is stalled. `seconds` of 0 watches nothing.
    """

    __slots__ = ("_at_begin", "_began", "_moved", "_moved_at", "_rate", "_seconds")

    def __init__(self, seconds: float, rate: float) -> None:
        self._seconds = seconds
        self._rate = rate
        self._at_begin = 0
        self._began = 0.0
        self._moved = 0
        self._moved_at = 0.0

    def begin(self, now: float, moved: int) -> float:
        """Watch from now on, at which `moved` bytes have come; return when to look again."""
        self._began = self._moved_at = now
        self._at_begin = self._moved = moved
        return now + self._seconds if self._seconds else inf

    def advanced(self, now: float, moved: int) -> None:
        """Note that by now `moved` bytes have come."""
        if moved > self._moved:
            self._moved = moved
            self._moved_at = now

    def look(self, now: float) -> float:
        """Return when to look again, or 0 if the flow is stalled or too slow."""
        if now - self._moved_at >= self._seconds:
            return 0.0
        if now - self._began >= self._seconds:
            if self.measured(now) < self._rate:
                return 0.0
            self._began = now
            self._at_begin = self._moved
        return min(self._began, self._moved_at) + self._seconds

    def measured(self, now: float) -> float:
        """Return the bytes per second of the window that runs."""
        return (self._moved - self._at_begin) / max(now - self._began, 1e-9)
