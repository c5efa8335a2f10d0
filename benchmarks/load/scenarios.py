"""What is asked, and over how many connections."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Scenario:
    """Something that is repeated."""

    name: str
    path: str
    connections: int
    kind: Literal["requests", "handshakes", "messages"] = "requests"
    """What is repeated: requests on connections that are kept, connections with one request, WebSocket messages."""
    tls: bool = False


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("small", "/items/42", connections=64),
        Scenario("16k", "/files/16k", connections=16),
        Scenario("1m", "/files/1m", connections=16),
        Scenario("tls", "/items/42", connections=64, tls=True),
        Scenario("handshakes", "/items/42", connections=8, kind="handshakes", tls=True),
        Scenario("websocket", "/echo", connections=64, kind="messages"),
    )
}
MESSAGES_PER_SECOND = 8_000  # of all connections together; it must be less than any proxy can take
SMALL_BYTES = 1 << 10
SMALL = '{"id":42,"name":"a thing","price":{"amount":1999,"currency":"EUR"},"text":"'.ljust(SMALL_BYTES - 2, "x") + '"}'
FILES = {"16k": 16 << 10, "1m": 1 << 20}  # below /files/

# With the Host field that wrk adds these are 11 fields, about what a browser sends to an API.
REQUEST_FIELDS = {
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept": "application/json",
    "Accept-Language": "de,en-US;q=0.7,en;q=0.3",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": "https://shop.example.com/orders?page=3",
    "Authorization": "Bearer " + "0123456789abcdef" * 4,
    "Cookie": "sid=4f2b9c5e7d1a8036; lang=de; consent=all.2026-01-01",
    "X-Request-ID": "0b7e9a54-3c1d-4e8f-9a62-5d7c8b1f2e30",
    "Sec-Fetch-Dest": "empty",
    "Cache-Control": "max-age=0",
}
RESPONSE_FIELDS = {
    "Cache-Control": "private, no-cache",
    "ETag": '"9f86d081884c7d65"',
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=63072000",
}


def write_script(path: Path, fields: Mapping[str, str] = REQUEST_FIELDS) -> Path:
    """Write the Lua that makes wrk send the fields."""
    lines = [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}\n" for name, value in fields.items()]
    path.write_text("".join(lines), encoding="utf-8")
    return path
