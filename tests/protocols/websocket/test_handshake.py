"""The change of protocols: what may be asked for, and what may be agreed to."""

import pytest

from kairos.errors import KairosError, UpstreamError
from kairos.protocols.http1.head import RequestHead, ResponseHead
from kairos.protocols.websocket.handshake import Offer, accept_of, agreement, check_request, offer_of

KEY, ACCEPT = b"dGhlIHNhbXBsZSBub25jZQ==", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3

UPGRADE = (b"Connection: Upgrade", b"Upgrade: websocket")
GOOD = (*UPGRADE, b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: " + KEY)


def request(*lines: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> RequestHead:
    return RequestHead(b"\r\n".join((method + b" /chat HTTP/" + version, b"Host: a", *lines, b"", b"")))


def answer(*lines: bytes) -> ResponseHead:
    return ResponseHead(b"\r\n".join((b"HTTP/1.1 101 Switching Protocols", *lines, b"", b"")), False)


def test_the_example_of_the_rfc() -> None:
    assert accept_of(KEY) == ACCEPT


@pytest.mark.parametrize(
    "lines",
    [
        UPGRADE,
        (b"connection: keep-alive, UPGRADE", b"upgrade: WebSocket"),
        (b"Connection: foo", b"Connection: upgrade", b"Upgrade: websocket"),
    ],
)
def test_an_offer_is_found(lines: tuple[bytes, ...]) -> None:
    offer = offer_of(request(*lines))
    assert offer is not None
    assert offer.has_websocket


@pytest.mark.parametrize(
    "head",
    [
        request(),
        request(b"Upgrade: websocket"),
        request(b"Connection: Upgrade"),
        request(b"Connection: Upgrade", b"Upgrade: ,"),
        request(*GOOD, version=b"1.0"),
        request(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c"),
        request(b"Connection: Upgrade", b"Upgrade: TLS/1.2, HTTP/2.0, H2C"),
    ],
)
def test_there_is_nothing_to_change_to(head: RequestHead) -> None:
    assert offer_of(head) is None


def test_what_would_lead_past_the_gateway_is_taken_out_of_the_offer() -> None:
    offer = offer_of(request(b"Connection: Upgrade", b"Upgrade: h2c, Foo/2, websocket"))

    assert offer is not None
    assert offer.lines == b"Connection: Upgrade\r\nUpgrade: Foo/2, websocket\r\n"


def refused(head: RequestHead) -> tuple[int, str]:
    offer = offer_of(head)
    assert offer is not None
    with pytest.raises(KairosError) as caught:
        check_request(head, offer)
    return caught.value.status, caught.value.message


def test_a_handshake_is_checked() -> None:
    head = request(*GOOD)
    offer = offer_of(head)
    assert offer is not None

    check_request(head, offer)

    assert refused(request(*GOOD, method=b"POST")) == (405, "A WebSocket is opened with GET")
    assert refused(request(*GOOD, b"Content-Length: 1")) == (400, "Handshake error: a body")
    assert refused(request(*GOOD[:2], GOOD[3])) == (400, "WebSocket version header is required")
    assert refused(request(*GOOD[:3])) == (400, "Handshake error: Sec-WebSocket-Key")


@pytest.mark.parametrize("version", [b"8", b"7", b"12", b"013", b"13, 8", b""])
def test_only_one_version_is_known(version: bytes) -> None:
    head = request(*UPGRADE, GOOD[3], b"Sec-WebSocket-Version: " + version)
    assert refused(head) == (426, "Unsupported WebSocket version")


@pytest.mark.parametrize("key", [b"", b"short", b"dGhlIHNhbXBsZSBub25jZQ", KEY + b", " + KEY, b"!" * 22 + b"=="])
def test_a_key_is_16_bytes(key: bytes) -> None:
    assert refused(request(*GOOD[:3], b"Sec-WebSocket-Key: " + key)) == (400, "Handshake error: Sec-WebSocket-Key")


OFFER = Offer((b"websocket",), KEY, b"13", (b"chat.v2", b"chat"), (b"permessage-deflate",))
AGREED = (*UPGRADE, b"Sec-WebSocket-Accept: " + ACCEPT)


def test_a_backend_agrees() -> None:
    plain = agreement(OFFER, answer(*AGREED))
    full = agreement(
        OFFER,
        answer(
            *AGREED,
            b"Sec-WebSocket-Protocol: chat",
            b"Sec-WebSocket-Extensions: Permessage-Deflate; server_no_context_takeover",
        ),
    )

    assert (plain.is_websocket, plain.has_extensions) == (True, False)
    assert (full.is_websocket, full.has_extensions) == (True, True)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (AGREED[1:], "malformed"),  # so says the parser
        ((AGREED[0], AGREED[2]), "malformed"),
        ((AGREED[0], b"Upgrade: foo", AGREED[2]), "a protocol that was not offered"),
        (AGREED[:2], "did not accept"),
        ((*AGREED[:2], b"Sec-WebSocket-Accept: " + KEY), "did not accept"),
        ((*AGREED, AGREED[2]), "did not accept"),
        ((*AGREED, b"Sec-WebSocket-Protocol: Chat"), "a subprotocol that was not offered"),
        ((*AGREED, b"Sec-WebSocket-Protocol: chat, chat.v2"), "a subprotocol that was not offered"),
        ((*AGREED, b"Sec-WebSocket-Extensions: permessage-deflate, mux"), "an extension that was not offered"),
    ],
)
def test_a_backend_does_not_agree(lines: tuple[bytes, ...], why: str) -> None:
    with pytest.raises(UpstreamError, match=why):
        agreement(OFFER, answer(*lines))


def test_other_protocols_have_no_handshake_that_we_know() -> None:
    found = agreement(Offer((b"foo/1", b"bar")), answer(b"Connection: upgrade", b"Upgrade: FOO/1"))

    assert not found.is_websocket
    assert found.lines == b"Connection: Upgrade\r\nUpgrade: FOO/1\r\n"
