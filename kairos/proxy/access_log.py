"""Write the access log: records are collected and appended to the file in one write."""

import logging
import os
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from kairos.errors import KairosError
from kairos.observability.access_log import AccessRecord
from kairos.proxy.replies import timestamp

if TYPE_CHECKING:
    from kairos.proxy.exchange import Exchange

FLUSH_BYTES = 64 << 10
STDOUT = "stdout"

_log = logging.getLogger("kairos.access_log")


class AccessLog:
    """An append-only file of records, one writer among those of other workers: each write holds whole lines."""

    __slots__ = ("_fd", "_is_failing", "_lines", "_lost", "_path", "_size")

    def __init__(self, path: str) -> None:
        """Open the file; raises OSError."""
        self._path = path
        self._fd = _open(path)
        self._lines: list[bytes] = []
        self._size = 0
        self._lost = 0
        self._is_failing = False

    @property
    def path(self) -> str:
        """Where the records go."""
        return self._path

    def write(self, exchange: "Exchange") -> None:
        """Record an exchange that has ended."""
        head = exchange.head
        now, started = monotonic(), exchange.started
        self._append(
            AccessRecord(
                timestamp=timestamp(),
                client=exchange.client,
                method=head.method.decode(),
                host=head.host.decode("latin-1"),
                path=head.target.partition(b"?")[0].decode("latin-1"),
                status=exchange.status,
                reason=exchange.reason,
                limit=exchange.limit,
                request_id=exchange.request_id.decode("latin-1"),
                route=exchange.route.pattern if exchange.route else None,
                backend=exchange.backend,
                attempts=exchange.attempts.count,
                request_bytes=exchange.request_bytes,
                response_bytes=exchange.response_bytes,
                connect_ms=_milliseconds(started, exchange.connected),
                first_byte_ms=_milliseconds(started, exchange.first_byte),
                total_ms=_milliseconds(started, now) or 0.0,
            )
        )

    def write_refused(self, client: str, error: KairosError, request_id: str) -> None:
        """Record a request that could not be read."""
        self._append(
            AccessRecord(
                timestamp=timestamp(),
                client=client,
                method="",
                host="",
                path="",
                status=error.status,
                reason=error.reason,
                limit=None if error.limit is None else str(error.limit),
                request_id=request_id,
                route=None,
                backend=None,
                attempts=0,
                request_bytes=0,
                response_bytes=0,
                connect_ms=None,
                first_byte_ms=None,
                total_ms=0.0,
            )
        )

    def flush(self) -> None:
        """Append what has been collected. What a full disk refuses is lost, counted, and reported once."""
        if not self._lines:
            return
        data = b"".join(self._lines)
        self._lines.clear()
        self._size = 0
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            self._lost += data.count(b"\n")
            if not self._is_failing:
                self._is_failing = True
                _log.error("the access log %s cannot be written: %s; requests go on", self._path, error.strerror)
            return
        if self._is_failing:
            self._is_failing = False
            _log.warning("the access log %s can be written again; %d records are lost", self._path, self._lost)
            self._lost = 0

    def reopen(self) -> None:
        """Open the file anew by its name, after it has been moved away; on failure keep the old one and say so."""
        self.flush()
        try:
            fd = _open(self._path)
        except OSError as error:
            _log.error("the access log %s cannot be reopened: %s", self._path, error.strerror)
            return
        self.close()
        self._fd = fd

    def close(self) -> None:
        """Write what is left and close."""
        self.flush()
        if self._path != STDOUT:
            os.close(self._fd)

    def _append(self, record: AccessRecord) -> None:
        line = record.encode()
        self._lines.append(line)
        self._size += len(line)
        if self._size >= FLUSH_BYTES:
            self.flush()


def _open(path: str) -> int:
    if path == STDOUT:
        return 1
    return os.open(Path(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def _milliseconds(start: float, end: float) -> float | None:
    return None if not end else round((end - start) * 1000, 3)
