"""Upgrade (RFC 9110 section 7.8) to what this route does not speak: ignored, and not passed on."""

from tests.conformance.case import GET, request, seen, served

A = seen(b"GET /a")
WHY = "RFC 9110 section 7.8: a server may ignore it"

CASES = [
    served(
        "h2c",
        request(b"GET /a", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
        A,
        why="RFC 9113 section 3.1: no longer a way to HTTP/2",
    ),
    served(
        "h2c-settings-not-named",
        request(b"GET /a", b"Connection: Upgrade", b"Upgrade: h2c", b"HTTP2-Settings: AAMA"),
        seen(b"GET /a", b"HTTP2-Settings: AAMA"),
        why="RFC 9110 section 7.6.1: only what Connection names",
    ),
    served(
        "websocket",
        request(
            b"GET /a",
            b"Connection: Upgrade",
            b"Upgrade: websocket",
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ),
        seen(b"GET /a", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        why=WHY,
    ),
    served("tls", request(b"GET /a", b"Connection: Upgrade", b"Upgrade: TLS/1.2"), A, why="RFC 2817 section 3.1"),
    served("not-in-connection", request(b"GET /a", b"Upgrade: websocket"), A, why=WHY),
    served("only-in-connection", request(b"GET /a", b"Connection: Upgrade"), A, why=WHY),
    served("keep-alive-too", request(b"GET /a", b"Connection: keep-alive, Upgrade", b"Upgrade: websocket"), A, why=WHY),
    served(
        "close-too", request(b"GET /a", b"Connection: Upgrade, close", b"Upgrade: websocket"), A, closes=True, why=WHY
    ),
    served("in-capitals", request(b"GET /a", b"CONNECTION: UPGRADE", b"UPGRADE: WEBSOCKET"), A, why=WHY),
    served("list", request(b"GET /a", b"Connection: Upgrade", b"Upgrade: h2c, websocket"), A, why=WHY),
    served(
        "then-request",
        request(b"GET /a", b"Connection: Upgrade", b"Upgrade: websocket") + GET,
        A,
        A,
        why="RFC 9110 section 7.8: without a 101 the next bytes are HTTP",
    ),
    served(
        "length",
        request(b"POST /a", b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 4") + b"body" + GET,
        seen(b"POST /a", b"Content-Length: 4", body=b"body"),
        A,
        why=WHY,
    ),
    served(
        "chunked",
        request(b"POST /a", b"Connection: Upgrade", b"Upgrade: h2c", b"Transfer-Encoding: chunked")
        + b"0\r\n\r\n"
        + GET,
        seen(b"POST /a", trailers=b""),
        A,
        why=WHY,
    ),
    served(
        "http10",
        b"GET /a HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        seen(b"GET /a", host=None),
        closes=True,
        why="RFC 9110 section 7.8: ignored in HTTP/1.0",
    ),
]
