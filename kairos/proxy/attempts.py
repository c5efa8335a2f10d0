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
_READY, _UP, _ANY = 0, 1, 2  # states of a backend, from the best to the worst


class Attempts:
    """The attempts of one exchange.

    In a round each backend has its turn at most once. A round goes on at once where a backend could not be reached; a
    new one begins after a pause, if the route retries.
    """

    __slots__ = ("_is_answered", "_is_probe", "_last", "_recovery", "_tried", "choices", "count", "error", "target")

    def __init__(self) -> None:
        self.choices: Sequence[Target] = ()  # all backends of the route, in order of choice
        self.count = 0  # attempts so far
        self.error: KairosError | None = None  # of the last attempt that found no connection
        self.target: Target | None = None  # the backend of the last attempt
        self._is_answered = False  # the backend has begun to answer, and nothing has gone wrong with that so far
        self._is_probe = False  # this attempt finds out for a breaker how the backend is
        self._last = 0  # the bit of the last one
        self._recovery: Recovery | None = None  # made with the first failure
        self._tried = 0  # a bit for each of the choices that had its turn in this round

    def choose(self, now: float) -> "Target | None":
        """Return the first in order of choice that takes the request, of those whose turn has not been in this round.

        Where none is up, health is ignored: then it is more likely that what judges it is wrong.
        """
        self._settle(now)
        return self._pick(now, _READY, _ANY)

    def begin_round(self, now: float) -> "Target | None":
        """Let every backend have its turn again, and another one than the last first; return the first."""
        self._settle(now)
        target = None
        for best, worst in ((_READY, _UP), (_ANY, _ANY)):
            for tried in (self._last, 0):
                if target is None:
                    self._tried = tried
                    target = self._pick(now, best, worst)
        return target

    def _pick(self, now: float, best: int, worst: int) -> "Target | None":
        """Return the first of those that are in the best state, else of those in the next, down to the worst."""
        for state in range(best, worst + 1):
            bit = 1
            for target in self.choices:
                is_fit = state == _ANY or (target.is_up(now) and (state == _UP or target.is_ready(now)))
                if not self._tried & bit and is_fit:
                    verdict = target.take(now)
                    if verdict != _REFUSED:
                        self._tried |= bit
                        self._last = bit
                        self._is_probe = verdict == _PROBE
                        return target
                if bit < _LAST_BIT:  # those beyond share a bit
                    bit <<= 1
        return None

    def answered(self, now: float, status: int) -> None:
        """Note that the backend has begun to answer. Whether it answers to the end is seen when the exchange ends."""
        target: Target = self.target  # type: ignore[assignment]
        if target.counts_status is not None and status in target.counts_status:
            target.failed(now, self._is_probe, f"status {status}")
            self._is_probe = False
        else:
            self._is_answered = True
        if target.ejection is not None:
            if status >= 500:
                target.erred(now, self._others_are_up(now))
            else:
                target.ejection.succeeded()

    def accepted(self) -> None:
        """Note that the client gets this answer: no more retries, and what they hold is free for others."""
        if self._recovery is not None:
            self._recovery.end()
            self._recovery = None

    def failed(self, now: float, error: KairosError) -> None:
        """Note that the backend has failed, unless it was we who did not want a connection."""
        if isinstance(error, UpstreamError):
            cast("Target", self.target).failed(now, self._is_probe, error.reason)
            self._is_probe = self._is_answered = False

    def recover(self, exchange: "Exchange", outcome: Outcome, told_seconds: float = 0.0) -> bool:
        """Let the request be sent again later, if the route retries and it is safe; say whether it will be."""
        policy, plane = exchange.route.retry, exchange.downstream.plane
        if policy is None or not exchange.is_whole():
            return False
        if self._recovery is None:
            self._recovery = Recovery(exchange, plane, policy)
        has_others = self._others_are_up(plane.ticker.now)
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

    def end(self, now: float) -> None:
        """Make no more."""
        self._settle(now)
        self.accepted()

    def _others_are_up(self, now: float) -> bool:
        return any(one is not self.target and not one.is_drained and one.is_up(now) for one in self.choices)

    def _settle(self, now: float) -> None:
        """Report how the attempt went that is over; if it has told nothing, another request may be the probe."""
        target: Target = self.target  # type: ignore[assignment]
        if self._is_answered:
            target.succeeded(now, self._is_probe)
        elif self._is_probe:
            target.abandoned()
        self._is_answered = self._is_probe = False
