"""The access log's record."""

import json
from dataclasses import replace

from kairos.observability.access_log import AccessRecord

RECORD = AccessRecord(
    timestamp="2026-01-02T03:04:05.000006+00:00",
    client="192.0.2.1",
    method="GET",
    host="example.com",
    path="/ä",
    status=200,
    limit=None,
    reason="",
    request_id="an-id",
    route="/{rest...}",
    backend="http://127.0.0.1:8080",
    attempts=1,
    request_bytes=10,
    response_bytes=20,
    connect_ms=None,
    first_byte_ms=1.5,
    total_ms=2.0,
)


def test_a_record_is_one_line_of_json() -> None:
    line = RECORD.encode()

    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "timestamp": "2026-01-02T03:04:05.000006+00:00",
        "client": "192.0.2.1",
        "method": "GET",
        "host": "example.com",
        "path": "/ä",
        "status": 200,
        "reason": "",
        "limit": None,
        "request_id": "an-id",
        "route": "/{rest...}",
        "backend": "http://127.0.0.1:8080",
        "attempts": 1,
        "request_bytes": 10,
        "response_bytes": 20,
        "connect_ms": None,
        "first_byte_ms": 1.5,
        "total_ms": 2.0,
    }


def test_what_a_client_sent_cannot_begin_a_new_line() -> None:
    assert replace(RECORD, path='/a\n{"status": 500}').encode().count(b"\n") == 1
