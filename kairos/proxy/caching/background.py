"""Ask a backend for a new answer while the client has got the old one (RFC 5861 section 3)."""

import asyncio
from typing import TYPE_CHECKING, Any

from kairos.protocols.http1.head import RequestHead

if TYPE_CHECKING:
    from kairos.proxy.caching.fetch import Fetch
    from kairos.proxy.exchange import Exchange


class Nowhere(asyncio.Transport):
    """A transport to nobody, who reads everything at once."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Forget it."""

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Nothing is known of nobody."""
        return default

    def is_closing(self) -> bool:
        """It is not even open."""
        return False

    def can_write_eof(self) -> bool:
        """There is no other side."""
        return False

    def close(self) -> None:
        """There is nothing to close."""

    abort = close
    pause_reading = close
    resume_reading = close


def ask_in_background(exchange: "Exchange", fetch: "Fetch") -> None:
    """Begin an exchange like this one, which has passed all filters, on a connection with nobody at its end."""
    from kairos.proxy.admission import change_request  # here, because they import those who import this module
    from kairos.proxy.downstream import Downstream
    from kairos.proxy.exchange import Exchange

    client = exchange.downstream
    downstream = Downstream(client.plane, client.listener)
    downstream.stand_in(client, Nowhere())
    raw = exchange.head.raw
    head = RequestHead(b"GET" + raw[4:] if raw.startswith(b"HEAD ") else raw)
    twin = Exchange(downstream, head, exchange.snapshot)
    twin.route = exchange.route
    twin.target = exchange.target
    twin.identity = exchange.identity
    twin.request_lines = exchange.request_lines
    downstream.serve(twin)
    fetch.twin(downstream).begin(twin, is_lead=True)
    if change_request(twin):
        twin.begin()
