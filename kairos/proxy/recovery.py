"""What happens to an exchange after an attempt has failed: whether it is sent again, and when."""

import asyncio
import time
from email.utils import parsedate_to_datetime
from random import random
from typing import TYPE_CHECKING

from kairos._speedups import FieldSet
from kairos.config.document import Retry
from kairos.resilience.retry import Backoff, Outcome, Verdict, verdict
from kairos.shm import layout

if TYPE_CHECKING:
    from kairos.proxy.exchange import Exchange
    from kairos.proxy.plane import DataPlane

_RETRY_AFTER = FieldSet((b"retry-after",))
_KEY = FieldSet((b"idempotency-key",))
LATER_STATUSES = frozenset((429, 503))  # with Retry-After


class RetryPolicy:
    """How a route makes failed attempts again."""

    __slots__ = ("any_method", "backoff", "on_lost", "percent", "retries", "statuses")

    def __init__(self, settings: Retry) -> None:
        self.backoff = Backoff(settings.initial, settings.longest, settings.multiplier, settings.jitter)
        self.retries = settings.retries
        self.statuses = frozenset(settings.statuses)
        self.on_lost = settings.on_lost
        self.any_method = settings.any_method
        self.percent = settings.budget_percent


class Recovery:
    """The retries of one exchange. It is made with the first failure, so that what goes well pays nothing for it."""

    __slots__ = ("_exchange", "_is_counted", "_plane", "_policy", "_retries", "_timer")

    def __init__(self, exchange: "Exchange", plane: "DataPlane", policy: RetryPolicy) -> None:
        self._exchange = exchange
        self._plane = plane
        self._policy = policy
        self._retries = 0
        self._is_counted = False
        self._timer: asyncio.TimerHandle | None = None

    def try_again(self, outcome: Outcome, told_seconds: float = 0.0, *, has_others: bool = False) -> bool:
        """Send the request again after a pause; say whether that will happen.

        `told_seconds` is how long the backend wants to be left alone. It is left alone if there are others.
        """
        policy, exchange = self._policy, self._exchange
        if not may_resend(outcome, exchange):
            return False
        if self._retries >= policy.retries or (outcome is Outcome.LOST and not policy.on_lost):
            return False
        pause = policy.backoff.pause(self._retries, random())  # noqa: S311
        if not has_others:
            pause = max(pause, told_seconds)
        if not exchange.has_time_for(pause) or not self._is_within_budget():
            return False
        self._retries += 1
        self._timer = self._plane.loop.call_later(pause, self._go)
        return True

    def end(self) -> None:
        """Wait for nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_counted:
            self._plane.retry_budget.leave()
            self._is_counted = False

    def _is_within_budget(self) -> bool:
        if not self._is_counted:
            self._is_counted = self._plane.retry_budget.enter(self._plane.in_flight, self._policy.percent)
        return self._is_counted

    def _go(self) -> None:
        self._timer = None
        self._plane.row.add(layout.RETRIES, 1)
        self._exchange.start_round()


def may_resend(outcome: Outcome, exchange: "Exchange") -> bool:
    """Say whether an exchange may send its request again after an attempt with this outcome."""
    policy = exchange.route.retry
    is_repeatable = policy is not None and (policy.any_method or _KEY.values(exchange.head.raw)[0] is not None)
    return verdict(outcome, is_idempotent=exchange.is_idempotent(), is_repeatable=is_repeatable) is not Verdict.NO


def seconds_told(head: bytes) -> float | None:
    """Return how long an answer asks to wait (RFC 9110 section 10.2.3); None if it does not."""
    (value,) = _RETRY_AFTER.values(head)
    if value is None:
        return None
    if value.isdigit():
        return float(value) if len(value) < 10 else None
    try:
        return max(parsedate_to_datetime(value.decode("latin-1")).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None
