"""The access log: one JSON record per exchange."""

from dataclasses import dataclass

import orjson


@dataclass(slots=True)
class AccessRecord:
    """What one exchange was. Durations are milliseconds; None where a phase was not reached."""

    timestamp: str
    client: str
    method: str
    host: str
    path: str
    status: int
    reason: str
    limit: str | None
    request_id: str
    route: str | None
    backend: str | None
    attempts: int
    request_bytes: int
    response_bytes: int
    connect_ms: float | None
    first_byte_ms: float | None
    total_ms: float

    def encode(self) -> bytes:
        """Write the record as one line of JSON."""
        return orjson.dumps(self, option=orjson.OPT_APPEND_NEWLINE)
