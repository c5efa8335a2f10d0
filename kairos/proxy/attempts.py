"""The backends that one exchange tries: whose turn is next, and what an attempt says about its backend."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from kairos.errors import KairosError, UpstreamError
from kairos.proxy.recovery import LATER_STATUSES, Recovery, seconds_told
from kairos.resilience.breaker import PROBE, REFUSED
from kairos.resilience.retry import Outcome

if TYPE_CHECKING:
    from kairos.protocols.http1.head import ResponseHead
    from kairos.proxy.exchange import Exchange
    from kairos.proxy.target import Target

# C integers when compiled.
_PROBE, _REFUSED = PROBE, REFUSED
_LAST_BIT = 1 << 62


class Attempts:
    """The attempts of one exchange.

    In a round each backend has its turn at most once. A round goes on at once where a backend could not be reached; a
    new one begins after a pause, if the route retries.
    """

    __slots__ = ("_is_probe", "_last", "_recovery", "_tried", "choices", "count", "error", "target")

    def __init__(self) -> None:
        self.choices: Sequence[Target] = ()  # all backends of the route, in order of choice
        self.count = 0  # attempts so far
        self.error: KairosError | None = None  # of the last attempt that found no connection
        self.target: Target | None = None  # the backend of the last attempt
        self._is_probe = False  # this attempt finds out for a breaker how the backend is
        self._last = 0  # the bit of the last one
        self._recovery: Recovery | None = None  # made with the first failure
        self._tried = 0  # a bit for each of the choices that had its turn in this round

    def choose(self, now: float) -> "Target | None":
        """Return the first in order of choice that takes the request, of those whose turn has not been in this round.

        Where none is well, health is ignored: then it is more likely that what judges it is wrong.
        """
        if self._is_probe:
            self._end_probe()
        for is_picky in (True, False):
            bit = 1
            for target in self.choices:
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

    def begin_round(self, now: float) -> "Target | None":
        """Let every backend have its turn again, and another one than the last first; return the first."""
        self._tried = self._last
        target = self.choose(now)
        if target is None:
            self._tried = 0
            target = self.choose(now)
        return target

    def answered(self, now: float, status: int) -> None:
        """Note that the backend has answered."""
        target = cast("Target", self.target)
        target.answered(now, status, self._is_probe)
        self._is_probe = False
        if status >= 500:
            target.erred(now, self._others_are_well(now))

    def failed(self, now: float, error: KairosError) -> None:
        """Note that the backend has failed, unless it was we who did not want a connection."""
        if isinstance(error, UpstreamError):
            cast("Target", self.target).failed(now, self._is_probe, error.reason)
            self._is_probe = False

    def recover(self, exchange: "Exchange", outcome: Outcome, told_seconds: float = 0.0) -> bool:
        """Let the request be sent again later, if the route retries and it is safe; say whether it will be."""
        policy, plane = exchange.route.retry, exchange.downstream.plane
        if policy is None or not exchange.is_whole():
            return False
        if self._recovery is None:
            self._recovery = Recovery(exchange, plane, policy)
        has_others = self._others_are_well(plane.ticker.now)
        return self._recovery.try_again(outcome, told_seconds, has_others=has_others)

    def recover_from(self, exchange: "Exchange", head: "ResponseHead") -> bool:
        """Do that if this answer is one after which the route retries."""
        policy = exchange.route.retry
        if policy is None:
            return False
        told = seconds_told(head.raw) if head.status in LATER_STATUSES else None
        if told is not None:
            return self.recover(exchange, Outcome.RETRY_LATER, told)
        return head.status in policy.statuses and self.recover(exchange, Outcome.LISTED)

    def end(self) -> None:
        """Make no more."""
        if self._is_probe:
            self._end_probe()
        if self._recovery is not None:
            self._recovery.end()
            self._recovery = None

    def _others_are_well(self, now: float) -> bool:
        return any(one is not self.target and not one.is_drained and one.is_well(now) for one in self.choices)

    def _end_probe(self) -> None:
        """Let another request be the probe: this one has told nothing."""
        self._is_probe = False
        target = cast("Target", self.target)
        if target.breaker is not None:
            target.breaker.abandoned()
