"""The control frames that the gateway sends itself, and those that answer them."""

from struct import pack

from kairos.protocols.websocket.frames import CLOSE, FIN, LENGTH, MASK_BYTES, MASKED, PING


def close_frame(code: int, mask: bytes = b"") -> bytes:
    """Return a Close frame; `mask` are four random bytes if it goes to a server (RFC 6455 section 5.3)."""
    return _frame(CLOSE, pack(">H", code), mask)


def ping_frame(payload: bytes, mask: bytes = b"") -> bytes:
    """Return a Ping frame."""
    return _frame(PING, payload, mask)


def payload_of(frame: bytes) -> bytes:
    """Return the payload of a control frame."""
    start = 2 + (MASK_BYTES if frame[1] >= MASKED else 0)
    payload = frame[start : start + (frame[1] & LENGTH)]
    return payload if start == 2 else masked(payload, frame[2:start])


def masked(payload: bytes, mask: bytes) -> bytes:
    """Mask a payload, or take the mask off."""
    return bytes(byte ^ mask[i % MASK_BYTES] for i, byte in enumerate(payload))


def _frame(opcode: int, payload: bytes, mask: bytes) -> bytes:
    if mask:
        return bytes((FIN | opcode, MASKED | len(payload))) + mask + masked(payload, mask)
    return bytes((FIN | opcode, len(payload))) + payload
