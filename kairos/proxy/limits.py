"""Limits and timeouts of client connections: what is too large or too slow, and how it is told."""

import asyncio
import fcntl
import logging
import termios
from math import inf
from struct import unpack
from typing import TYPE_CHECKING

from kairos._speedups import count_lines
from kairos.errors import BadRequest, KairosError, Limit

if TYPE_CHECKING:
    from kairos.config.document import Limits
    from kairos.proxy.exchange import Exchange
    from kairos.proxy.generation import Snapshot

DEFAULT_STALL_SECONDS, DEFAULT_RATE = 60.0, 128  # of a client without a route
LOG_SECONDS = 1.0  # at most one line per second: whoever floods a gateway must not flood its log

_log = logging.getLogger("kairos.limits")


def deadline(now: float, seconds: float) -> float:
    """Return the moment at which `seconds` are over; 0 is without end."""
    return now + seconds if seconds else inf


def head_too_large(snapshot: "Snapshot", raw: bytes, *, is_whole: bool) -> BadRequest | None:
    """Return the refusal of a head, or of its beginning, that is over a limit of the listener."""
    return head_over(snapshot.settings.limits, raw, is_whole=is_whole)


def head_over(bounds: "Limits", raw: bytes, *, is_whole: bool = True) -> BadRequest | None:
    """Return the refusal of a head that is over one of these limits."""
    line = raw.partition(b"\r\n")[0]
    method, _, rest = line.partition(b" ")
    target = rest.partition(b" ")[0] if len(method) < bounds.target_bytes else line
    if len(target) > bounds.target_bytes:
        limit = Limit("limits.max_target_bytes", bounds.target_bytes, len(target))
        return BadRequest("The request target is too long", reason="target_too_long", status=414, limit=limit)
    if len(raw) > bounds.head_bytes:
        limit = Limit("limits.max_header_bytes", bounds.head_bytes, len(raw))
        return _fields_too_large("The request head is too large", limit)
    fields = count_lines(raw) - 2
    if is_whole and fields > bounds.fields:
        limit = Limit("limits.max_headers", bounds.fields, fields)
        return _fields_too_large("The request has too many header fields", limit)
    return None


def _fields_too_large(message: str, limit: Limit) -> BadRequest:
    return BadRequest(f"{message}: at most {limit.allowed}", reason="request_head_too_large", status=431, limit=limit)


def head_too_slow(snapshot: "Snapshot", received: int) -> BadRequest:
    """Return the refusal of a head that does not arrive."""
    limit = Limit("timeouts.request_head_seconds", snapshot.request_head_seconds, f"{received} bytes so far")
    message = "The request head did not arrive in time"
    return BadRequest(message, reason="request_head_timeout", status=408, limit=limit)


def body_too_slow(exchange: "Exchange", rate: float) -> BadRequest:
    """Return the refusal of a body that does not arrive."""
    route = exchange.route
    allowed = f"{route.body_stall_seconds:g} s, {route.body_rate:g} bytes/s"
    limit = Limit("timeouts.body_stall_seconds, min_body_rate", allowed, f"{rate:.1f} bytes/s")
    return BadRequest("The request body stalled", reason="request_body_timeout", status=408, limit=limit)


def not_read(exchange: "Exchange | None", rate: float) -> KairosError:
    """Return what is wrong with a client that does not read its answer."""
    stall, least = reading(exchange)
    allowed = f"{stall:g} s, {least:g} bytes/s"
    limit = Limit("timeouts.body_stall_seconds, min_body_rate", allowed, f"{rate:.1f} bytes/s")
    return BadRequest("The answer is not read", reason="client_stalled", status=408, limit=limit)


def reading(exchange: "Exchange | None") -> tuple[float, float]:
    """Return how long a client may read nothing, and how fast it has to read."""
    if exchange is None or exchange.route is None:
        return DEFAULT_STALL_SECONDS, DEFAULT_RATE
    return exchange.route.body_stall_seconds, exchange.route.body_rate


def delivered(written: int, transport: asyncio.Transport, fd: int) -> int:
    """Return how many of the bytes written the client has taken: neither we nor the kernel have them any more."""
    waiting = transport.get_write_buffer_size()
    if fd >= 0:
        try:
            waiting += unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0\0\0\0"))[0]
        except OSError:  # the connection is gone, and with it what the kernel had
            return written - waiting
    return written - waiting


class LimitLog:
    """Tell the operator of limits that were met, and not more often than the log can bear."""

    __slots__ = ("_hidden", "_until")

    def __init__(self) -> None:
        self._hidden = 0
        self._until = 0.0  # when the next line may be written

    def tell(self, now: float, error: KairosError, client: str) -> None:
        """Write which limit a request has met, its setting, and what was measured."""
        if error.limit is None or not _log.isEnabledFor(logging.INFO):
            return
        if now < self._until:
            self._hidden += 1
            return
        more = f" ({self._hidden} more since the last)" if self._hidden else ""
        self._until, self._hidden = now + LOG_SECONDS, 0
        _log.info("%s: %d %s, %s%s", client, error.status, error.reason, error.limit, more)
