"""A request that waits for the answer to another one."""

from typing import TYPE_CHECKING

from kairos.errors import KairosError
from kairos.proxy import admission
from kairos.proxy.ticker import NEVER

if TYPE_CHECKING:
    from kairos.proxy.exchange import Exchange
    from kairos.proxy.ticker import Ticker


class Waiter:
    """It takes the place of the task of an exchange, and like one it can be cancelled."""

    __slots__ = ("__weakref__", "_exchange", "_patience", "_ticker", "deadline")

    def __init__(self, exchange: "Exchange", ticker: "Ticker", deadline: float) -> None:
        """Wait until the `deadline` at most: then the exchange goes its own way."""
        self._exchange: Exchange | None = exchange
        self._ticker = ticker
        self._patience = self.deadline = deadline
        ticker.watch(self)

    def cancel(self) -> None:
        """Wait no more."""
        self._exchange = None
        self.deadline = NEVER
        self._ticker.forget(self)

    def go_on(self) -> None:
        """Look again what there is."""
        exchange = self._exchange
        if exchange is None:
            return
        self.cancel()
        exchange.task = None
        try:
            if admission.pass_cache(exchange, self._patience):
                exchange.begin()
        except Exception:
            exchange.request_failed(KairosError("Internal error"))
            raise  # a defect: the loop's exception handler logs it

    def expired(self, now: float) -> None:
        """Lose patience."""
        self.go_on()
