"""The frames that the gateway sends itself are ones that an endpoint can read."""

from kairos.protocols.websocket.control import close_frame, payload_of, ping_frame
from tests.protocols.websocket.frames import MASK, Seen, frame, parse


def test_a_close_tells_why() -> None:
    assert list(parse(close_frame(1001))) == [Seen(8, b"\x03\xe9")]
    assert list(parse(close_frame(1001, MASK))) == [Seen(8, b"\x03\xe9")]
    assert close_frame(1001, MASK) == frame(8, b"\x03\xe9", mask=MASK)


def test_a_ping_asks_for_its_payload() -> None:
    for mask in (b"", MASK):
        ping = ping_frame(b"are you there", mask)
        assert list(parse(ping)) == [Seen(9, b"are you there")]
        assert payload_of(ping) == b"are you there"
