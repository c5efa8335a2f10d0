"""Messages come back, at the rate that was asked for."""

from benchmarks.load.websocket import ECHO, MESSAGE, TEXT, Echo, WebSockets, agreement


def test_every_message_comes_back() -> None:
    with Echo() as echo, WebSockets(echo.port) as sockets:
        sockets.open(3)

        report = sockets.exchange(200, 1)

    assert report.requests == 200
    assert report.per_second == 200


def test_the_origin_agrees_as_the_rfc_shows() -> None:
    head = b"GET /chat HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n" in agreement(head)


def test_clients_mask_and_the_origin_does_not() -> None:
    assert len(MESSAGE) == 2 + 4 + len(TEXT)
    assert TEXT not in MESSAGE
    assert ECHO.endswith(TEXT)
