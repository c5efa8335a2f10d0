"""When to replace a dead worker: at once, unless it keeps dying."""

from collections import deque

DEATHS = 3  # within WINDOW_SECONDS are too many to be chance
WINDOW_SECONDS = 10.0
FIRST_DELAY_SECONDS = 1.0
MAX_DELAY_SECONDS = 30.0
NO_ROOM_SECONDS = 1.0  # until the next attempt if the machine could not even start a process


class Backoff:
    """Decide how long one slot stays empty. No clock: callers pass `now`."""

    __slots__ = ("_deaths", "_delay")

    def __init__(self) -> None:
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._delay = 0.0

    def died(self, now: float, lived_seconds: float) -> float:
        """Return the seconds to wait before the worker that died is replaced."""
        self._deaths.append(now)
        keeps_dying = len(self._deaths) == DEATHS and now - self._deaths[0] < WINDOW_SECONDS
        still_dies = self._delay > 0 and lived_seconds < WINDOW_SECONDS  # the delays themselves keep deaths apart
        if keeps_dying or still_dies:
            self._delay = min(max(FIRST_DELAY_SECONDS, self._delay * 2), MAX_DELAY_SECONDS)
        else:
            self._delay = 0.0
        return self._delay
